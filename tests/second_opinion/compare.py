"""Holds our verdicts against those of `jose` and `joserfc`, and fails if we accept what both refuse.

    python compare.py FOLDER

It fails, too, if a perfect token is refused by anybody (then the verdicts mean nothing), and if
inspected.json is not exactly the list of mutations on which we are alone: each is looked at once,
and a new one is to be looked at.
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

folder = Path(sys.argv[1])


def lines(name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


cases = lines("tokens.jsonl")
theirs = {name: lines(f"verdicts-{name}.jsonl") for name in ("jose", "joserfc")}
inspected = json.loads((Path(__file__).parent / "inspected.json").read_text())
faults = []

table = Counter()
alone = {"stricter": defaultdict(Counter), "looser": defaultdict(Counter)}
for place, case in enumerate(cases):
    verdicts = {"we": not case["reason"]}
    for name, judged in theirs.items():
        if judged[place]["id"] != case["id"]:
            sys.exit(f"{name}: verdict {place} is for another token")
        verdicts[name] = not judged[place]["reason"]
    table[tuple(verdicts.values())] += 1
    if case["label"] == "good" and not all(verdicts.values()):
        faults.append(f"a perfect token is refused: {case['mutation']}: {verdicts}")
    if verdicts["jose"] == verdicts["joserfc"] != verdicts["we"]:
        how = "looser" if verdicts["we"] else "stricter"
        said = case["reason"] or theirs["jose"][place]["reason"]
        alone[how][case["mutation"]][f"{case['label']}; {said}"] += 1

print(f"{len(cases)} tokens\n  we      jose    joserfc  tokens")
for verdicts, count in sorted(table.items(), reverse=True):
    words = ["accept" if accepted else "refuse" for accepted in verdicts]
    print(f"  {words[0]}  {words[1]}  {words[2]}   {count:6}")

headings = {
    "stricter": "both accept, we refuse",
    "looser": "we accept, both refuse",
}
for how, heading in headings.items():
    print(f"\n{heading}: {sum(sum(found.values()) for found in alone[how].values())}")
    for mutation, found in sorted(alone[how].items()):
        why = inspected[how].get(mutation)
        for said, count in found.items():
            print(f"  {mutation} ({count}; {said})")
        print(f"      {why or 'NOT INSPECTED'}")
        if why is None:
            faults.append(f"{heading}, and nobody looked at it: {mutation}")
    for mutation in inspected[how].keys() - alone[how].keys():
        faults.append(f"inspected.json lists under {how} what is none any more: {mutation}")

for fault in faults:
    print(f"FAULT: {fault}")
sys.exit(bool(faults))
