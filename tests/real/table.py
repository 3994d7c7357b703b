"""The last full run as a Markdown table, and its place in the README."""

import json

BEGIN, END = "<!-- real:begin -->", "<!-- real:end -->"

FLOWS = {
    "login": "login: metadata, registration, PKCE",
    "client_document": "login without registration (client metadata document)",
    "step_up": "step-up after a 403",
    "step_up_with_refresh_token": "step-up with a refresh token in hand",
    "step_up_strict": "step-up beyond the scopes registered",
    "all_scopes_at_once": "`ChallengeScopes::Everything` instead of step-up",
    "refresh": "refresh after expiry",
    "login_again": "login again after expiry",
    "api_token": "API token (`Basic`)",
    "api_key": "API key (`Bearer`)",
    "stream": "progress before the result",
    "switched_off": "API tokens switched off: ends in a login",
}

# Programs, and what they are called where they speak the one and the other protocol.
PROGRAMS = {
    "TypeScript `client`": ["typescript-2-legacy", "typescript-2"],
    "TypeScript `sdk`": ["typescript-1"],
    "Python `mcp`": ["python-2-legacy", "python-2"],
    "`mcp-remote`": ["mcp-remote", "mcp-remote-auto"],
    "`rmcp`": ["rmcp-legacy", "rmcp"],
}


class Incomplete(Exception):
    """Nothing that may stand in the README."""


def markdown(report, protocols):
    """Flows down, programs across; what needs a word, below. Of everything, or not at all."""
    cells = {(cell["client"], cell["flow"]): cell for cell in report["cells"]}
    reasons = []

    def say(client, flow):
        cell = cells.get((client, flow))
        if cell is None:
            raise Incomplete(f"{client} {flow} was not run")
        if not cell["ok"] and not cell.get("limit"):
            raise Incomplete(f"{client} {flow} failed")
        reason = cell.get("limit") or cell.get("but")
        if reason and reason not in reasons:
            reasons.append(reason)
        return ("yes" if cell["ok"] else "no") + (f" ({reasons.index(reason) + 1})" if reason else "")

    def across(clients, flow):
        said = [say(client, flow) for client in clients]
        if len(set(said)) == 1:
            return said[0]
        return "; ".join(f"{protocols[client]}: {mark}" for client, mark in zip(clients, said))

    if report["left_out"]:
        raise Incomplete(f"left out: {', '.join(report['left_out'])}")
    failed = [f"{cell['client']} {cell['flow']}" for cell in report["cells"] if not cell["ok"] and not cell.get("limit")]
    if failed:
        raise Incomplete(f"failed: {', '.join(failed)}")
    versions = report["versions"]
    heads = [f"{title} {versions[clients[-1]]}" for title, clients in PROGRAMS.items()]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(heads)]
    for flow, title in FLOWS.items():
        row = [across(clients, flow) for clients in PROGRAMS.values()]
        lines.append(f"| {title} | " + " | ".join(row) + " |")
    lines.append("")
    lines += [f"{number}. {reason[0].upper()}{reason[1:]}." for number, reason in enumerate(reasons, 1)]
    lines += [
        "",
        f"Each with protocols 2025-11-25 and 2026-07-28 (`sdk`: 2025-11-25), at npm `oidc-provider` {versions['oidc-provider']}.",
        f"The official conformance suite {versions['conformance']} sees no difference between a server alone and behind the layer.",
        "In headless Chromium a person allows and denies on the quickstart's consent page.",
    ]
    return "\n".join(lines)


def load(path):
    if not path.exists():
        raise Incomplete("there was no full run; run scripts/real")
    return json.loads(path.read_text())


def split(readme):
    """Before the table, the table, and after it."""
    text = readme.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise Incomplete(f"{readme.name} must have one {BEGIN} and one {END}")
    before, rest = text.split(BEGIN)
    inner, after = rest.split(END)
    return before, inner.strip(), after


def write(readme, table):
    before, _, after = split(readme)
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def difference(readme, table):
    """The first line in which the README differs from what was seen; nothing if none."""
    written, seen = split(readme)[1].splitlines(), table.splitlines()
    for number in range(max(len(written), len(seen))):
        old, new = ("".join(lines[number : number + 1]) for lines in (written, seen))
        if old != new:
            return f"it says  {old or '(nothing)'}\nseen was {new or '(nothing)'}"
    return None
