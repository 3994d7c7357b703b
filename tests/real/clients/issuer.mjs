// What `oidc-provider` issues, shown to our server without any client: every algorithm and kind of
// token, and what must be refused.

import assert from 'node:assert/strict';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import * as jose from 'jose';
import { control, given, main, pause, visit } from './common.mjs';

const CALLBACK = 'http://127.0.0.1:3030/callback';
const metadata = await (await fetch(`${given.issuer}/.well-known/oauth-authorization-server`)).json();

async function post(url, fields, headers = {}) {
  const answer = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields), signal: AbortSignal.timeout(20_000) });
  const text = await answer.text();
  const body = text.startsWith('{') ? JSON.parse(text) : text;
  assert.ok(answer.ok, `${url}: ${answer.status} ${text}`);
  return body;
}

/** A token of a client that speaks for itself. */
const robot = (id = 'robot', headers = {}, fields = {}) => post(metadata.token_endpoint, {
  grant_type: 'client_credentials', resource: given.mcp, scope: 'read:issues', ...fields,
}, { authorization: `Basic ${btoa(`${id}:robot-secret`)}`, ...headers });

/** Calls `whoami` as a client of protocol 2026-07-28 would. */
async function whoami(authorization, headers = {}) {
  const answer = await fetch(given.mcp, {
    method: 'POST',
    headers: {
      authorization, 'content-type': 'application/json', accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'whoami', ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0', id: 1, method: 'tools/call',
      params: {
        name: 'whoami', arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'real', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await answer.text();
  const challenge = answer.headers.get('www-authenticate') ?? '';
  const data = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)));
  return { status: answer.status, challenge, text, who: data.at(-1)?.result?.structuredContent };
}

async function accepted(token, expected) {
  const { status, text, who } = await whoami(`Bearer ${token}`);
  assert.equal(status, 200, text);
  assert.deepEqual({ user: who?.user, organization: who?.organization, method: who?.method }, expected, text);
}

/** 401 with a challenge to log in, and no other status. */
async function refused(authorization, why, headers) {
  const { status, challenge, text } = await whoami(authorization, headers);
  assert.equal(status, 401, text);
  assert.match(challenge, /^Bearer /);
  assert.match(challenge, /resource_metadata="/);
  assert.match(`${challenge} ${text}`, why);
}

const ROBOT = { user: 'robot', organization: 'acme', method: 'oauth2' };

/** Keys are looked for at once when one is unknown, but not within 10 s of the last time. Seconds it took. */
async function acceptedSoon(token) {
  const begun = performance.now();
  for (;;) {
    const { status, text } = await whoami(`Bearer ${token}`);
    const seconds = (performance.now() - begun) / 1000;
    if (status === 200) return seconds;
    assert.equal(status, 401, text);
    assert.ok(seconds < 20, text);
    await pause(250);
  }
}

/** A person logs in at a client; what the token endpoint says. */
async function login(client, { scope = 'read:issues', headers = {}, ...more } = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code', client_id: client, redirect_uri: CALLBACK, scope, resource: given.mcp, state: 's',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more,
  });
  const back = await visit(`${metadata.authorization_endpoint}?${query}`);
  assert.ok(back.searchParams.get('code'), String(back));
  return post(metadata.token_endpoint, {
    grant_type: 'authorization_code', client_id: client, code: back.searchParams.get('code'), redirect_uri: CALLBACK,
    code_verifier: verifier, resource: given.mcp,
  }, headers);
}

async function register(fields = {}) {
  const answer = await fetch(metadata.registration_endpoint, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', client_name: 'script', ...fields }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return (await answer.json()).client_id;
}

await main({
  async algorithms() {
    const seen = [];
    for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
      await control({ alg });
      const { access_token: token } = await robot();
      const header = jose.decodeProtectedHeader(token);
      assert.deepEqual([header.alg, header.typ], [alg, 'at+jwt']);
      await accepted(token, ROBOT);
      const [head, claims, signature] = token.split('.');
      const other = (signature[10] === 'A' ? 'B' : 'A');
      await refused(`Bearer ${head}.${claims}.${signature.slice(0, 10)}${other}${signature.slice(11)}`, /invalid_token/);
      seen.push(alg);
    }
    return seen.join(', ');
  },

  async client_credentials() {
    const { access_token: token } = await robot();
    await accepted(token, ROBOT);
    const other = await robot('robot', {}, { resource: 'http://127.0.0.1:1/mcp' });
    await refused(`Bearer ${other.access_token}`, /invalid_token/);
    return 'and a token for another resource is refused';
  },

  async client_document() {
    assert.equal(metadata.client_id_metadata_document_supported, true);
    const client = 'https://client.example/app.json';
    await control({ documents: { [client]: {
      client_id: client, client_name: 'A documented client', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'], response_types: ['code'],
    } } });
    const tokens = await login(client);
    assert.equal(jose.decodeJwt(tokens.access_token).client_id, client);
    await accepted(tokens.access_token, { user: 'alice', organization: 'acme', method: 'oauth2' });
    return client;
  },

  async key_rotation() {
    const before = (await robot()).access_token;
    await accepted(before, ROBOT);
    await control({ rotate: 'overlap' });
    const between = (await robot()).access_token;
    assert.notEqual(jose.decodeProtectedHeader(between).kid, jose.decodeProtectedHeader(before).kid);
    const overlapping = await acceptedSoon(between);
    await accepted(before, ROBOT);
    await control({ rotate: 'abrupt' });
    const abrupt = await acceptedSoon((await robot()).access_token);
    await refused(`Bearer ${before}`, /invalid_token/);
    return `new keys are taken after ${overlapping.toFixed(1)} s and ${abrupt.toFixed(1)} s, withdrawn ones are refused`;
  },

  async id_token() {
    const client = await register();
    const tokens = await login(client, { scope: 'openid read:issues' });
    await refused(`Bearer ${tokens.id_token}`, /invalid_token/);
    await accepted(tokens.access_token, { user: 'alice', organization: 'acme', method: 'oauth2' });
    return 'an ID token is no access token';
  },

  async opaque() {
    await control({ format: 'opaque' });
    const { access_token: token } = await robot();
    assert.ok(!token.includes('.'), token);
    await refused(`Bearer ${token}`, /invalid_token|authentication_required/);
    // Asked as another server would ask, it is good, and then it is revoked.
    const asks = { authorization: `Basic ${btoa('resource-server:resource-secret')}` };
    const said = await post(metadata.introspection_endpoint, { token }, asks);
    assert.deepEqual([said.active, said.client_id, said.aud], [true, 'robot', given.mcp]);
    await post(metadata.revocation_endpoint, { token }, { authorization: `Basic ${btoa('robot:robot-secret')}` });
    assert.equal((await post(metadata.introspection_endpoint, { token }, asks)).active, false);
    return 'refused with 401 and a challenge';
  },

  async dpop() {
    const { privateKey, publicKey } = await jose.generateKeyPair('ES256');
    const jwk = await jose.exportJWK(publicKey);
    const proof = (htm, htu, more = {}) => new jose.SignJWT({ htm, htu, jti: randomBytes(16).toString('hex'), ...more })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk }).setIssuedAt().sign(privateKey);
    const tokens = await robot('robot', { dpop: await proof('POST', metadata.token_endpoint) });
    const token = tokens.access_token;
    assert.equal(tokens.token_type, 'DPoP');
    assert.ok(jose.decodeJwt(token).cnf.jkt);
    await refused(`Bearer ${token}`, /invalid_token/);
    const ath = createHash('sha256').update(token).digest('base64url');
    const bound = await proof('POST', given.mcp, { ath });
    // A proof beside a plain Bearer token makes no difference: the downgrade is refused.
    await refused(`Bearer ${token}`, /invalid_token/, { dpop: bound });
    const { status } = await whoami(`DPoP ${token}`, { dpop: bound });
    assert.equal(status, 401, 'proofs are not understood yet');
    return 'a bound token is refused as a plain one; with its proof: 401, proofs are not understood yet';
  },

  /**
   * Some clients (Python's httpx) send head and body of a request apart, and use the connection again
   * as soon as they have read the refusal. If it is about to be closed, the refusal must say so.
   */
  async early_refusal() {
    const { hostname, port, host } = new URL(given.mcp);
    const message = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
    const head = `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n`;
    const second = `GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const socket = connect(Number(port), hostname);
    socket.setNoDelay(true);
    let got = '';
    let ended = false;
    socket.setEncoding('latin1').on('data', (chunk) => { got += chunk; });
    socket.on('close', () => { ended = true; }).on('error', () => {});
    const until = async (what, condition) => {
      for (let tries = 200; !condition(); tries -= 1) {
        assert.ok(tries > 0 && !ended, `${what}: the connection ${ended ? 'was closed' : 'is silent'} after ${JSON.stringify(got)}`);
        await pause(10);
      }
    };
    socket.write(`${head}Content-Length: ${message.length}\r\n\r\n`);
    await pause(20); // the packet with the body is a little late
    socket.write(message);
    await until('the refusal', () => got.includes('"request_id"'));
    assert.match(got, /^HTTP\/1.1 401/);
    if (/^connection: close/im.test(got)) return 'the refusal says that the connection closes';
    got = '';
    socket.write(second);
    await until('the next request on the same connection', () => got.includes('authorization_servers'));
    socket.destroy();
    return 'the connection of the refusal takes the next request';
  },

  async mtls() {
    const pem = await readFile(new URL('issuer/certificate.pem', import.meta.url), 'utf8');
    const thumbprint = createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url');
    const certificate = encodeURIComponent(pem); // what a TLS terminator would hand on
    const { access_token: token } = await robot('bound-robot', { 'x-client-certificate': certificate });
    assert.equal(jose.decodeJwt(token).cnf['x5t#S256'], thumbprint);
    await refused(`Bearer ${token}`, /invalid_token/);
    return 'a token bound to a certificate is refused as a plain one';
  },
});
