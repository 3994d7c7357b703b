"""Runs clients against the server, all of other people's making but the server. See README.md."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import time
import urllib.request

import conformance
import install
import table
from browser import Service
from processes import Processes, run

SOURCES = pathlib.Path(__file__).resolve().parent
ROOT = SOURCES.parent.parent
HERE = ROOT / "target" / "real"
RESULTS = HERE / "results.json"
README = ROOT / "README.md"
SECONDS = 60  # for one cell

FLOWS = list(table.FLOWS)
ISSUER_FLOWS = [
    "algorithms", "client_credentials", "client_document", "key_rotation", "id_token", "opaque", "dpop", "mtls",
    "introspection", "introspection_outage", "dpop_proof", "client_certificate", "opaque_and_bound", "early_refusal",
]
BROWSER_FLOWS = ["consent_allow", "consent_deny", "origins"]


class Client:
    """A column of the table."""

    def __init__(self, name, command, version, needs, flows=None, **given):
        self.name, self.command, self.version, self.needs, self.given = name, command, version, needs, given
        self.flows = FLOWS if flows is None else flows


def javascript(name, script, package, flows=None, needs=(), **given):
    def command(parts, flow):
        return [parts["node"], parts["scripts"] / script, flow]

    def version():
        return install.npm_version(HERE / "npm", package)

    return Client(name, command, version, ["node", *needs], flows, package=package, **given)


def python(name, script, package, **given):
    def command(parts, flow):
        return [parts["python"], SOURCES / "clients" / script, flow]

    return Client(name, command, lambda: install.pip_version(SOURCES, package), ["python"], **given)


def rust(name, example, crate, **given):
    def command(parts, flow):
        return [parts["examples"] / example, flow]

    return Client(name, command, lambda: install.cargo_version(ROOT, crate), [], **given)


CLIENTS = [
    javascript("typescript-2-legacy", "typescript.mjs", "@modelcontextprotocol/client", protocol="2025-11-25"),
    javascript("typescript-2", "typescript.mjs", "@modelcontextprotocol/client", protocol="2026-07-28"),
    javascript("typescript-1", "typescript.mjs", "@modelcontextprotocol/sdk", protocol="2025-11-25"),
    python("python-2-legacy", "python.py", "mcp", protocol="2025-11-25"),
    python("python-2", "python.py", "mcp", protocol="2026-07-28"),
    javascript("mcp-remote", "mcp_remote.mjs", "mcp-remote", protocol="2025-11-25"),
    javascript("mcp-remote-auto", "mcp_remote.mjs", "mcp-remote", protocol="2026-07-28"),
    rust("rmcp-legacy", "real_rmcp", "rmcp", protocol="2025-11-25"),
    rust("rmcp", "real_rmcp", "rmcp", protocol="2026-07-28"),
    javascript("issuer", "issuer.mjs", "oidc-provider", flows=ISSUER_FLOWS),
    javascript("browser", "chromium.mjs", "puppeteer-core", flows=BROWSER_FLOWS, needs=["chromium"]),
]


CONFORMANCE = "conformance"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/real", description="Real clients against this crate.")
    names = [*(client.name for client in CLIENTS), CONFORMANCE]
    parser.add_argument("--only", action="append", metavar="CLIENT", help=f"one of: {', '.join(names)}; a prefix will do")
    parser.add_argument("--flow", action="append", choices=sorted({*FLOWS, *ISSUER_FLOWS, *BROWSER_FLOWS}), help="only this flow")
    parser.add_argument("--table", action="store_true", help="the last full run as a Markdown table; runs nothing")
    parser.add_argument("--write-readme", action="store_true", help="the same into the README; runs nothing")
    parser.add_argument("--verbose", action="store_true", help="what a failed cell printed, whole")
    chosen = parser.parse_args()
    for only in chosen.only or []:
        if not any(name.startswith(only) for name in names):
            parser.error(f"there is no client {only!r}; there are: {', '.join(names)}")
    return chosen


def prepare(clients):
    """Installs what these clients need; the parts there are, and what is left out for which reason."""
    parts, left_out = {"examples": install.cargo(ROOT, "real_server", "real_rmcp", "quickstart")}, {}
    try:
        parts["node"] = install.npm(SOURCES, HERE / "npm")
        # Copied, because Node looks for packages above the real place of a script.
        parts["scripts"] = HERE / "npm" / "scripts"
        shutil.rmtree(parts["scripts"], ignore_errors=True)
        shutil.copytree(SOURCES / "clients", parts["scripts"])
        shutil.copytree(SOURCES / "issuer", parts["scripts"] / "issuer")
        shutil.copytree(SOURCES / "conformance", parts["scripts"] / "conformance")
    except install.Missing as missing:
        # The authorization server runs on it, so nothing is left.
        left_out["everything"] = str(missing)
        return parts, left_out
    if any("python" in client.needs for client in clients):
        try:
            parts["python"] = install.pip(SOURCES, HERE / "python")
        except install.Missing as missing:
            left_out["the Python client"] = str(missing)
    if any("chromium" in client.needs for client in clients):
        try:
            parts["chromium"] = install.chromium()
        except install.Missing as missing:
            left_out["the browser"] = str(missing)
    return parts, left_out


def post(url, body=b""):
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=20) as answer:
        return answer.read()


USUAL = {
    "alg": "RS256", "format": "jwt", "seconds": 3600, "registeredScope": "kept", "registration": True,
    "refreshTokens": "offline_access", "introspection": "up", "refreshSeconds": 14 * 24 * 3600,
}


def cell(client, flow, parts, given):
    """One flow of one client, from the usual state of all servers; ok, a limit of the client, or an error."""
    post(given["control"], json.dumps(USUAL).encode())
    post(f"{given['admin']}/organizations/acme/api-tokens/on")
    urllib.request.urlopen(f"{given['admin']}/log", timeout=20).read()
    home = HERE / "homes" / f"{client.name}-{flow}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    asked = {**given, **client.given, "jar": f"{client.name}/{flow}", "home": str(home)}
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "REAL": json.dumps(asked), "BROWSER": "true", "LANG": "C.UTF-8",
    }
    begun = time.monotonic()
    code, out, err = run(client.command(parts, flow), SECONDS, env=environment, cwd=home)
    (HERE / "logs" / f"{client.name}-{flow}.log").write_text(f"exit {code}\n{out}\n{err}")
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if code == -1:
        result = {"ok": False, "error": f"not done after {SECONDS} s"}
    elif not lines:
        result = {"ok": False, "error": f"exit {code}, no result: {err[-2000:]}"}
    else:
        result = json.loads(lines[-1])
    return {"client": client.name, "flow": flow, "seconds": round(time.monotonic() - begun, 1), **result}


def start(processes, parts):
    """The authorization server, and three servers of ours; where they are."""
    issuer = processes.server("issuer", [parts["node"], parts["scripts"] / "issuer" / "server.mjs"])
    given = {"issuer": issuer["issuer"], "control": issuer["control"]}
    server = [parts["examples"] / "real_server", "--issuer", issuer["issuer"]]
    ready = processes.server("server", server)
    given.update({name: ready[name] for name in ["mcp", "admin", "tokens"]})
    checking = processes.server("server-checking", [*server, "--introspect", "--dpop", "--client-cert"])
    given.update(mcp_checking=checking["mcp"], admin_checking=checking["admin"])
    given["mcp_everything"] = processes.server("server-everything", [*server, "--everything"])["mcp"]
    service = Service()
    given["browser"] = service.url
    given["quickstart"] = str(parts["examples"] / "quickstart")
    given["chromium"], given["screenshot"] = parts.get("chromium"), str(HERE / "consent.png")
    return given


def transparency(processes, parts, given):
    """The official conformance suite with and without the layer, as a cell."""
    begun = time.monotonic()
    package = HERE / "npm" / "node_modules" / "@modelcontextprotocol" / "conformance"
    try:
        result = conformance.compare(processes, parts, package, given["issuer"], HERE / "conformance")
    except RuntimeError as error:
        result = {"ok": False, "error": str(error)}
    seconds = round(time.monotonic() - begun, 1)
    return {"client": CONFORMANCE, "flow": "same_without_and_behind", "seconds": seconds, **result}


def show(result):
    mark = "ok" if result["ok"] else "client" if result.get("limit") else "FAILED"
    text = result.get("limit") or result.get("error") or result.get("but") or result.get("note") or ""
    print(f"{result['client']:22} {result['flow']:26} {result['seconds']:5} s  {mark:6}  {str(text)[:400]}", flush=True)


def versions(parts, clients):
    found = {"rust server": install.cargo_version(ROOT, "tower-mcp-auth"), "rmcp server": install.cargo_version(ROOT, "rmcp")}
    found["oidc-provider"] = install.npm_version(HERE / "npm", "oidc-provider")
    found["python"] = platform.python_version()
    found[CONFORMANCE] = install.npm_version(HERE / "npm", "@modelcontextprotocol/conformance")
    found["node"] = run([parts["node"], "--version"], 20)[1].strip()
    return {**found, **{client.name: client.version() for client in clients}}


def shown():
    """The table of the last full run."""
    return table.markdown(table.load(RESULTS), {client.name: client.given.get("protocol") for client in CLIENTS})


def readme_differs():
    """Why the README's table is not what was just seen; nothing if it is."""
    try:
        difference = table.difference(README, shown())
    except table.Incomplete as incomplete:
        return str(incomplete)
    if difference:
        return f"{difference}\nRun `scripts/real --write-readme`, and look at what changed."
    return None


def main():
    chosen = arguments()
    if chosen.table or chosen.write_readme:
        try:
            if chosen.write_readme:
                table.write(README, shown())
            else:
                print(shown())
        except table.Incomplete as incomplete:
            sys.exit(f"scripts/real: {incomplete}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything below ends, too
    clients = [c for c in CLIENTS if not chosen.only or any(c.name.startswith(only) for only in chosen.only)]
    (HERE / "logs").mkdir(parents=True, exist_ok=True)
    parts, left_out = prepare(clients)
    results = []
    if "everything" not in left_out:
        with Processes(HERE / "logs") as processes:
            given = start(processes, parts)
            for client in clients:
                if not all(need in parts for need in client.needs):
                    continue
                for flow in client.flows:
                    if not chosen.flow or flow in chosen.flow:
                        results.append(cell(client, flow, parts, given))
                        show(results[-1])
            if not chosen.flow and any(CONFORMANCE.startswith(only) for only in chosen.only or [CONFORMANCE]):
                results.append(transparency(processes, parts, given))
                show(results[-1])
    report = {"versions": versions(parts, clients) if results else {}, "left_out": left_out, "cells": results}
    full = not chosen.only and not chosen.flow
    # What was seen of everything stays when a part is run again.
    path = RESULTS if full else HERE / "results-partial.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    if not results and not left_out:
        sys.exit("scripts/real: no client has that flow")
    failed = [result for result in results if not result["ok"] and not result.get("limit")]
    for result in failed:
        error = result["error"] if chosen.verbose else result["error"][:1500]
        print(f"\n{result['client']} {result['flow']}:\n{error}", file=sys.stderr)
    for part, reason in left_out.items():
        print(f"scripts/real: left out: {part} ({reason})", file=sys.stderr)
    print(f"{len(results)} cells, {len(failed)} failed; see {path.relative_to(ROOT)} and target/real/logs")
    outdated = readme_differs() if full and not failed and not left_out else None
    if outdated:
        print(f"scripts/real: the table in README.md is not what was just seen:\n{outdated}", file=sys.stderr)
    required = left_out and os.environ.get("REAL_REQUIRE_ALL") == "1"
    return 1 if failed or outdated or required else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
