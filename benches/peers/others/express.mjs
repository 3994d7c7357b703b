// The TypeScript SDK's requireBearerAuth with a verifier made of jose, in process: no socket, no router.
import { readFileSync } from "node:fs";
import { requireBearerAuth } from "@modelcontextprotocol/express";
import { OAuthError, OAuthErrorCode } from "@modelcontextprotocol/server";
import { createLocalJWKSet, jwtVerify } from "jose";

const fixture = JSON.parse(readFileSync(process.argv[2], "utf8"));
const [rounds, calls] = [Number(process.argv[3]), 200];
const keys = createLocalJWKSet(fixture.jwks);
const rules = {
  issuer: fixture.issuer,
  audience: fixture.audience,
  algorithms: ["RS256"],
  typ: "at+jwt",
  clockTolerance: 60,
  requiredClaims: ["exp", "iss", "aud", "sub"],
};

const verifier = {
  async verifyAccessToken(token) {
    try {
      const { payload } = await jwtVerify(token, keys, rules);
      const scopes = (payload.scope ?? "").split(" ");
      return { token, clientId: payload.client_id, scopes, expiresAt: payload.exp, extra: { sub: payload.sub } };
    } catch (error) {
      throw new OAuthError(OAuthErrorCode.InvalidToken, error.message);
    }
  },
};
const middleware = requireBearerAuth({ verifier });

/** The status of one request: 200 if the middleware passes it on. */
async function answer(token) {
  let status = 0;
  const response = {
    set: () => response,
    status: (code) => ((status = code), response),
    json: () => response,
  };
  await middleware({ headers: { authorization: `Bearer ${token}` } }, response, () => (status = 200));
  return status;
}

for (const [token, expected] of [[fixture.token, 200], [fixture.bad_token, 401]]) {
  const status = await answer(token);
  if (status !== expected) throw new Error(`express answered ${status}, expected ${expected}`);
}
const times = [];
for (let round = -5; round < rounds; round++) {
  const start = process.hrtime.bigint();
  for (let call = 0; call < calls; call++) {
    if ((await answer(fixture.token)) !== 200) throw new Error("a good token was refused");
  }
  // The first rounds are for the compiler.
  if (round >= 0) times.push(Number(process.hrtime.bigint() - start) / calls);
}
times.sort((a, b) => a - b);
const ns = Math.round(times[Math.floor(times.length / 2)]);
console.log(JSON.stringify({ layer: "typescript requireBearerAuth + jose", row: "rs256", ns, runtime: `node ${process.version}` }));
