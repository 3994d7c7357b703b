"""The official conformance suite, against somebody else's server: alone, and behind the layer.

Both must give the same result, check by check. What the server itself fails it must fail in the same
way behind the layer.
"""

import json
import re
import shutil

from processes import run

SECONDS = 300


def checks(folder):
    """Every check of every scenario: its status."""
    found = {}
    for path in sorted(folder.rglob("checks.json")):
        scenario = re.sub(r"-20\d\d-\d\d-\d\dT.*", "", path.parent.name.removeprefix("server-"))
        for number, check in enumerate(json.loads(path.read_text())):
            found[f"{scenario} {number} {check['id']}"] = check["status"]
    return found


def suite(parts, package, url, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    script = package / "dist" / "index.js"
    command = [parts["node"], script, "server", "--url", url, "--suite", "all", "--output-dir", folder]
    code, out, err = run(command, SECONDS, cwd=folder)
    (folder / "output.log").write_text(f"exit {code}\n{out}\n{err}")
    if code == -1:
        raise RuntimeError(f"not done after {SECONDS} s")
    found = checks(folder)
    if not found:
        raise RuntimeError(f"no checks: {out[-1000:]} {err[-1000:]}")
    return found


def compare(processes, parts, package, issuer, folder):
    """A cell: the differences, or how many checks there were."""
    node, scripts = parts["node"], parts["scripts"]
    inner = processes.server("conformance", [node, scripts / "conformance" / "server.mjs"])
    server = [parts["examples"] / "real_server", "--upstream", inner["mcp"], "--issuer", issuer]
    bare = processes.server("conformance-bare", [*server, "--no-auth"])
    layered = processes.server("conformance-layered", [*server, "--signed"])
    without = suite(parts, package, bare["mcp"], folder / "without")
    behind = suite(parts, package, layered["mcp"], folder / "behind")
    for ready in (bare, layered, inner):
        processes.stop(ready["pid"])
    names = sorted(set(without) | set(behind))
    different = [f"{name}: {without.get(name)} without, {behind.get(name)} behind" for name in names
                 if without.get(name) != behind.get(name)]
    if different:
        return {"ok": False, "error": "\n".join(different)}
    passed = sum(status == "SUCCESS" for status in without.values())
    failed = sorted(name for name, status in without.items() if status == "FAILURE")
    if passed < 40:
        return {"ok": False, "error": f"only {passed} checks pass, which shows nothing: {failed}"}
    note = f"{len(names)} checks, {passed} pass, the same with and without the layer"
    return {"ok": True, "note": note + (f"; the server itself fails {', '.join(failed)}" if failed else "")}
