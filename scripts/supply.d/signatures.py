"""rustdoc's description of types and functions, as they are written in Rust."""


STANDARD = ("alloc", "core", "std")


def short(path):
    """Where the standard library keeps a thing changes with the compiler, and everybody knows its name."""
    return "::".join(path[-2:] if path[-1] in ("Error", "Result") else path[-1:])


class Signatures:
    def __init__(self, said, public):
        self.paths, self.crates, self.public = said["paths"], said["external_crates"], public
        self.foreign = set()

    def taken(self):
        """The other crates whose types were written since the last call."""
        taken, self.foreign = self.foreign, set()
        return taken

    def path(self, path):
        one = path["id"]
        known = self.paths.get(str(one))
        if one in self.public:
            name = self.public[one]
        elif known is not None and known["crate_id"] != 0:
            crate = self.crates[str(known["crate_id"])]["name"]
            self.foreign.add("std" if crate in STANDARD else crate)
            name = short(known["path"]) if crate in STANDARD else "::".join(known["path"])
        else:
            name = path["path"]
        return name + self.arguments(path["args"])

    def arguments(self, args):
        if not args:
            return ""
        form, held = next(iter(args.items())) if isinstance(args, dict) else (args, None)
        if form == "parenthesized":
            output = f" -> {self.type(held['output'])}" if held["output"] else ""
            return f"({', '.join(map(self.type, held['inputs']))}){output}"
        if form != "angle_bracketed":
            return f"<{form}>"
        parts = [self.argument(one) for one in held["args"]] + [self.constraint(one) for one in held["constraints"]]
        return f"<{', '.join(parts)}>" if parts else ""

    def argument(self, one):
        if isinstance(one, str):
            return "_"
        form, held = next(iter(one.items()))
        if form == "type":
            return self.type(held)
        return held["expr"] if form == "const" else held

    def constraint(self, one):
        form, held = next(iter(one["binding"].items()))
        name = one["name"] + self.arguments(one["args"])
        return f"{name} = {self.term(held)}" if form == "equality" else f"{name}: {self.bounds(held)}"

    def term(self, held):
        return self.type(held["type"]) if "type" in held else held["constant"]["expr"]

    def type(self, said):
        if isinstance(said, str):
            return "_"
        form, held = next(iter(said.items()))
        return getattr(self, f"of_{form}")(held)

    def of_resolved_path(self, held):
        return self.path(held)

    def of_generic(self, held):
        return held

    def of_primitive(self, held):
        return "!" if held == "never" else held

    def of_tuple(self, held):
        return f"({', '.join(map(self.type, held))}{',' if len(held) == 1 else ''})"

    def of_slice(self, held):
        return f"[{self.type(held)}]"

    def of_array(self, held):
        return f"[{self.type(held['type'])}; {held['len']}]"

    def of_impl_trait(self, held):
        return f"impl {self.bounds(held)}"

    def of_raw_pointer(self, held):
        return f"*{'mut' if held['is_mutable'] else 'const'} {self.type(held['type'])}"

    def of_borrowed_ref(self, held):
        lifetime = f"{held['lifetime']} " if held["lifetime"] else ""
        return f"&{lifetime}{'mut ' if held['is_mutable'] else ''}{self.type(held['type'])}"

    def of_function_pointer(self, held):
        return f"fn{self.call(held['sig'])}"

    def of_dyn_trait(self, held):
        parts = [self.higher(one) + self.path(one["trait"]) for one in held["traits"]]
        return "dyn " + " + ".join(parts + ([held["lifetime"]] if held["lifetime"] else []))

    def of_qualified_path(self, held):
        trait = held["trait"]
        own = self.type(held["self_type"])
        head = f"<{own} as {self.path(trait)}>" if trait and trait["path"] else own
        return f"{head}::{held['name']}{self.arguments(held['args'])}"

    def higher(self, one):
        names = ", ".join(parameter["name"] for parameter in one["generic_params"])
        return f"for<{names}> " if names else ""

    def bound(self, one):
        form, held = next(iter(one.items()))
        if form == "trait_bound":
            mark = {"none": "", "maybe": "?", "maybe_const": "~const "}[held["modifier"]]
            return self.higher(held) + mark + self.path(held["trait"])
        if form == "use":
            return f"use<{', '.join(next(iter(one.values())) if isinstance(one, dict) else one for one in held)}>"
        return held

    def bounds(self, held):
        return " + ".join(map(self.bound, held))

    def parameter(self, one):
        form, held = next(iter(one["kind"].items()))
        if form == "lifetime":
            return one["name"] + (": " + " + ".join(held["outlives"]) if held["outlives"] else "")
        if form == "const":
            return f"const {one['name']}: {self.type(held['type'])}"
        bounds = self.bounds(held["bounds"])
        default = f" = {self.type(held['default'])}" if held["default"] else ""
        return one["name"] + (f": {bounds}" if bounds else "") + default

    def generics(self, held):
        """`<…>` and ` where …`, each empty if there is nothing to say. `impl Trait` stands in the arguments."""
        shown = [one for one in held["params"] if not one["kind"].get("type", {}).get("is_synthetic")]
        parameters = f"<{', '.join(map(self.parameter, shown))}>" if shown else ""
        where = ", ".join(map(self.predicate, held["where_predicates"]))
        return parameters, f" where {where}" if where else ""

    def predicate(self, one):
        form, held = next(iter(one.items()))
        if form == "bound_predicate":
            return f"{self.higher(held)}{self.type(held['type'])}: {self.bounds(held['bounds'])}"
        if form == "lifetime_predicate":
            return f"{held['lifetime']}: {' + '.join(held['outlives'])}"
        return f"{self.type(held['lhs'])} = {self.term(held['rhs'])}"

    def call(self, sig, named=False):
        inputs = ", ".join(f"{name}: {self.type(kind)}" if named else self.type(kind) for name, kind in sig["inputs"])
        return f"({inputs}){' -> ' + self.type(sig['output']) if sig['output'] else ''}"

    def function(self, held, path):
        header = held["header"]
        words = [word for word in ("const", "async", "unsafe") if header[f"is_{word}"]]
        parameters, where = self.generics(held["generics"])
        return " ".join([*words, f"fn {path}{parameters}{self.call(held['sig'], named=True)}{where}"])

    def impl(self, held):
        parameters, where = self.generics(held["generics"])
        return f"impl{parameters} {self.path(held['trait'])} for {self.type(held['for'])}{where}"
