"""Whose code a build with all features holds, and on what terms: the page, and the texts to ship with a binary."""

import hashlib
import re
from pathlib import Path

import graph

PAGE = "docs/third-party-licenses.md"
TEXTS = "target/third-party-licenses.txt"
NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-_.].*)?", re.IGNORECASE)
HEAD = """# Third-party licenses

What a build of this crate with all its features is made of, by license. Written by `scripts/supply licenses` from
Cargo.lock; the gate compares it. `deny.toml` says which licenses may come in. Whoever ships the program `mcp-auth`
ships the texts with it: `scripts/supply licenses` gathers them in `target/third-party-licenses.txt` too.
"""


def shipped():
    found, own = graph.packages()
    return [found[one] for one in sorted(graph.shipped()) if one != own]


def page():
    by_license = {}
    for package in shipped():
        terms = re.sub(r"\s*/\s*", " OR ", package["license"])
        by_license.setdefault(terms, []).append(f"{package['name']} {package['version']}")
    rows = [f"| {terms} | {', '.join(ones)} |" for terms, ones in sorted(by_license.items())]
    return HEAD + "\n| license | crates |\n| --- | --- |\n" + "\n".join(rows) + "\n"


def texts(say):
    """Each text once, below the crates it comes with."""
    whose, words = {}, {}
    for package in shipped():
        folder = Path(package["manifest_path"]).parent
        files = [one for one in sorted(folder.iterdir()) if one.is_file() and NAMES.fullmatch(one.name)]
        name = f"{package['name']} {package['version']} ({package['license']})"
        for one in files:
            text = one.read_text(errors="replace").strip()
            mark = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
            words.setdefault(mark, text)
            whose.setdefault(mark, []).append(name)
        if not files:
            # The expression in its manifest is all that its author says.
            whose.setdefault("", []).append(name)
    if "" in whose:
        print(f"licenses: without a text of their own: {', '.join(whose.pop(''))}")
    if not whose:
        say("licenses: no text was found: run cargo fetch")
    parts = ["\n".join(dict.fromkeys(ones)) + "\n\n" + words[mark] for mark, ones in whose.items()]
    return ("\n\n" + "=" * 80 + "\n\n").join(parts) + "\n"


def write(say):
    (graph.ROOT / PAGE).write_text(page())
    path = graph.ROOT / TEXTS
    path.parent.mkdir(exist_ok=True)
    path.write_text(texts(say))
    print(f"licenses: {PAGE}; texts in {TEXTS}, {path.stat().st_size // 1024} KiB")


def check(say):
    path = graph.ROOT / PAGE
    if not path.is_file() or path.read_text() != page():
        say(f"{PAGE} is out of date: run scripts/supply licenses")
        return
    print(f"licenses: {len(shipped())} crates, as in Cargo.lock")
