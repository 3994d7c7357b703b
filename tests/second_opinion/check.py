"""What PyPI `joserfc` says of the tokens in FOLDER: one verdict a line, in the order of tokens.jsonl.

    python check.py FOLDER
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

warnings.simplefilter("ignore")  # it warns of EdDSA's older name, which is ours to choose

folder = Path(sys.argv[1])
rules = json.loads((folder / "rules.json").read_text())
keys = KeySet.import_key_set(json.loads((folder / "jwks.json").read_text()))
claims = {name: {"essential": True} for name in rules["required"]}
claims["iss"] = {"essential": True, "value": rules["issuer"]}
claims["aud"] = {"essential": True, "values": rules["audiences"]}
registry = jwt.JWTClaimsRegistry(now=rules["now"], leeway=rules["tolerance"], **claims)

# Without the limits that are this library's own: not the size of a header, but what it says.
headers = JWSRegistry(algorithms=rules["algorithms"], strict_check_header=False)
headers.max_header_length = headers.max_payload_length = headers.max_signature_length = 64 * 1024


def media_type(typ):
    """As `jose` compares it (RFC 7515, section 4.1.9); this library leaves `typ` to its user."""
    typ = typ.lower() if isinstance(typ, str) else ""
    return typ.removeprefix("application/")


def judge(token):
    decoded = jwt.decode(token, keys, algorithms=rules["algorithms"], registry=headers)
    if media_type(decoded.header.get("typ")) != rules["typ"]:
        raise ValueError("typ")
    registry.validate(decoded.claims)


verdicts = []
for line in (folder / "tokens.jsonl").read_text().splitlines():
    case = json.loads(line)
    reason = ""
    try:
        judge(case["token"])
    except Exception as error:  # whatever it raises is a refusal, be it meant or not
        reason = f"{type(error).__name__}: {error}"
    verdicts.append(json.dumps({"id": case["id"], "reason": reason}))
(folder / "verdicts-joserfc.jsonl").write_text("\n".join(verdicts) + "\n")
print(f"joserfc {version('joserfc')} judged {len(verdicts)} tokens")
