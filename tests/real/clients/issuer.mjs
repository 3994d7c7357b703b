// What `oidc-provider` issues, shown to our server without any client: every algorithm and kind of
// token, and what must be refused. What a server takes that checks more than signatures: `bound.mjs`.

import assert from 'node:assert/strict';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import * as jose from 'jose';
import { bound } from './bound.mjs';
import { control, given, main, pause } from './common.mjs';
import { CALLBACK, ROBOT, accepted, acceptedSoon, login, metadata, post, refused, register, robot, whoami } from './tokens.mjs';

await main({
  ...bound,

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
    const shown = await proof('POST', given.mcp, { ath });
    // A proof beside a plain Bearer token makes no difference: the downgrade is refused.
    await refused(`Bearer ${token}`, /invalid_token/, { dpop: shown });
    const { status } = await whoami(`DPoP ${token}`, { dpop: shown });
    assert.equal(status, 401, 'proofs are not taken here');
    return 'a bound token is refused as a plain one, and with its proof where none are taken';
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
    const line = `:${new X509Certificate(pem).raw.toString('base64')}:`;
    await refused(`Bearer ${token}`, /invalid_token/, { 'client-cert': line });
    return 'a token bound to a certificate is refused as a plain one, and with it where none are looked at';
  },
});
