"""The public API as text, a line an item, from what rustdoc says; so that a change of it is meant."""

import json
import os
import subprocess
import sys
from collections import defaultdict

import graph
from signatures import Signatures

PAGE = "tests/fixtures/public-api.txt"
EXTERNALS = "scripts/supply.d/externals.tsv"
# The format changes with rustdoc; a number is added here once the snapshot is the same with it.
FORMATS = {57}
HEAD = "# Written by `scripts/supply api`; the gate fails if it is out of date. All features; one line an item.\n"


def described():
    """rustdoc's JSON, of a stable toolchain. Only rustdoc itself is told to be unstable: told to Cargo or rustc, all
    dependencies would be built again."""
    own = os.environ.get("RUSTDOC", "rustdoc")
    wrapper = graph.ROOT / "target" / "supply" / "rustdoc"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    text = f'#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec {own} "$@"\n'
    if not wrapper.is_file() or wrapper.read_text() != text:
        wrapper.write_text(text)
        wrapper.chmod(0o755)
    command = ["cargo", "rustdoc", "--quiet", "--locked", "--lib", "--all-features", "--"]
    command += ["-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"]
    subprocess.run(command, cwd=graph.ROOT, env={**os.environ, "RUSTDOC": str(wrapper)}, check=True, stdout=sys.stderr)
    target = graph.ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    return json.loads((target / "doc" / "tower_mcp_auth.json").read_text())


class Api:
    """The lines, and which of them name a type of which other crate."""

    def __init__(self, said):
        self.index, self.said = said["index"], said
        self.public = {}
        self.lines, self.foreign = set(), defaultdict(set)
        self.module(said["root"], said["index"][str(said["root"])]["name"], [])
        self.texts = Signatures(said, self.public)
        for one, path in list(self.public.items()):
            self.item(self.index[str(one)], path)

    # --- where an item is seen ---

    def module(self, one, path, above):
        """Names everything that can be reached, by its shortest path: where it is re-exported, not where it stands."""
        if one in above:
            return
        for child in self.index[str(one)]["inner"]["module"]["items"]:
            item = self.index[str(child)]
            kind, inner = next(iter(item["inner"].items()))
            if item["visibility"] != "public":
                continue
            if kind == "use":
                self.used(inner, path, above + [one])
            elif kind == "module":
                self.name(child, f"{path}::{item['name']}")
                self.module(child, f"{path}::{item['name']}", above + [one])
            elif kind != "impl":
                self.name(child, f"{path}::{item['name']}")

    def used(self, use, path, above):
        item = self.index.get(str(use["id"]))
        if item is None:
            self.lines.add(f"use {path}::{use['name']} = {use['source']}")
            self.foreign[use["source"].split("::")[0]].add(f"{path}::{use['name']}")
        elif "module" in item["inner"]:
            here = path if use["is_glob"] else f"{path}::{use['name']}"
            if not use["is_glob"]:
                self.name(use["id"], here)
            self.module(use["id"], here, above)
        else:
            self.name(use["id"], f"{path}::{use['name']}")

    def name(self, one, path):
        known = self.public.get(one)
        if known is None or (path.count("::"), path) < (known.count("::"), known):
            self.public[one] = path

    # --- what it is ---

    def say(self, path, text):
        self.lines.add(text)
        for crate in self.texts.taken():
            self.foreign[crate].add(path)

    def item(self, item, path):
        kind, inner = next(iter(item["inner"].items()))
        render = getattr(self, f"of_{kind}", None)
        if render is None:
            raise ValueError(f"{path}: a {kind} is not known to this script")
        render(item, inner, path)

    def of_module(self, item, inner, path):
        self.say(path, f"mod {path}")

    def of_macro(self, item, inner, path):
        self.say(path, f"macro {path}!")

    def of_function(self, item, inner, path):
        self.say(path, self.texts.function(inner, path))

    def of_constant(self, item, inner, path):
        self.say(path, f"const {path}: {self.texts.type(inner['type'])}")

    def of_static(self, item, inner, path):
        self.say(path, f"static {path}: {self.texts.type(inner['type'])}")

    def of_type_alias(self, item, inner, path):
        parameters, where = self.texts.generics(inner["generics"])
        self.say(path, f"type {path}{parameters} = {self.texts.type(inner['type'])}{where}")

    def of_struct(self, item, inner, path):
        parameters, where = self.texts.generics(inner["generics"])
        kind = inner["kind"]
        form = kind if isinstance(kind, str) else next(iter(kind))
        self.say(path, f"{marks(item)}struct {path}{parameters}{' (' + form + ')' if form != 'plain' else ''}{where}")
        self.fields(kind, path)
        self.impls(inner["impls"], path)

    def of_enum(self, item, inner, path):
        parameters, where = self.texts.generics(inner["generics"])
        self.say(path, f"{marks(item)}enum {path}{parameters}{where}")
        for one in inner["variants"]:
            variant = self.index[str(one)]
            kind = variant["inner"]["variant"]["kind"]
            form = kind if isinstance(kind, str) else next(iter(kind))
            self.say(path, f"{marks(variant)}variant {path}::{variant['name']} ({form})")
            self.fields(kind, f"{path}::{variant['name']}")
        self.impls(inner["impls"], path)

    def of_trait(self, item, inner, path):
        parameters, where = self.texts.generics(inner["generics"])
        bounds = self.texts.bounds(inner["bounds"])
        safe = "" if inner["is_dyn_compatible"] else " (not dyn)"
        self.say(path, f"trait {path}{parameters}{': ' + bounds if bounds else ''}{where}{safe}")
        for one in inner["items"]:
            self.member(self.index[str(one)], path, provided=True)
        self.impls(inner["implementations"], path)

    def fields(self, kind, path):
        if isinstance(kind, str):
            return
        form, held = next(iter(kind.items()))
        for one in held if form == "tuple" else held["fields"]:
            field = self.index.get(str(one)) if one is not None else None
            # The fields of a variant are as public as it is, and have no word of their own.
            if field is not None and field["visibility"] in ("public", "default"):
                self.say(path, f"field {path}.{field['name']}: {self.texts.type(field['inner']['struct_field'])}")

    def member(self, item, path, provided=False):
        kind, inner = next(iter(item["inner"].items()))
        path = f"{path}::{item['name']}"
        if kind == "function":
            self.say(path, self.texts.function(inner, path) + (" { … }" if provided and inner["has_body"] else ""))
        elif kind == "assoc_const":
            self.say(path, f"const {path}: {self.texts.type(inner['type'])}")
        elif kind == "assoc_type":
            parameters, where = self.texts.generics(inner["generics"])
            bounds = self.texts.bounds(inner["bounds"])
            value = f" = {self.texts.type(inner['type'])}" if inner["type"] else ""
            self.say(path, f"type {path}{parameters}{': ' + bounds if bounds else ''}{value}{where}")
        else:
            raise ValueError(f"{path}: a {kind} is not known to this script")

    def impls(self, ids, path):
        for one in ids:
            item = self.index.get(str(one))
            if item is None:
                continue
            impl = item["inner"]["impl"]
            foreign_blanket = impl["blanket_impl"] is not None
            if impl["trait"] is None:
                for child in impl["items"]:
                    member = self.index.get(str(child))
                    if member is not None and member["visibility"] == "public":
                        self.member(member, path)
            elif impl["is_synthetic"]:
                # Almost everything is Send and Sync; what is not, or not always, says so.
                name = impl["trait"]["path"].split("::")[-1]
                if name in ("Send", "Sync") and impl["is_negative"]:
                    self.say(path, f"impl !{name} for {self.texts.type(impl['for'])}")
            elif not foreign_blanket and self.seen(impl):
                self.say(path, self.texts.impl(impl))
                for child in impl["items"]:
                    member = self.index.get(str(child))
                    if member is not None and "assoc_type" in member["inner"]:
                        value = self.texts.type(member["inner"]["assoc_type"]["type"])
                        self.say(path, f"{self.texts.impl(impl)} :: {member['name']} = {value}")

    def seen(self, impl):
        """Whether users can name both the trait and the type; derives and macros leave traces of private ones."""
        trait = self.index.get(str(impl["trait"]["id"]))
        kind = impl["for"].get("resolved_path") if isinstance(impl["for"], dict) else None
        own = self.index.get(str(kind["id"])) if kind else None
        if impl["trait"]["path"].split("::")[-1] in ("StructuralPartialEq", "Unpin"):
            return False
        return all(one is None or one["id"] in self.public for one in (trait, own))


def marks(item):
    return "non_exhaustive " if any("non_exhaustive" in str(one) for one in item["attrs"]) else ""


def read(leave):
    said = described()
    if said["format_version"] not in FORMATS:
        leave(f"api: this rustdoc writes format {said['format_version']}; known is {sorted(FORMATS)}")
        return None
    return Api(said)


def text(api):
    return HEAD + "\n".join(sorted(api.lines)) + "\n"


def allowed():
    rows = [line.split("\t") for line in (graph.ROOT / EXTERNALS).read_text().splitlines()[1:]]
    return {crate: reason for crate, reason in rows}


def externals(api, say):
    reasons = allowed()
    for crate in sorted(api.foreign.keys() - reasons.keys()):
        places = sorted(api.foreign[crate])
        say(f"api: {crate} has a type in the public API ({places[0]} and {len(places) - 1} more) and no line in {EXTERNALS}")
    for crate in sorted(reasons.keys() - api.foreign.keys()):
        say(f"api: {EXTERNALS} allows {crate}, of which there is nothing in the public API")


def write(say, leave):
    if api := read(leave):
        (graph.ROOT / PAGE).write_text(text(api))
        externals(api, say)
        print(f"api: {PAGE} has {len(api.lines)} lines, with types of {', '.join(sorted(api.foreign))}")


def check(say, leave):
    if not (api := read(leave)):
        return
    path = graph.ROOT / PAGE
    old = set(path.read_text().splitlines()) if path.is_file() else set()
    new = set(text(api).splitlines())
    for line in sorted(old - new):
        say(f"api: gone: {line}")
    for line in sorted(new - old):
        say(f"api: new: {line}")
    if old != new:
        say(f"api: if that is meant, run scripts/supply api, and say it in CHANGELOG.md")
    externals(api, say)
    print(f"api: {len(api.lines)} lines, with types of {len(api.foreign)} other crates")
