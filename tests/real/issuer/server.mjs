// Somebody else's authorization server: `oidc-provider`, as its documentation configures it, with
// two accounts, a login page and a consent page. On loopback only, everything in memory.
//
// Prints one line of JSON when it listens and ends when its standard input does. What a test wants
// otherwise is said to `/control` on a port of its own, see `control` below.

import { generateKeyPair } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import Provider, { errors } from 'oidc-provider';

const ACCOUNTS = { alice: 'acme', bob: 'globex' };
const SCOPES = ['read:issues', 'write:issues'];

// What tests change while it runs.
const wish = {
  alg: 'RS256', // of access tokens
  format: 'jwt', // or opaque
  seconds: 3600, // how long an access token lives
  registeredScope: 'kept', // 'dropped': a client may ask for more than it registered with
  registration: true, // dynamic registration
  refreshSeconds: 14 * 24 * 3600, // how long a refresh token lives
  introspection: 'up', // 'failing' (500), 'cut' (closes the connection), 'silent'
  refreshTokens: 'offline_access', // 'always': whoever may have one gets one, also without that scope; 'never'
};
const events = []; // what happened, for reasons and counts
const documents = new Map(); // client metadata documents by their URL

// ---- keys: one for each algorithm

const pair = promisify(generateKeyPair);
let generation = 0;
async function newKeys() {
  generation += 1;
  const kinds = [
    ['RS256', 'rsa', { modulusLength: 2048 }],
    ['PS256', 'rsa', { modulusLength: 2048 }],
    ['ES256', 'ec', { namedCurve: 'P-256' }],
    ['EdDSA', 'ed25519', {}],
  ];
  return Promise.all(kinds.map(async ([alg, type, options]) => {
    const { privateKey } = await pair(type, options);
    return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${generation}` };
  }));
}
let keys = await newKeys();

// ---- what it remembers, kept when the keys are replaced

const stored = new Map();
class Adapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, expiresIn) {
    const kept = { ...payload };
    if (this.model === 'Client' && wish.registeredScope === 'dropped') delete kept.scope;
    const until = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    stored.set(this.key(id), { payload: kept, until });
  }
  async find(id) {
    const found = stored.get(this.key(id));
    return found && found.until > Date.now() ? found.payload : undefined;
  }
  async findByUid(uid) {
    for (const [key, { payload }] of stored) {
      if (key.startsWith(`${this.model}:`) && payload.uid === uid) return payload;
    }
    return undefined;
  }
  async findByUserCode() { return undefined; }
  async destroy(id) { stored.delete(this.key(id)); }
  async consume(id) { stored.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000); }
  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of stored) if (payload.grantId === grantId) stored.delete(key);
  }
}

// ---- the provider

const certificate = (ctx) => {
  // What a TLS terminator in front would say. Nobody but this machine can.
  const line = ctx.get('x-client-certificate');
  return line ? decodeURIComponent(line) : undefined;
};

function configuration() {
  return {
    adapter: Adapter,
    jwks: { keys },
    scopes: ['openid', 'offline_access', ...SCOPES],
    clients: [
      {
        client_id: 'robot', client_secret: 'robot-secret', grant_types: ['client_credentials'],
        redirect_uris: [], response_types: [],
      },
      {
        client_id: 'bound-robot', client_secret: 'robot-secret', grant_types: ['client_credentials'],
        redirect_uris: [], response_types: [], tls_client_certificate_bound_access_tokens: true,
      },
      {
        client_id: 'resource-server', client_secret: 'resource-secret', grant_types: [],
        redirect_uris: [], response_types: [],
      },
    ],
    cookies: { keys: ['only for tests'] },
    findAccount: (_ctx, id) => (ACCOUNTS[id] ? { accountId: id, claims: () => ({ sub: id }) } : undefined),
    extraTokenClaims: (_ctx, token) => ({ org_id: ACCOUNTS[token.accountId] ?? 'acme' }),
    issueRefreshToken: (_ctx, client, source) => client.grantTypeAllowed('refresh_token')
      && wish.refreshTokens !== 'never'
      && (wish.refreshTokens === 'always' || source.scopes.has('offline_access')),
    expiresWithSession: () => false,
    ttl: { RefreshToken: () => wish.refreshSeconds },
    pkce: { required: () => true },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      registration: { enabled: wish.registration },
      dPoP: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: certificate,
      },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo(_ctx, resource) {
          if (!/^http:\/\/(127\.0\.0\.1|localhost):\d+\/mcp$/.test(resource)) throw new errors.InvalidTarget();
          return {
            scope: SCOPES.join(' '),
            audience: resource,
            accessTokenTTL: wish.seconds,
            accessTokenFormat: wish.format,
            jwt: { sign: { alg: wish.alg } },
          };
        },
      },
    },
    // Client metadata documents are https by their rules. Instead of the internet it knows these.
    async fetch(url, options) {
      const document = documents.get(String(url.href ?? url));
      if (document === undefined) throw new Error(`nothing is known at ${url}, ${options?.method}`);
      return new Response(JSON.stringify(document), { headers: { 'content-type': 'application/json' } });
    },
  };
}

const html = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const page = (title, body) => `<!doctype html><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width"><h1>${title}</h1>${body}`;

function loginPage(uid, client) {
  const accounts = Object.keys(ACCOUNTS).map((id) => `<option>${html(id)}</option>`).join('');
  return page('Log in', `<p>for <b>${html(client)}</b></p>
<form method="post" action="/interaction/${uid}/login"><select name="account">${accounts}</select>
<button name="decision" value="allow">Log in</button></form>`);
}

function consentPage(uid, client, scopes) {
  const items = scopes.map((scope) => `<li>${html(scope)}</li>`).join('');
  return page('Allow access?', `<p><b>${html(client)}</b> asks for</p><ul>${items}</ul>
<form method="post" action="/interaction/${uid}/consent">
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>`);
}

async function body(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

/** The two pages, and what is sent from them. */
async function interaction(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const { uid, prompt, params, session } = details;
  const client = await provider.Client.find(params.client_id);
  const name = client?.clientName ?? params.client_id;
  if (request.method === 'GET') {
    const missing = prompt.details.missingResourceScopes ?? {};
    const scopes = [...(prompt.details.missingOIDCScope ?? []), ...Object.values(missing).flat()];
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(prompt.name === 'login' ? loginPage(uid, name) : consentPage(uid, name, scopes));
    return;
  }
  const form = new URLSearchParams(await body(request));
  const merge = { mergeWithLastSubmission: true };
  if (form.get('decision') !== 'allow') {
    const denied = { error: 'access_denied', error_description: 'the person said no' };
    await provider.interactionFinished(request, response, denied, { mergeWithLastSubmission: false });
  } else if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: form.get('account') } }, merge);
  } else {
    const grant = details.grantId
      ? await provider.Grant.find(details.grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
    for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, scopes.join(' '));
    }
    const grantId = await grant.save();
    await provider.interactionFinished(request, response, { consent: { grantId } }, merge);
  }
}

function note(kind, fields) { events.push({ kind, ...fields }); }

function start(issuer) {
  const provider = new Provider(issuer, configuration());
  provider.on('registration_create.success', (_ctx, client) => note('registered', { client: client.clientId, scope: client.scope }));
  provider.on('authorization.success', (ctx) => note('authorized', { scope: ctx.oidc.params.scope, client: ctx.oidc.params.client_id }));
  provider.on('grant.success', (ctx) => note('granted', { grant: ctx.oidc.params.grant_type, scope: ctx.body?.scope }));
  for (const name of ['registration_create.error', 'authorization.error', 'grant.error', 'server_error']) {
    provider.on(name, (_ctx, error) => note(name, { error: error.error ?? String(error), description: error.error_description, detail: error.error_detail }));
  }
  return { provider, handle: provider.callback() };
}

let current;
const server = createServer((request, response) => {
  if (request.url.startsWith('/token/introspection')) {
    note('introspection', { now: wish.introspection });
    if (wish.introspection === 'silent') return;
    if (wish.introspection === 'cut') return void request.socket.destroy();
    if (wish.introspection === 'failing') return void response.writeHead(500).end();
  }
  if (!request.url.startsWith('/interaction/')) {
    current.handle(request, response);
    return;
  }
  interaction(current.provider, request, response).catch((error) => {
    note('interaction.error', { error: String(error) });
    response.statusCode = 400;
    response.end(page('This did not work', html(error)));
  });
});

// ---- for tests: GET says what happened since the last time, POST changes what it does

async function control(request, response) {
  if (request.method === 'POST') {
    const { rotate, documents: given, ...changes } = JSON.parse(await body(request));
    for (const [url, document] of Object.entries(given ?? {})) documents.set(url, document);
    Object.assign(wish, changes);
    if (rotate) { // 'overlap' publishes the old keys, too; 'abrupt' does not
      const old = keys;
      keys = await newKeys();
      if (rotate === 'overlap') keys.push(...old);
    }
    current = start(issuer);
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ wish, kids: keys.map((key) => key.kid), events: events.splice(0) }));
}
const controller = createServer((request, response) => {
  control(request, response).catch((error) => { response.statusCode = 400; response.end(String(error)); });
});

const listen = (what) => new Promise((resolve, reject) => {
  what.once('error', reject);
  what.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${what.address().port}`));
});
const issuer = await listen(server);
current = start(issuer);
const controlUrl = await listen(controller);
console.log(JSON.stringify({ issuer, control: `${controlUrl}/control`, pid: process.pid, node: process.version }));

process.stdin.resume();
process.stdin.on('close', () => process.exit(0));
