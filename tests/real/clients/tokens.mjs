// What the scripts of the authorization server share: tokens of it, and calls with them to our server.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { given, pause, visit } from './common.mjs';

export const CALLBACK = 'http://127.0.0.1:3030/callback';
export const metadata = await (await fetch(`${given.issuer}/.well-known/oauth-authorization-server`)).json();

export async function post(url, fields, headers = {}) {
  const answer = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields), signal: AbortSignal.timeout(20_000) });
  const text = await answer.text();
  const body = text.startsWith('{') ? JSON.parse(text) : text;
  assert.ok(answer.ok, `${url}: ${answer.status} ${text}`);
  return body;
}

/** A token of a client that speaks for itself. */
export const robot = (id = 'robot', headers = {}, fields = {}) => post(metadata.token_endpoint, {
  grant_type: 'client_credentials', resource: given.mcp, scope: 'read:issues', ...fields,
}, { authorization: `Basic ${btoa(`${id}:robot-secret`)}`, ...headers });

/** Calls `whoami` as a client of protocol 2026-07-28 would. */
export async function whoami(authorization, headers = {}, url = given.mcp) {
  const answer = await fetch(url, {
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
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), challenge, text, who: data.at(-1)?.result?.structuredContent };
}

export async function accepted(token, expected) {
  const { status, text, who } = await whoami(`Bearer ${token}`);
  assert.equal(status, 200, text);
  assert.deepEqual({ user: who?.user, organization: who?.organization, method: who?.method }, expected, text);
}

/** 401 with a challenge to log in, and no other status. */
export async function refused(authorization, why, headers) {
  const { status, challenge, text } = await whoami(authorization, headers);
  assert.equal(status, 401, text);
  assert.match(challenge, /^Bearer /);
  assert.match(challenge, /resource_metadata="/);
  assert.match(`${challenge} ${text}`, why);
}

export const ROBOT = { user: 'robot', organization: 'acme', method: 'oauth2' };

/** Keys are looked for at once when one is unknown, but not within 10 s of the last time. Seconds it took. */
export async function acceptedSoon(token) {
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
export async function login(client, { scope = 'read:issues', resource = given.mcp, headers = {}, ...more } = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code', client_id: client, redirect_uri: CALLBACK, scope, resource, state: 's',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more,
  });
  const back = await visit(`${metadata.authorization_endpoint}?${query}`);
  assert.ok(back.searchParams.get('code'), String(back));
  return post(metadata.token_endpoint, {
    grant_type: 'authorization_code', client_id: client, code: back.searchParams.get('code'), redirect_uri: CALLBACK,
    code_verifier: verifier, resource,
  }, headers);
}

export async function register(fields = {}) {
  const answer = await fetch(metadata.registration_endpoint, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', client_name: 'script', ...fields }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return (await answer.json()).client_id;
}
