"""The goals of this crate's speed, from the figures the benches left.

report.py FIGURES CRITERION OUT   prints the goals; writes performance.md and performance.svg into OUT
"""

import datetime
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import chart

WARM = ["warm/RS256", "warm/ES256", "warm/EdDSA", "warm/service_key", "warm/personal"]
ALGORITHMS = ["RS256", "ES256", "EdDSA"]
# Not peers in the peers' figures: the floor, and what is ours.
OURS = {"bare", "raw_verify", "ours", "ours_without_cache"}
# Not peers either, but measured: what other languages have.
ELSEWHERE = ("typescript", "fastmcp")
# The row of the peers' figures in which somebody who remembers nothing is asked the same.
FIRST = {"RS256": "first_sight", "ES256": "first_sight_es256", "EdDSA": "first_sight_eddsa"}


class Figures:
    """What the benches left; a goal whose figures are missing raises KeyError."""

    def __init__(self, folder):
        read = lambda file: json.loads(file.read_text())
        self.benches = {file.stem: read(file) for file in Path(folder).glob("*.json")}
        if "instructions" not in self.benches:
            self.benches["instructions"] = read(Path("benches/instructions.json"))

    def goal(self, row, figure="ratio"):
        return self.benches["goals"][row][figure]

    def counted(self, row, figure):
        return self.benches["instructions"]["rows"][row][figure]

    def peers(self):
        """{row: {layer: ns}}"""
        rows = {}
        for bench in ("peers", "others"):
            for row in self.benches.get(bench, {}).get("rows", []):
                rows.setdefault(row["row"], {})[row["layer"]] = row["ns"]
        return rows

    def fastest_peer(self, row):
        rows = self.peers()[row]
        others = [ns for name, ns in rows.items() if name not in OURS and not is_elsewhere(name)]
        if not others:
            raise KeyError(row)
        return min(others)


def is_elsewhere(layer):
    return any(name in layer.lower() for name in ELSEWHERE)


# Each part of a goal: what is measured, how far it may go ("<=" or ">="), and the figure.
def p1(f):
    for row in WARM:
        yield f"{row}, times N", "<=", 3.0, f.goal(row)
    for row in ("warm/RS256", "warm/ES256", "warm/service_key", "warm/personal"):
        more = lambda figure, base: f.counted(row, figure) - f.counted(base, figure)
        yield f"{row}, instructions over N", "<=", 3000, more("instructions", "bare")
        yield f"{row}, allocations over an entry in the extensions", "<=", 0, more("allocations", "bare_with_entry")


def p2(f):
    for algorithm, least in (("RS256", 60), ("ES256", 120), ("EdDSA", 90)):
        row = algorithm.lower()
        yield f"{algorithm}, times faster than the fastest peer", ">=", least, f.fastest_peer(row) / f.peers()[row]["ours"]
    for name, least in zip(ELSEWHERE, (500, 400)):
        rows = f.peers()["rs256"]
        for layer in (layer for layer in rows if name in layer.lower()):
            yield f"RS256, times faster than {layer}", ">=", least, rows[layer] / rows["ours"]


def p3(f):
    for algorithm, most in (("RS256", 1.12), ("ES256", 1.06), ("EdDSA", 1.06)):
        yield f"first sight of {algorithm}, times V", "<=", most, f.goal(f"first_sight/{algorithm}")
    for algorithm in ("RS256", "ES256"):
        more = f.counted(f"first_sight/{algorithm}", "allocations") - f.counted("bare", "allocations")
        yield f"first sight of {algorithm}, allocations over N", "<=", 10, more
    for algorithm, row in FIRST.items():
        if row in f.peers():
            ratio = f.peers()[row]["ours"] / f.fastest_peer(algorithm.lower())
            yield f"first sight of {algorithm}, of the fastest peer", "<=", 0.75, ratio


def p4(f):
    for row, most in (("missing", 1.7), ("garbage", 2.1), ("unknown_kid", 6), ("expired", 11)):
        yield f"{row}, times N", "<=", most, f.goal(f"refused/{row}")
    yield "bad_signature, times V", "<=", 1.12, f.goal("refused/bad_signature")


def p5(f):
    for row in ("warm/RS256", "warm/service_key"):
        yield f"{row}, throughput of the bare server", ">=", 0.9, f.benches["wire"][row]["of_bare"]


def p6(f):
    contention = f.benches["contention"]
    memory = contention["memory"]
    yield "two threads, throughput of one", ">=", 1.6, contention["zipf/2"]["of_one"]
    yield "hit ratio over moka's", ">=", -0.005, memory["hit_ratio"] - memory["moka_hit_ratio"]
    yield "bytes held for a token", "<=", 512, memory["held_bytes"]


def p7(f):
    for change, row in f.benches["churn"].items():
        if change != "steady":
            yield f"{change}, p99 of steady", "<=", 1.25, row["p99"]["ratio"]
            yield f"{change}, p99.9 of steady", "<=", 2, row["p99.9"]["ratio"]


def p8(f):
    yield "call of 1 KiB judged, ns over passing it", "<=", 3000, f.goal("call_1k/rules_10", "more_ns")
    yield "allocations of 1,000 frames", "<=", 0, f.benches["streams"]["allocations_of_1000_frames"]


def p9(f):
    rows = ("issuers/1000", "organizations/100000", "call_1k/rules_2000", "list_46b/rules_2000")
    for row in rows:
        yield f"{row}, times few", "<=", 1.2, f.goal(row)


def p10(f):
    build = {row["layer"]: row for row in f.benches["build"]["rows"]}
    ours, lean = build["hello-ours"], build["hello-lean"]
    yield "crates", "<=", 95, ours["crates"]
    if lean["seconds"]:
        yield "build time of the leanest peer's", "<=", 1.3, ours["seconds"] / lean["seconds"]


def p11(f):
    yield "metrics to an exporter and an INFO subscriber, times neither", "<=", 1.1, f.benches["telemetry"]["warm/metrics+info"]["ratio"]


GOALS = [
    ("P1", "a known credential costs little more than a no-op service (N)", p1),
    ("P2", "a known token is judged many times faster than by any peer", p2),
    ("P3", "the first sight of a token costs its signature (V), and little else", p3),
    ("P4", "a refusal costs no more than letting in", p4),
    ("P5", "a server on loopback keeps its throughput", p5),
    ("P6", "two threads, more tokens than fit", p6),
    ("P7", "changes under load are not noticed", p7),
    ("P8", "judging an operation costs little, passing a stream nothing", p8),
    ("P9", "cost grows with work, not with configuration", p9),
    ("P10", "a lean build", p10),
    ("P11", "being watched costs little", p11),
]


def judge(figures):
    """[(number, what it says, verdict, parts)] with parts [(what, sign, bound, figure, holds)]"""
    judged = []
    for number, says, parts_of in GOALS:
        parts, complete = [], True
        try:
            for what, sign, bound, figure in parts_of(figures):
                holds = figure <= bound if sign == "<=" else figure >= bound
                parts.append((what, sign, bound, figure, holds))
        except KeyError:
            complete = False
        if not all(part[-1] for part in parts):
            verdict = "short"
        else:
            verdict = "pass" if complete and parts else "not measured"
        judged.append((number, says, verdict, parts))
    return judged


def shown(figure):
    """Three digits, or whole numbers."""
    if abs(figure) >= 100 or float(figure).is_integer():
        return f"{figure:,.0f}"
    return f"{figure:.2f}" if abs(figure) >= 1 else f"{figure:.3f}"


def bound_shown(sign, bound):
    return f"{'≤' if sign == '<=' else '≥'} {bound:,g}"


def print_goals(judged):
    for number, says, verdict, parts in judged:
        print(f"{number:4}{verdict:13}{says}")
        for what, sign, bound, figure, holds in parts:
            print(f"      {'' if holds else 'short':7}{what:56}{bound_shown(sign, bound):>10}  {shown(figure)}")


def table(head, rows):
    align = ["---"] + ["---:"] * (len(head) - 1)
    lines = [head, align] + [[str(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def notes():
    text = Path(__file__).with_name("notes.md").read_text()
    return dict(re.findall(r"^## (P\d+)\n+(.*?)\s*(?=^## |\Z)", text, re.M | re.S))


def goals_text(judged):
    rows = [(number, says, f"**{verdict}**" if verdict == "short" else verdict) for number, says, verdict, _ in judged]
    text = table(["goal", "what it says", "verdict"], rows).replace("---: | ---: |", "--- | --- |")
    explained = notes()
    for number, says, verdict, parts in judged:
        if not parts:
            continue
        text += f"\n### {number}: {says}\n\n"
        text += table(
            ["what", "goal", "figure", ""],
            [(what, bound_shown(sign, bound), shown(figure), "" if holds else "short") for what, sign, bound, figure, holds in parts],
        )
        if verdict == "short":
            text += "\n" + explained.get(number, "Not explained yet.") + "\n"
    return text


def turns_text(figures, bench):
    rows = figures.benches.get(bench, {})
    made = [
        (name, f"{row['ns']:,.0f}", shown(row["ratio"]), f"{row['more_ns']:,.0f}", row["against"])
        for name, row in rows.items()
    ]
    return table(["row", "ns", "ratio", "ns more", "than"], made)


def counts_text(figures):
    rows = figures.benches["instructions"]["rows"]
    base = rows["bare"]["instructions"]
    made = [(name, f"{row['instructions']:,}", f"{row['instructions'] - base:,}", row["allocations"]) for name, row in rows.items()]
    return table(["row", "instructions", "over bare", "allocations"], made)


def criterion_text(folder):
    groups = {}
    for file in sorted(Path(folder).glob("*/*/new/benchmark.json")):
        benchmark = json.loads(file.read_text())
        nanos = json.loads(file.with_name("estimates.json").read_text())["median"]["point_estimate"]
        groups.setdefault(benchmark["group_id"], {})[benchmark["function_id"]] = nanos
    text = ""
    for name in ("hit_path", "miss_path", "refusal", "tool_rules", "scaling"):
        rows = groups.get(name)
        if rows:
            base = rows.get("bare")
            text += f"\n`{name}`\n\n"
            made = [(row, f"{nanos:,.0f}", shown(nanos / base) if base else "") for row, nanos in sorted(rows.items(), key=lambda pair: pair[1])]
            text += table(["row", "ns", "of bare"], made)
    return text


def peers_text(figures):
    rows = figures.peers()
    if not rows:
        return "No figures of peers in this run.\n"
    layers = list(dict.fromkeys(layer for row in rows.values() for layer in row))
    columns = list(rows)
    cell = lambda row, layer: f"{rows[row][layer] / 1e3:,.2f}" if layer in rows[row] else ""
    return table(["µs"] + columns, [[layer] + [cell(row, layer) for row in columns] for layer in layers])


def others_text(figures):
    text = ""
    benches = figures.benches
    if "wire" in benches:
        text += "\nRequests a second over HTTP/1.1 on loopback, 16 connections.\n\n"
        text += table(["row", "requests/s", "of bare"], [(name, f"{row['per_second']:,.0f}", shown(row["of_bare"])) for name, row in benches["wire"].items()])
    if "contention" in benches:
        rows = dict(benches["contention"])
        memory = rows.pop("memory")
        text += "\nRequests a second of more threads; `zipf` is 100,000 tokens, of which not all fit.\n\n"
        text += table(["row/threads", "requests/s", "of one thread"], [(name, f"{row['per_second']:,.0f}", shown(row["of_one"])) for name, row in rows.items()])
        text += (
            f"\nOf 100,000 tokens a cache of the default size keeps {memory['kept']:,}, each in {memory['held_bytes']:.0f} bytes "
            f"({memory['counted_bytes']:.0f} as the cache counts them); {memory['hit_ratio']:.1%} of requests find theirs, "
            f"with moka {memory['moka_hit_ratio']:.1%}.\n"
        )
    if "churn" in benches:
        text += "\nMicroseconds of a request over loopback while something changes fifty times a second.\n\n"
        at = ("p50", "p99", "p99.9")
        text += table(["change", *at, *(f"{name} of steady" for name in at)], [
            [name, *(f"{row[part]['us']:,.0f}" for part in at), *(shown(row[part]["ratio"]) for part in at)] for name, row in benches["churn"].items()
        ])
    if "streams" in benches:
        row = benches["streams"]
        text += (
            f"\nAn open event stream holds {row['bytes_leased']} bytes beside its `AuthContext`, "
            f"{row['bytes_not_leased']} with `close_streams(false)`.\n"
        )
    return text


STORES_LED = """Nothing is remembered here. `cold token` is a request with a token that was never seen, by the whole layer, one
after the other; the other rows are calls of the store alone. A database in memory of its server (`scripts/services`:
fsync off), SQLite in a file with `synchronous = FULL`. Microseconds.

"""

STORES_POOL = """
A `SqlStore` holds 16 connections to Postgres unless told otherwise. A cold token takes three turns of them: its
record, its organization's policy, and a note of its use, which no request waits for; every turn is two round trips,
because a connection is asked whether it is still one. So 16 connections look up about 16 / (turns × time of a
turn) tokens a second: the rows of more at a time below say how many that is. Beyond, 64 reads at a time wait for a
connection, 200 ms at most, and 256 more for those; what comes then is answered 503. Raise `max_connections` if cold
tokens are many, as after a start with all traffic at once; known ones need none.
"""


def stores_text(figures):
    rows = figures.benches.get("stores")
    if not rows:
        return "No figures of stores in this run.\n"
    stores = list(dict.fromkeys(store for row in rows.values() for store in row))
    cell = lambda row, store, at: f"{row[store][at]:,.1f}" if store in row else ""
    columns = [f"{store} {at}" for store in stores for at in ("p50", "p99")]
    text = STORES_LED + table(["µs", *columns], [
        [name, *(cell(row, store, f"{at}_us") for store in stores for at in ("p50", "p99"))] for name, row in rows.items()
    ])
    if "Postgres" not in stores:
        text += "\nWithout Postgres: there was none.\n"
    return text + STORES_POOL + million_text(figures)


def million_text(figures):
    million = figures.benches.get("stores_million")
    if not million:
        return ""
    memory, mib = million["memory"], lambda bytes: f"{bytes / 2**20:,.0f} MiB"
    text = (
        f"\n{million['tokens']:,} tokens of {million['organizations']:,} organizations in Postgres, each asked for once, with a "
        "policy that is cold, too. Goal: p99 of one at a time ≤ 2 ms.\n\n"
    )
    text += table(["at a time", "tokens", "p50 µs", "p99 µs", "max µs", "a second", "refused"], [
        [row["at_a_time"], f"{row['times']:,}", *(f"{row[at]:,.0f}" for at in ("p50_us", "p99_us", "max_us", "per_second")), row["refused"]]
        for row in million["lookups"]
    ])
    return text + (
        f"\nThe process held {mib(memory['empty_bytes'])} before and {mib(memory['full_bytes'])} with {memory['records']:,} records kept, as "
        f"many as are kept at all: {memory['bytes_per_record']:,.0f} bytes for a record, its policy and what is remembered of the token. "
        f"After {memory['asked']:,} tokens it held {mib(memory['asked_bytes'])}.\n"
    )


def versions_shown(versions):
    return versions if isinstance(versions, str) else " and ".join(versions)


def machine_text(figures):
    cpu = "unknown CPU"
    try:
        cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M).group(1)
    except (OSError, AttributeError):
        pass
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    lock = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', Path("Cargo.lock").read_text()))
    names = ("aws-lc-rs", "jsonwebtoken", "quick_cache", "moka", "polyval", "http", "hyper", "tokio", "tower")
    ours = ", ".join(f"{name} {lock[name]}" for name in names if name in lock)
    text = f"{datetime.date.today()}, {os.cpu_count()} cores of {cpu}, {platform.system()} on {platform.machine()}, rustc {rustc}; {ours}."
    peers = {}
    for bench in ("peers", "others"):
        versions = figures.benches.get(bench, {}).get("versions")
        peers |= versions if isinstance(versions, dict) else {}
    if figures.benches.get("run", {}).get("short"):
        text += " **Short runs (`scripts/bench --quick`): to look at, not to quote.**"
    if peers:
        text += " Peers: " + ", ".join(f"{name} {versions_shown(version)}" for name, version in peers.items()) + "."
    return text


HEAD = """# Performance

Written by `scripts/bench`; do not edit. The machine's speed drifts, so read the ratios: all rows of a table
but those of criterion took turns in one run. N is a service that does nothing, with the request made
for each call; V is the signature's verification alone, by aws-lc-rs with a key parsed before.

"""


WATCHED = """
The same of a server that is watched: a recorder that counts nothing, metrics of a Prometheus exporter, subscribers that
format every span and event of a level and write nowhere. What they say is in [telemetry.md](telemetry.md).

"""


def document(figures, judged, criterion):
    text = HEAD + machine_text(figures) + "\n\n![µs a request, over the bare service](performance.svg)\n\n## Goals\n\n"
    text += goals_text(judged)
    text += "\n## Peers, same requests, same run\n\n" + peers_text(figures)
    text += "\n## Rows in turns\n\n" + turns_text(figures, "goals")
    text += WATCHED + turns_text(figures, "telemetry")
    text += "\n## Under load\n" + others_text(figures)
    text += "\n## Stores\n\n" + stores_text(figures)
    text += (
        "\n## Instructions\n\nCounted by callgrind, whose processor has no SHA instructions: rows that hash (API tokens) need\n"
        "fewer on a real one. `scripts/bench --check` fails where a row needs over 3 % more than these.\n\n"
    )
    text += counts_text(figures)
    single = criterion_text(criterion)
    if single:
        text += "\n## Single rows, by criterion\n\nOne after the other: good for one row, not for a ratio of a few per cent.\n" + single
    return text


def main(folder, criterion, out):
    figures = Figures(folder)
    judged = judge(figures)
    print_goals(judged)
    Path(out, "performance.md").write_text(document(figures, judged, criterion))
    Path(out, "performance.svg").write_text(chart.draw(chart.bars(figures)))
    print(f"\nwritten: {out}/performance.md, {out}/performance.svg")


main(*sys.argv[1:])
