"""What Cargo says about this crate and what comes in with it."""

import json
import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def out(*command, cwd=ROOT, **env):
    return subprocess.run(command, cwd=cwd, env={**os.environ, **env}, check=True, stdout=subprocess.PIPE, text=True).stdout


@cache
def toml(name):
    return tomllib.loads((ROOT / name).read_text())


@cache
def packages():
    """All of Cargo.lock, by (name, version); and this crate's own key."""
    said = json.loads(out("cargo", "metadata", "--format-version", "1", "--locked", "--all-features"))
    found = {(package["name"], package["version"]): package for package in said["packages"]}
    own = next((one["name"], one["version"]) for one in said["packages"] if one["id"] == said["resolve"]["root"])
    return found, own


def tree(edges):
    """(name, version) -> those it depends on, in builds with all features for any platform. `cargo metadata`
    cannot say that: it follows optional dependencies that no feature turns on."""
    lines = out("cargo", "tree", "--locked", "--all-features", "--target", "all", "--edges", edges,
                "--prefix", "depth", "--format", "{p}")  # fmt: skip
    below, above = {}, []
    for line in lines.splitlines():
        if not (match := re.match(r"(\d+)(\S+) v(\S+)", line)):
            continue  # `[dev-dependencies]`
        depth, name, version = match.groups()
        one = (name, version)
        below.setdefault(one, set())
        above = above[: int(depth)] + [one]
        if len(above) > 1:
            below[above[-2]].add(one)
    return below


@cache
def shipped():
    """What users build."""
    return tree("normal,build")


@cache
def built():
    """The same with what the tests bring."""
    return tree("normal,build,dev")


@cache
def locked():
    """(name, version) -> checksum, of everything in Cargo.lock that comes from the registry."""
    return {(one["name"], one["version"]): one["checksum"] for one in toml("Cargo.lock")["package"] if "checksum" in one}


def version(text):
    """The numbers of a version, for comparison; what stands behind - or + is not compared."""
    numbers = re.split(r"[-+]", text)[0].split(".")
    return tuple(int(number) for number in (numbers + ["0", "0"])[:3])
