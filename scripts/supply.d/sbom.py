"""The bill of materials (CycloneDX 1.5): what a build with all features is made of. The same lock file gives the same bytes."""

import json
import re
import uuid

import graph

PAGE = "docs/sbom.cdx.json"
EXPRESSION = re.compile(r"\s*/\s*")


def purl(one):
    return "pkg:cargo/{}@{}".format(one[0], one[1].replace("+", "%2B"))


def component(package, kind):
    one = (package["name"], package["version"])
    said = {"type": kind, "bom-ref": purl(one), "name": one[0], "version": one[1]}
    if one in graph.locked():
        said["hashes"] = [{"alg": "SHA-256", "content": graph.locked()[one]}]
    said["licenses"] = [{"expression": EXPRESSION.sub(" OR ", package["license"])}]
    said["purl"] = purl(one)
    if package["repository"]:
        said["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return said


def bill():
    found, own = graph.packages()
    edges = graph.shipped()
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": "",
        "version": 1,
        "metadata": {"component": component(found[own], "library")},
        "components": [component(found[one], "library") for one in sorted(edges) if one != own],
        "dependencies": [{"ref": purl(one), "dependsOn": [purl(below) for below in sorted(edges[one])]} for one in sorted(edges)],
    }
    body["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body))}"
    return body


def written(body):
    """A component and a dependency a line, so that a difference can be read."""
    lines = []
    for key, value in body.items():
        if isinstance(value, list):
            rows = ",\n".join("  " + json.dumps(one) for one in value)
            lines.append(f' "{key}": [\n{rows}\n ]')
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def validate(body, say):
    """What CycloneDX 1.5 asks of the parts that are used, and that it says what Cargo.lock says."""
    if (body.get("bomFormat"), body.get("specVersion"), body.get("version")) != ("CycloneDX", "1.5", 1):
        say(f"{PAGE}: is no CycloneDX 1.5")
    if not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body.get("serialNumber", "")):
        say(f"{PAGE}: the serial number is no UUID")
    own = body["metadata"]["component"]
    parts = [own, *body["components"]]
    refs = [part["bom-ref"] for part in parts]
    if len(set(refs)) != len(refs):
        say(f"{PAGE}: a bom-ref stands twice")
    for part in parts:
        if part["type"] not in ("library", "application") or not part["name"] or not part["version"]:
            say(f"{PAGE}: {part['bom-ref']} lacks its type, name or version")
        if not part["licenses"][0]["expression"] or "/" in part["licenses"][0]["expression"]:
            say(f"{PAGE}: {part['bom-ref']} has no SPDX expression")
    for part in body["components"]:
        if part.get("hashes") != [{"alg": "SHA-256", "content": graph.locked().get((part["name"], part["version"]))}]:
            say(f"{PAGE}: {part['bom-ref']} is not what Cargo.lock holds")
    below = {one["ref"]: one["dependsOn"] for one in body["dependencies"]}
    if sorted(below) != sorted(refs) or not all(one in below for ones in below.values() for one in ones):
        say(f"{PAGE}: the dependencies name other components than there are")
    seen, todo = set(), [own["bom-ref"]]
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += below.get(one, [])
    if seen != set(refs):
        say(f"{PAGE}: {len(set(refs) - seen)} components belong to nothing")
    direct = {part["name"] for part in body["components"] if part["bom-ref"] in below[own["bom-ref"]]}
    for name in graph.toml("Cargo.toml")["dependencies"].keys() - direct:
        say(f"{PAGE}: lacks {name}, which Cargo.toml names")


def write(say):
    body = bill()
    validate(body, say)
    (graph.ROOT / PAGE).write_text(written(body))
    print(f"sbom: {PAGE} has {len(body['components'])} components")


def check(say):
    path = graph.ROOT / PAGE
    text = path.read_text() if path.is_file() else ""
    if text != written(bill()):
        say(f"{PAGE} is out of date: run scripts/supply sbom")
        return
    body = json.loads(text)
    validate(body, say)
    print(f"sbom: {len(body['components'])} components, as in Cargo.lock")
