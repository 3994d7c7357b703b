"""deny.toml without a tool: licenses, sources, bans, duplicates; and what cargo-deny does not ask."""

import re
from collections import defaultdict

import graph


def licensed(expression, allowed):
    """Whether an SPDX expression can be met with the allowed licenses alone."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression)

    def one():
        word = words.pop(0)
        if word == "(":
            value = either()
            if not words or words.pop(0) != ")":
                raise ValueError(expression)
            return value
        if words and words[0] == "WITH":
            word += f" WITH {words.pop(0) and words.pop(0)}"
        return word in allowed

    def both():
        value = one()
        while words and words[0] == "AND":
            words.pop(0)
            value = one() and value
        return value

    def either():
        value = both()
        while words and words[0] in ("OR", "/"):
            words.pop(0)
            value = both() or value
        return value

    value = either()
    if words:
        raise ValueError(expression)
    return value


def matches(spec, name, version):
    """Whether an entry of deny.toml is about this version: `name`, `name:0.10` or `name:<0.12.16`."""
    wanted, _, range_ = spec.partition(":")
    if wanted != name:
        return False
    if not range_:
        return True
    if range_.startswith("<"):
        return graph.version(version) < graph.version(range_[1:])
    if not re.fullmatch(r"\d+(\.\d+)*", range_):
        raise ValueError(f"deny.toml: this script does not know the range {spec}")
    numbers = [int(number) for number in range_.split(".")]
    return list(graph.version(version))[: len(numbers)] == numbers


def licenses(say):
    allowed = set(graph.toml("deny.toml")["licenses"]["allow"])
    used = set()
    found, _ = graph.packages()
    for name, version in sorted(graph.built()):
        expression = found[name, version]["license"] or ""
        used |= {word for word in allowed if word in re.split(r"[\s()/]+", expression)}
        if not expression or not licensed(expression, allowed):
            say(f"{name} {version}: the license {expression or 'is missing'} is not allowed")
    for license in sorted(allowed - used):
        say(f"deny.toml allows {license}, which nothing has")


def sources(say):
    found, own = graph.packages()
    for one, package in found.items():
        if one != own and package["source"] != graph.REGISTRY:
            say(f"{one[0]} {one[1]} comes from {package['source'] or 'a path'}, not the registry")
    # Cargo.lock has a checksum for all that comes from the registry.
    for package in graph.toml("Cargo.lock")["package"]:
        if "source" in package and "checksum" not in package:
            say(f"{package['name']} {package['version']} has no checksum in Cargo.lock")


def bans(say):
    banned = graph.toml("deny.toml")["bans"]
    above = defaultdict(set)
    for one, below in graph.built().items():
        for dependency in below:
            above[dependency].add(one[0])
    for entry in banned["deny"]:
        for name, version in graph.built():
            by = above[name, version] - set(entry.get("wrappers", []))
            if matches(entry["crate"], name, version) and by:
                say(f"{name} {version} is banned ({entry['reason']}); {', '.join(sorted(by))} depends on it")


def duplicates(say):
    skipped = graph.toml("deny.toml")["bans"]["skip"]
    versions = defaultdict(list)
    for name, version in graph.built():
        versions[name].append(version)
    unused = {entry["crate"] for entry in skipped}
    for name, found in versions.items():
        left = []
        for version in found:
            entries = {entry["crate"] for entry in skipped if matches(entry["crate"], name, version)}
            unused -= entries if len(found) > 1 else set()
            left += [] if entries else [version]
        if len(left) > 1:
            say(f"{name} is there as {' and '.join(sorted(found))}; deny.toml says why for none of them")
    for crate in sorted(unused):
        say(f"deny.toml skips {crate}, which is no duplicate any more")


def reasons(say):
    rules = graph.toml("deny.toml")
    entries = rules["bans"]["deny"] + rules["bans"]["skip"] + rules["advisories"]["ignore"]
    for entry in entries:
        if not entry.get("reason", "").strip():
            say(f"deny.toml: {entry.get('crate') or entry.get('id')}: every exception needs its reason")


def direct():
    """The dependencies of the manifest that users get, by name, as their requirement."""
    said = graph.toml("Cargo.toml")["dependencies"]
    return {name: one if isinstance(one, str) else one["version"] for name, one in said.items()}


def floors(say):
    """The least version the manifest takes of a crate is none that is banned."""
    for name, requirement in direct().items():
        if not re.fullmatch(r"\d+(\.\d+){0,2}", requirement):
            say(f"Cargo.toml: {name} = \"{requirement}\" is no plain least version")
            continue
        for entry in graph.toml("deny.toml")["bans"]["deny"]:
            if matches(entry["crate"], name, requirement):
                say(f"Cargo.toml takes {name} {requirement}, and deny.toml bans {entry['crate']}")


def explained(say):
    """Every dependency stands in the table of DESIGN.md, with why it is there."""
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", (graph.ROOT / "DESIGN.md").read_text(), re.M)
    named = set(re.findall(r"[a-z][a-z0-9_-]+", " ".join(cells)))
    for name in direct():
        if name not in named:
            say(f"DESIGN.md does not say why {name} is a dependency")


def oldest_rust(say):
    """No dependency that users get asks for a newer Rust than we promise."""
    ours = graph.toml("Cargo.toml")["package"]["rust-version"]
    found, _ = graph.packages()
    for name, version in sorted(graph.shipped()):
        theirs = found[name, version]["rust_version"]
        if theirs and graph.version(theirs) > graph.version(ours):
            say(f"{name} {version} needs Rust {theirs}, we promise {ours}")


def no_unsafe(say):
    """The compiler refuses unsafe code: the lint is `forbid`, which no attribute can lift."""
    if graph.toml("Cargo.toml")["lints"]["rust"]["unsafe_code"] != "forbid":
        say("Cargo.toml must forbid unsafe_code")


def check(say):
    for rule in (licenses, sources, bans, duplicates, reasons, floors, explained, oldest_rust, no_unsafe):
        rule(say)
    print(f"policy: {len(graph.shipped()) - 1} packages for users, {len(graph.built()) - 1} with those of the tests")
