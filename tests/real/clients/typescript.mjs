// The official TypeScript SDKs: `@modelcontextprotocol/client` (2) and `@modelcontextprotocol/sdk` (1).
//
// The SDK finds, registers, asks for the login page and fetches tokens. Its user opens the page,
// hands back the redirect, and makes the call again.

import assert from 'node:assert/strict';
import { answered, apiTokens, basic, bearer, ClientLimit, control, given, main, pause, visit } from './common.mjs';

const two = given.package === '@modelcontextprotocol/client';
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = two
  ? await import('@modelcontextprotocol/client')
  : {
    ...await import('@modelcontextprotocol/sdk/client/index.js'),
    ...await import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    ...await import('@modelcontextprotocol/sdk/client/auth.js'),
  };

const CALLBACK = 'http://127.0.0.1:3030/callback'; // nobody listens there

/** The authorization server sent the person back without a code. */
class LoginRefused extends Error {}

/** One program that uses the SDK. */
class App {
  constructor({ url = given.mcp, headers, fetch, document, oauth = true, refresh = true } = {}) {
    Object.assign(this, { url, headers, fetch, logins: 0, sessions: 0 });
    const app = this;
    const grants = refresh ? ['authorization_code', 'refresh_token'] : ['authorization_code'];
    this.provider = oauth ? {
      redirectUrl: CALLBACK,
      clientMetadataUrl: document,
      clientMetadata: {
        client_name: 'real', redirect_uris: [CALLBACK], grant_types: grants, token_endpoint_auth_method: 'none',
      },
      state: () => 'a-state',
      clientInformation: () => app.registered,
      saveClientInformation: (registered) => { app.registered = registered; },
      tokens: () => app.tokens,
      saveTokens: (tokens) => { app.tokens = tokens; },
      saveCodeVerifier: (verifier) => { app.verifier = verifier; },
      codeVerifier: () => app.verifier,
      invalidateCredentials: (what) => {
        if (what === 'all' || what === 'client') app.registered = undefined;
        if (what === 'all' || what === 'tokens') app.tokens = undefined;
      },
      redirectToAuthorization: (page) => { app.page = page; },
    } : undefined;
  }

  async open() {
    this.progress = [];
    this.transport = new StreamableHTTPClientTransport(new URL(this.url), {
      authProvider: this.provider,
      requestInit: this.headers ? { headers: this.headers } : undefined,
      fetch: this.fetch,
    });
    const options = two && given.protocol === '2026-07-28'
      ? { versionNegotiation: { mode: 'auto' } } : {};
    this.client = new Client({ name: 'real', version: '1' }, options);
    await this.client.connect(this.transport);
  }

  /** The part of the program around the SDK. */
  async logIn() {
    this.logins += 1;
    const back = await visit(this.page);
    assert.equal(back.searchParams.get('state'), 'a-state', String(back));
    const refused = back.searchParams.get('error');
    if (refused) throw new LoginRefused(`${refused}: ${back.searchParams.get('error_description')}`);
    await this.transport.finishAuth(two ? back.searchParams : back.searchParams.get('code'));
  }

  async connect() {
    try {
      await this.open();
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      await this.logIn();
      await this.open();
    }
  }

  /** Calls a tool, and once more after a login if one was asked for. */
  async call(name, args = {}, options = undefined) {
    const once = () => this.client.callTool({ name, arguments: args }, ...(two ? [options] : [undefined, options]));
    let result;
    try {
      result = await once();
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      await this.logIn();
      try {
        result = await once();
      } catch (after) {
        // Logged in at this client, a person is another party than with an API token, and sessions
        // (protocol 2025-11-25) are their party's alone. The SDK leaves starting another to its user.
        if (!/unknown_session/.test(after.message)) throw after;
        this.sessions += 1;
        await this.open();
        result = await once();
      }
    }
    assert.ok(!result.isError, JSON.stringify(result));
    return result.structuredContent;
  }
}

const seen = (lines) => lines.filter((line) => line.path === '/mcp').map((line) => `${line.method} ${line.schemes} ${line.status}`);
const kinds = (events, kind) => events.filter((event) => event.kind === kind);

async function stepUp(app) {
  await app.connect();
  assert.deepEqual((await app.call('whoami')).scopes, ['read:issues']);
  const created = await app.call('createIssue', { title: 'stepped up' });
  assert.equal(created.title, 'stepped up');
  assert.deepEqual((await app.call('whoami')).scopes, ['read:issues', 'write:issues']);
  assert.equal(app.logins, 2);
  const { events } = await control();
  assert.equal(kinds(events, 'registered').length, 1);
  return 'logged in twice, by the same registration';
}

/** One token expires, and the SDK gets another without a person. */
async function expire() {
  const app = new App();
  await app.connect();
  await app.call('whoami');
  if (!app.tokens.refresh_token) return false;
  await control();
  await pause(2100);
  assert.equal((await app.call('whoami')).user, 'alice');
  assert.equal(app.logins, 1);
  const { events } = await control();
  assert.ok(kinds(events, 'granted').every((event) => event.grant === 'refresh_token'), JSON.stringify(events));
  return true;
}

await main({
  async login() {
    const app = new App();
    await app.connect();
    const who = await app.call('whoami');
    assert.deepEqual([who.user, who.organization, who.scopes, who.method], ['alice', 'acme', ['read:issues'], 'oauth2']);
    const { events } = await control();
    assert.equal(kinds(events, 'registered').length, 1);
    assert.deepEqual(kinds(events, 'granted').map((event) => event.grant), ['authorization_code']);
    const log = await answered();
    if (given.protocol) {
      const versions = new Set(log.filter((line) => line.status < 300).flatMap((line) => line.version));
      assert.ok(versions.has(given.protocol), [...versions].join());
    }
    return seen(log).join(', ');
  },

  async client_document() {
    const document = {
      client_id: 'https://client.example/typescript.json', client_name: 'documented', redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none',
    };
    await control({ documents: { [document.client_id]: document } });
    const app = new App({ document: document.client_id });
    await app.connect();
    assert.equal((await app.call('whoami')).client, document.client_id);
    assert.equal(kinds((await control()).events, 'registered').length, 0);
    return document.client_id;
  },

  async step_up() {
    await control({ registeredScope: 'dropped' });
    return stepUp(new App());
  },

  async step_up_strict() {
    const app = new App();
    await assert.rejects(stepUp(app), (error) => error instanceof LoginRefused && error.message.startsWith('invalid_scope'));
    const { events } = await control();
    const [registered] = kinds(events, 'registered');
    assert.ok(!registered.scope.includes('write:issues'), JSON.stringify(registered));
    throw new ClientLimit('registers itself with the scopes of the first challenge and may not ask for more');
  },

  async step_up_with_refresh_token() {
    await control({ registeredScope: 'dropped', refreshTokens: 'always' });
    const app = new App();
    if (two) return stepUp(app);
    await assert.rejects(stepUp(app), /403 after trying upscoping/);
    assert.ok(app.tokens.refresh_token);
    throw new ClientLimit('answers the 403 by a refresh, which brings the same scopes, and gives up: "Server returned 403 after trying upscoping"');
  },

  async all_scopes_at_once() {
    const app = new App({ url: given.mcp_everything });
    await app.connect();
    await app.call('createIssue', { title: 'at once' });
    assert.equal(app.logins, 1);
    return 'one login';
  },

  async refresh() {
    await control({ seconds: 2 });
    const offline = await expire();
    assert.equal(offline, two, 'version 2 asks for offline_access, version 1 does not');
    if (offline) return 'asks for offline_access by itself';
    await control({ refreshTokens: 'always' });
    assert.ok(await expire());
    return { but: 'does not ask for `offline_access`: only where refresh tokens come without that' };
  },

  async login_again() {
    await control({ seconds: 2 });
    const app = new App({ refresh: false });
    await app.connect();
    await app.call('whoami');
    assert.equal(app.tokens.refresh_token, undefined);
    await pause(2100);
    assert.equal((await app.call('whoami')).user, 'alice');
    assert.equal(app.logins, 2);
    return 'logged in twice';
  },

  async api_token() {
    const app = new App({ headers: { Authorization: basic() }, oauth: false });
    await app.connect();
    const who = await app.call('whoami');
    assert.deepEqual([who.user, who.method], ['alice', 'api_token']);
    return who.method;
  },

  async api_key() {
    const app = new App({ headers: { Authorization: bearer() }, oauth: false });
    await app.connect();
    const who = await app.call('whoami');
    assert.deepEqual([who.user, who.organization], ['build-bot', 'acme']);
    return who.method;
  },

  async stream() {
    const app = new App();
    await app.connect();
    const steps = [];
    const result = await app.call('watch', {}, { onprogress: (progress) => steps.push(progress.progress) });
    assert.deepEqual([steps, result.steps], [[1, 2, 3], 3]);
    return 'three events before the result';
  },

  async switched_off() {
    // As one would write it first.
    const plain = new App({ headers: { Authorization: basic() } });
    await plain.connect();
    assert.equal((await plain.call('whoami')).method, 'api_token');
    await apiTokens('off');
    await assert.rejects(plain.call('whoami'), /client_id mismatch/, 'the header went to the token endpoint, too');
    await apiTokens('on');

    // The API token for the MCP server only, and only until there is another.
    const own = (input, init) => {
      const headers = new Headers(init?.headers);
      if (String(input) === given.mcp && !headers.has('authorization')) headers.set('authorization', basic());
      return fetch(input, { ...init, headers });
    };
    const app = new App({ fetch: own });
    await app.connect();
    assert.equal((await app.call('whoami')).method, 'api_token');
    assert.equal(app.logins, 0);
    await apiTokens('off');
    const who = await app.call('whoami');
    assert.deepEqual([who.user, who.method, app.logins], ['alice', 'oauth2', 1]);
    assert.equal(app.sessions, given.protocol === '2025-11-25' ? 1 : 0);
    const but = 'only with the header set in `fetch`, for the MCP server: one in `requestInit` is sent to the token endpoint, too, which refuses it';
    return { but: app.sessions ? `${but}; then the program must start a new session` : but };
  },
});
