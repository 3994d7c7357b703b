"""FastMCP's JWTVerifier, in process: no socket, no router."""

import asyncio
import json
import logging
import platform
import statistics
import sys
import time

from fastmcp.server.auth.providers.jwt import JWTVerifier

CALLS = 200


async def main(file: str, rounds: int) -> None:
    logging.disable(logging.CRITICAL)
    with open(file, encoding="utf-8") as text:
        fixture = json.load(text)
    # A fixed public key spares it the look-up of a key. It looks at no `typ` and knows no leeway.
    verifier = JWTVerifier(
        public_key=fixture["pem"],
        issuer=fixture["issuer"],
        audience=fixture["audience"],
        algorithm="RS256",
    )
    if await verifier.verify_token(fixture["token"]) is None:
        sys.exit("FastMCP refused a good token")
    if await verifier.verify_token(fixture["bad_token"]) is not None:
        sys.exit("FastMCP accepted a bad signature")
    times = []
    for turn in range(-2, rounds):
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            if await verifier.verify_token(fixture["token"]) is None:
                sys.exit("FastMCP refused a good token")
        if turn >= 0:
            times.append((time.perf_counter_ns() - start) / CALLS)
    row = {
        "layer": "FastMCP JWTVerifier",
        "row": "rs256",
        "ns": round(statistics.median(times)),
        "runtime": f"python {platform.python_version()}",
    }
    print(json.dumps(row))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
