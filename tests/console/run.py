"""Starts the console on free ports at a moment that does not pass, and a browser in front of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "real"))
import install  # noqa: E402  (what installs there, installs here)

PICTURES = ROOT / "docs" / "screenshots"
STYLE = ROOT / "examples" / "admin_console" / "assets" / "console.css"
AT = "1800000000"  # 15 Jan 2027, 08:00 UTC
LARGEST = 200 * 1024
SECONDS = 240


def start(program, folder):
    """The console; where it is."""
    command = [program, "--at", AT, "--data", folder / "console.db"]
    for port in ["--port", "--mcp-port", "--issuer-port"]:
        command += [port, "0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in running.stdout:
        found = re.match(r"Console +(\S+)", line)
        if found:
            return running, found[1]
    sys.exit("scripts/console: the example did not start")


def browse(node, home, chromium, url, pictures, results):
    environment = {
        **os.environ,
        "CONSOLE": url,
        "CHROMIUM": chromium,
        "STYLE": str(STYLE),
        "DIGESTS": str(results / "pages.json"),
        "OUTLINES": str(results / "outlines.json"),
    }
    if pictures:
        environment["PICTURES"] = str(pictures)
    script = home / "browse.mjs"
    shutil.copy(ROOT / "tests" / "console" / "browse.mjs", script)  # beside its packages
    return subprocess.run([node, script], env=environment, timeout=SECONDS).returncode


def compare(found):
    """The pages that are not those of the pictures."""
    kept = json.loads((PICTURES / "pages.json").read_text())
    different = [] if kept["style"] == found["style"] else ["the style sheet"]
    names = sorted(set(kept["pages"]) | set(found["pages"]))
    return different + [name for name in names if kept["pages"].get(name) != found["pages"].get(name)]


def run(write):
    home = ROOT / "target" / "console"
    home.mkdir(parents=True, exist_ok=True)
    chromium = install.chromium()
    node = install.npm(ROOT / "tests" / "console", home)
    program = install.cargo(ROOT, "admin_console") / "admin_console"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        running, url = start(program, folder)
        try:
            if browse(node, home, chromium, url, PICTURES if write else None, home):
                sys.exit("scripts/console: FAILED")
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(20)
    found = json.loads((home / "pages.json").read_text())
    if write:
        shutil.copy(home / "pages.json", PICTURES)
    elif different := compare(found):
        sys.exit(f"scripts/console: docs/screenshots shows other pages: {', '.join(different)}. Run scripts/console --write.")
    large = [one.name for one in PICTURES.glob("*.png") if one.stat().st_size > LARGEST]
    if large:
        sys.exit(f"scripts/console: larger than 200 KiB: {', '.join(large)}")


if __name__ == "__main__":
    if any(argument not in ("--write", "--check") for argument in sys.argv[1:]):
        sys.exit("usage: scripts/console [--check | --write]")
    try:
        run("--write" in sys.argv)
    except install.Missing as missing:
        print(f"scripts/console: left out: {missing}", file=sys.stderr)
        sys.exit(os.environ.get("REAL_REQUIRE_ALL") == "1")
