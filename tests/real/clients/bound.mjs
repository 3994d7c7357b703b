// The server that asks the issuer about opaque tokens, and takes tokens that are bound to a key or a
// certificate: what it lets in, and every stolen, replayed and downgraded variant.

import assert from 'node:assert/strict';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { rootCertificates } from 'node:tls';
import * as jose from 'jose';
import { ask, control, given, pause } from './common.mjs';
import { ROBOT, login, metadata, post, register, robot, whoami } from './tokens.mjs';

const HERE = given.mcp_checking;
const LIFETIME = 1000; // ms: how long this server believes an answer, see `server/main.rs`
const CERTIFIED = { ...ROBOT, user: 'bound-robot' };
const OWN_PASSWORD = { authorization: `Basic ${btoa('robot:robot-secret')}` };

const call = (authorization, headers) => whoami(authorization, headers, HERE);
const tokenOf = async (id, headers, fields) => (await robot(id, headers, { resource: HERE, ...fields })).access_token;
const opaque = async (...more) => {
  const token = await tokenOf(...more);
  assert.ok(!token.includes('.'), token);
  return token;
};
const digest = (text) => createHash('sha256').update(text).digest('base64url');
/** What this server answered since the last time, with its reasons. */
const log = () => ask(`${given.admin_checking}/log`);

function isWho({ status, text, who }, expected) {
  assert.equal(status, 200, text);
  assert.deepEqual({ user: who?.user, organization: who?.organization, method: who?.method }, expected, text);
}
const passes = async (authorization, headers, expected = ROBOT) => isWho(await call(authorization, headers), expected);

/** 401 for exactly this reason. The fault stands on the line of the scheme that was used, and only there. */
async function fails(reason, authorization, headers, error = 'invalid_token') {
  await log();
  const { status, text } = await call(authorization, headers);
  const [line] = await log();
  assert.deepEqual([status, line.status, line.reason], [401, 401, reason], text);
  const [bearer, dpop] = line.challenges;
  assert.equal(line.challenges.length, 2, line.challenges);
  assert.match(bearer, /^Bearer .*resource_metadata="/);
  assert.match(dpop, /^DPoP .*algs="ES256 EdDSA"/);
  const [named, silent] = authorization.startsWith('DPoP ') ? [dpop, bearer] : [bearer, dpop];
  assert.ok(named.includes(`error="${error}"`), named);
  assert.doesNotMatch(silent, /error=/);
}

/** 503 that asks to come again: a client that got 401 would throw a good token away. */
async function isPutOff(token) {
  await log();
  const { status, retryAfter, challenge, text } = await call(`Bearer ${token}`);
  assert.equal(status, 503, text);
  assert.equal((await log())[0].reason, 'issuer_unavailable');
  assert.match(retryAfter ?? 'no Retry-After', /^[1-9]\d*$/);
  assert.equal(challenge, '');
  assert.match(text, /temporarily_unavailable/);
}

/** The issuer is asked again after a while. The first answer about this token that is not 503. */
async function settled(token) {
  for (let tries = 120; ; tries -= 1) {
    const answer = await call(`Bearer ${token}`);
    if (answer.status !== 503) return answer;
    assert.ok(tries > 0, answer.text);
    await pause(250);
  }
}
const passesAgain = async (token) => isWho(await settled(token), ROBOT);

/** A key, and the proofs that are made with it. */
async function holder(alg = 'ES256') {
  const { privateKey, publicKey } = await jose.generateKeyPair(alg, { extractable: true });
  const jwk = await jose.exportJWK(publicKey);
  const sign = (claims, header = {}, key = privateKey) => new jose.SignJWT({
    iat: Math.floor(Date.now() / 1000), jti: randomBytes(16).toString('hex'), ...claims,
  }).setProtectedHeader({ alg, typ: 'dpop+jwt', jwk, ...header }).sign(key);
  const issuing = async () => ({ dpop: await sign({ htm: 'POST', htu: metadata.token_endpoint }) });
  /** For a call with this token, if nothing else is said. */
  const proof = (token, claims, header, key) => sign({ htm: 'POST', htu: HERE, ath: digest(token), ...claims }, header, key);
  return { privateKey, jwk, issuing, proof };
}

const pem = () => readFile(new URL('issuer/certificate.pem', import.meta.url), 'utf8');
/** As a TLS terminator says it (RFC 9440). */
const shown = (certificate) => ({ 'client-cert': `:${new X509Certificate(certificate).raw.toString('base64')}:` });

/** A call from another address of this machine, which is no proxy. */
function statusFrom(localAddress, headers) {
  return new Promise((resolve, reject) => {
    const sent = request(HERE, { method: 'POST', localAddress, headers: { 'content-type': 'application/json', ...headers } });
    sent.on('response', (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', reject);
    sent.end('{"jsonrpc":"2.0","id":1,"method":"ping"}');
  });
}

/** What the metadata document says that this server takes. */
const says = () => ask(HERE.replace('/mcp', '/.well-known/oauth-protected-resource/mcp'));

export const bound = {
  async introspection() {
    await control({ format: 'opaque' });
    const token = await opaque();
    await passes(`Bearer ${token}`);
    const person = await login(await register({ grant_types: ['authorization_code', 'refresh_token'] }), { resource: HERE });
    await passes(`Bearer ${person.access_token}`, {}, { user: 'alice', organization: 'acme', method: 'oauth2' });

    await fails('inactive_token', `Bearer ${randomBytes(32).toString('base64url')}`);
    await fails('inactive_token', `Bearer ${token}x`);
    await fails('unbound_token', `DPoP ${token}`);
    await fails('wrong_audience', `Bearer ${await opaque('robot', {}, { resource: 'http://127.0.0.1:1/mcp' })}`);
    await control({ seconds: 1 });
    const short = await opaque();
    await pause(2100);
    await fails('inactive_token', `Bearer ${short}`);

    // Opaque as well, active as well, and the issuer says whose: but no access token.
    await control({ seconds: 3600, refreshTokens: 'always', refreshSeconds: 3600 });
    const client = await register({ grant_types: ['authorization_code', 'refresh_token'] });
    const { refresh_token: refreshes } = await login(client, { resource: HERE });
    const said = await post(metadata.introspection_endpoint, { token: refreshes }, { authorization: `Basic ${btoa('resource-server:resource-secret')}` });
    assert.deepEqual([said.active, said.sub, said.aud], [true, 'alice', undefined]);
    await fails('wrong_audience', `Bearer ${refreshes}`); // it is for no resource

    // A JWT is judged by its signature, and shown to nobody.
    await control({ format: 'jwt' });
    const jwt = await tokenOf();
    await passes(`Bearer ${jwt}`);
    await log();
    const [head, claims] = jwt.split('.');
    await fails('bad_signature', `Bearer ${head}.${claims}.${'A'.repeat(342)}`);
    assert.deepEqual((await control()).events.filter(({ kind }) => kind === 'introspection'), []);

    await control({ format: 'opaque' });
    const gone = await opaque();
    await passes(`Bearer ${gone}`); // so the answer about it is as young as can be
    await post(metadata.revocation_endpoint, { token: gone }, OWN_PASSWORD);
    const revoked = performance.now();
    for (let ended = false; !ended;) {
      const asked = performance.now() - revoked;
      const { status, text } = await call(`Bearer ${gone}`);
      ended = status === 401;
      assert.ok(ended || (status === 200 && asked < LIFETIME + 500), `${status} ${asked} ms after its revocation: ${text}`);
      if (!ended) await pause(100);
    }
    await fails('inactive_token', `Bearer ${gone}`);
    await passes(`Bearer ${token}`); // of the same client
    return 'revoked ones are refused within the lifetime of an answer; so is a refresh token; no JWT is shown';
  },

  async introspection_outage() {
    await control({ format: 'opaque' });
    const old = await opaque();
    await passes(`Bearer ${old}`);
    const ways = ['failing', 'cut', 'silent'];
    for (const introspection of ways) {
      const fresh = await opaque();
      await control({ introspection });
      await isPutOff(fresh);
      await control({ introspection: 'up' });
      await passesAgain(fresh);
    }
    await passesAgain(old);
    await control({ introspection: 'failing' });
    await pause(LIFETIME + 500);
    await isPutOff(old); // what was said about it has lapsed
    await post(metadata.revocation_endpoint, { token: old }, OWN_PASSWORD);
    await isPutOff(old); // nobody can say so yet, and it is not let in
    await control({ format: 'jwt' });
    await passes(`Bearer ${await tokenOf()}`); // signatures need no answer
    await control({ introspection: 'up', format: 'opaque' });
    await passesAgain(await opaque());
    assert.equal((await settled(old)).status, 401);
    await fails('inactive_token', `Bearer ${old}`);
    return `${ways.join(', ')}: 503 with Retry-After, and the same token is good afterwards`;
  },

  async dpop_proof() {
    assert.deepEqual((await says()).dpop_signing_alg_values_supported, ['ES256', 'EdDSA']);
    for (const alg of ['ES256', 'EdDSA']) {
      const key = await holder(alg);
      const token = await tokenOf('robot', await key.issuing());
      assert.equal(jose.decodeJwt(token).cnf.jkt, await jose.calculateJwkThumbprint(key.jwk));
      await passes(`DPoP ${token}`, { dpop: await key.proof(token) });
      await passes(`dpop ${token}`, { dpop: await key.proof(token) });
    }
    const [owner, thief] = [await holder(), await holder()];
    const token = await tokenOf('robot', await owner.issuing());
    const plain = await tokenOf();
    const others = await tokenOf('robot', await thief.issuing());
    const bad = (dpop, reason = 'invalid_dpop_proof', error = 'invalid_dpop_proof') => fails(reason, `DPoP ${token}`, { dpop }, error);

    // Stolen.
    await fails('missing_dpop_proof', `DPoP ${token}`, {}, 'invalid_dpop_proof');
    await bad(await thief.proof(token), 'dpop_key_mismatch', 'invalid_token');
    await bad(await thief.proof(token, {}, { jwk: owner.jwk }));
    // With a proof that was made for something else.
    await bad(await owner.proof(token, { htm: 'GET' }));
    await bad(await owner.proof(token, { htu: given.mcp }));
    await bad(await owner.proof(token, { htu: `${HERE}/other` }));
    await bad(await owner.proof(token, { htu: metadata.token_endpoint }));
    await bad(await owner.proof(token, { ath: undefined }));
    await bad(await owner.proof(token, { ath: digest(others) }));
    await bad((await owner.issuing()).dpop);
    // Too old, from the future, or no proof at all.
    const now = Math.floor(Date.now() / 1000);
    await bad(await owner.proof(token, { iat: now - 400 }));
    await bad(await owner.proof(token, { iat: now + 400 }));
    await bad(await owner.proof(token, { jti: undefined }));
    await bad(await owner.proof(token, {}, { typ: 'JWT' }));
    await bad(await owner.proof(token, {}, { alg: 'HS256' }, randomBytes(32)));
    await bad(await owner.proof(token, {}, { jwk: await jose.exportJWK(owner.privateKey) }));
    await bad(`${await owner.proof(token)}, ${await owner.proof(token)}`);
    await bad('garbage');

    // Replayed: one of many at the same time is let in, and none afterwards.
    const once = { dpop: await owner.proof(token) };
    const all = await Promise.all(Array.from({ length: 8 }, () => call(`DPoP ${token}`, once)));
    assert.deepEqual(all.map(({ status }) => status).sort(), [200, ...Array(7).fill(401)]);
    await fails('dpop_replayed', `DPoP ${token}`, once, 'invalid_dpop_proof');
    // A proof that was refused for another reason is not used up.
    const kept = { dpop: await owner.proof(token) };
    await fails('sender_constrained', `Bearer ${token}`, kept);
    await passes(`DPoP ${token}`, kept);

    // Downgraded: the token as a plain one; and a plain one as if it were bound.
    await fails('sender_constrained', `Bearer ${token}`);
    await fails('unbound_token', `DPoP ${plain}`, { dpop: await owner.proof(plain) });
    await passes(`Bearer ${plain}`);
    return 'ES256 and EdDSA; stolen, replayed, downgraded, for another URL, method, token or time: 401';
  },

  async client_certificate() {
    assert.equal((await says()).tls_client_certificate_bound_access_tokens, true);
    const own = await pem();
    const stranger = rootCertificates[0];
    const token = await tokenOf('bound-robot', { 'x-client-certificate': encodeURIComponent(own) });
    assert.equal(jose.decodeJwt(token).cnf['x5t#S256'], digest(new X509Certificate(own).raw));
    const bearer = `Bearer ${token}`;
    await passes(bearer, shown(own), CERTIFIED);
    const bad = (headers) => fails('client_certificate_mismatch', bearer, headers);
    await bad({});
    await bad(shown(stranger));
    await bad({ 'client-cert': '' });
    await bad({ 'client-cert': encodeURIComponent(own) }); // another terminator's spelling
    await bad({ 'client-cert': `${shown(own)['client-cert']}, ${shown(stranger)['client-cert']}` });
    await bad({ 'x-client-certificate': encodeURIComponent(own) });
    const key = await holder();
    await fails('unbound_token', `DPoP ${token}`, { ...shown(own), dpop: await key.proof(token) });

    // The header is a proxy's to say.
    const headers = { authorization: bearer, ...shown(own) };
    assert.equal(await statusFrom('127.0.0.2', headers), 401);
    assert.equal((await log()).at(-1).reason, 'client_certificate_mismatch');
    await statusFrom('127.0.0.1', headers);
    assert.equal((await log()).at(-1).reason, null); // whatever the tools make of it
    // A certificate does not make another's token better, nor a plain one worse.
    const plain = await tokenOf();
    await passes(`Bearer ${plain}`);
    await passes(`Bearer ${plain}`, shown(stranger));
    return 'shown by the proxy: 200; without, another one, by somebody else: 401';
  },

  async opaque_and_bound() {
    await control({ format: 'opaque' });
    const [owner, thief] = [await holder(), await holder()];
    const token = await opaque('robot', await owner.issuing());
    await passes(`DPoP ${token}`, { dpop: await owner.proof(token) });
    const once = { dpop: await owner.proof(token) };
    await passes(`DPoP ${token}`, once);
    await fails('dpop_replayed', `DPoP ${token}`, once, 'invalid_dpop_proof');
    await fails('dpop_key_mismatch', `DPoP ${token}`, { dpop: await thief.proof(token) });
    await fails('missing_dpop_proof', `DPoP ${token}`, {}, 'invalid_dpop_proof');
    await fails('sender_constrained', `Bearer ${token}`);
    await fails('sender_constrained', `Bearer ${token}`, { dpop: await owner.proof(token) });

    const own = await pem();
    const certified = await opaque('bound-robot', { 'x-client-certificate': encodeURIComponent(own) });
    await passes(`Bearer ${certified}`, shown(own), CERTIFIED);
    await fails('client_certificate_mismatch', `Bearer ${certified}`);
    await fails('client_certificate_mismatch', `Bearer ${certified}`, shown(rootCertificates[0]));

    await post(metadata.revocation_endpoint, { token }, OWN_PASSWORD);
    await pause(LIFETIME + 500);
    await fails('inactive_token', `DPoP ${token}`, { dpop: await owner.proof(token) });
    return 'what introspection says of keys and certificates counts, too';
  },
};
