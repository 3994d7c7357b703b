"""Instruction counts: from callgrind's sums to figures, and beside those recorded.

program                  reads cargo's messages, prints where the bench lies
collect FOLDER FILE      reads the sums callgrind left in FOLDER, writes FILE
check SEEN RECORDED      fails where a row of SEEN needs over 3 % more than in RECORDED
"""

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

MORE = 1.03


def program():
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "instructions":
            print(message["executable"])


def collect(folder, file):
    rows = {}
    for number, line in enumerate(Path(folder, "rows").read_text().splitlines(), 1):
        name, times, allocations = line.split()
        text = Path(folder, f"out.{number}").read_text()
        total = int(re.search(r"^totals: (\d+)", text, re.M).group(1))
        rows[name] = {"instructions": round(total / int(times)), "allocations": int(allocations)}
    for name, row in rows.items():
        print(f"{name:32} {row['instructions']:9} instructions {row['allocations']:4} allocations")
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    made = {"rustc": rustc.stdout.split()[1], "arch": platform.machine(), "rows": rows}
    Path(file).write_text(json.dumps(made, indent=1) + "\n")


def check(seen, recorded):
    seen, recorded = (json.loads(Path(file).read_text()) for file in (seen, recorded))
    accept = "If that is meant, accept it with scripts/bench --record and commit benches/instructions.json."
    if seen["arch"] != recorded["arch"]:
        sys.exit(f"recorded on {recorded['arch']}, this is {seen['arch']}: counts cannot be compared.")
    wrong = []
    for name in seen["rows"].keys() | recorded["rows"].keys():
        if name not in seen["rows"]:
            wrong.append(f"{name}: recorded, but not measured any more")
        elif name not in recorded["rows"]:
            wrong.append(f"{name}: measured, but not recorded")
        else:
            wrong += compare(name, seen["rows"][name], recorded["rows"][name])
    if not wrong:
        print(f"{len(seen['rows'])} rows: none needs over 3 % more instructions, or one allocation more, than recorded")
        return
    print("\n".join(sorted(wrong)), file=sys.stderr)
    if seen["rustc"] != recorded["rustc"]:
        print(f"Recorded with rustc {recorded['rustc']}, this is {seen['rustc']}.", file=sys.stderr)
    sys.exit(accept)


def compare(name, seen, recorded):
    wrong = []
    now, then = seen["instructions"], recorded["instructions"]
    if now > then * MORE:
        wrong.append(f"{name}: recorded {then} instructions, seen {now} ({now / then - 1:+.1%})")
    elif now * MORE < then:
        print(f"{name}: {now} instructions, recorded {then} ({now / then - 1:+.1%}); scripts/bench --record keeps that")
    if seen["allocations"] > recorded["allocations"]:
        wrong.append(f"{name}: recorded {recorded['allocations']} allocations, seen {seen['allocations']}")
    return wrong


{"program": program, "collect": collect, "check": check}[sys.argv[1]](*sys.argv[2:])
