// `mcp-remote`: a bridge for hosts that speak over pipes only. The host is played by the official
// TypeScript SDK; the browser, which the bridge wants opened, by the test.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { answered, apiTokens, basic, bearer, ClientLimit, control, given, main, pause, visit } from './common.mjs';

const PROXY = join(dirname(fileURLToPath(import.meta.url)), '..', 'node_modules', 'mcp-remote', 'dist', 'proxy.js');
const modern = given.protocol === '2026-07-28';

/** One host with one bridge. */
class Host {
  constructor({ url = given.mcp, flags = [], environment = {} } = {}) {
    Object.assign(this, { url, flags, environment, logins: 0, said: '' });
  }

  async connect() {
    const mode = modern ? ['--protocol', 'auto'] : [];
    this.transport = new StdioClientTransport({
      command: process.execPath,
      args: [PROXY, this.url, ...this.flags, ...mode],
      env: { PATH: process.env.PATH, HOME: given.home, BROWSER: 'true', ...this.environment },
      stderr: 'pipe',
    });
    this.transport.stderr.on('data', (chunk) => { this.heard(String(chunk)); });
    this.client = new Client({ name: 'real', version: '1' });
    await this.client.connect(this.transport, { timeout: 30_000 });
    const take = this.transport.onmessage;
    this.messages = [];
    this.transport.onmessage = (message, extra) => {
      this.messages.push(message);
      take(message, extra);
    };
  }

  /** The bridge prints the page that it opens. */
  heard(text) {
    this.said += text;
    for (let found; (found = /authorize this client by visiting:\s+(http\S+)\s/.exec(this.said.slice(this.read ?? 0)));) {
      this.read = (this.read ?? 0) + found.index + found[0].length;
      this.logins += 1;
      this.page = new URL(found[1]);
      this.visiting = this.logIn(found[1]);
    }
  }

  async logIn(page) {
    try {
      const back = await visit(page);
      this.back = back;
      // The bridge prints the page before it listens for the answer: people are slower than that.
      for (let tries = 100; ; tries -= 1) {
        try {
          await fetch(back, { signal: AbortSignal.timeout(20_000) });
          return;
        } catch (error) {
          if (tries === 0) throw error;
          await pause(50);
        }
      }
    } catch (error) {
      this.said += `\nthe browser failed: ${error}`;
    }
  }

  async call(name, args = {}, options = {}) {
    const result = await this.client.callTool({ name, arguments: args }, undefined, { timeout: 20_000, ...options });
    if (result.isError) throw new Error(JSON.stringify(result));
    return result.structuredContent;
  }

  async close() {
    await this.client?.close();
  }
}

/** Runs with a host that ends with it, and says what the bridge said if it fails. */
async function withHost(options, run) {
  const host = new Host(options);
  try {
    await host.connect();
    return await run(host);
  } catch (error) {
    error.stack += `\nthe bridge said: ${host.said.slice(-6000)}`;
    error.host = host;
    throw error;
  } finally {
    await host.close();
  }
}

const freePort = () => new Promise((resolve, reject) => {
  const probe = createServer();
  probe.once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

const kinds = (events, kind) => events.filter((event) => event.kind === kind);

const stepUp = (options = {}) => withHost(options, async (host) => {
  assert.deepEqual((await host.call('whoami')).scopes, ['read:issues']);
  assert.equal((await host.call('createIssue', { title: 'stepped up' })).title, 'stepped up');
  assert.deepEqual((await host.call('whoami')).scopes, ['read:issues', 'write:issues']);
  assert.equal(host.logins, 2);
  return 'logged in twice';
});

await main({
  login: () => withHost({}, async (host) => {
    const who = await host.call('whoami');
    assert.deepEqual([who.user, who.organization, who.scopes, who.method], ['alice', 'acme', ['read:issues'], 'oauth2']);
    assert.equal(host.logins, 1);
    const log = await answered();
    const versions = new Set(log.filter((line) => line.status < 300).flatMap((line) => line.version));
    assert.ok(versions.has(given.protocol), [...versions].join());
    return log.map((line) => `${line.method} ${line.path} ${line.status}`).join(', ');
  }),

  async step_up() {
    await control({ registeredScope: 'dropped' });
    return stepUp();
  },

  async step_up_strict() {
    await assert.rejects(stepUp(), /invalid_scope/);
    const { events } = await control();
    const [registered] = kinds(events, 'registered');
    assert.ok(!registered.scope.includes('write:issues'), JSON.stringify(registered));
    throw new ClientLimit('registers itself with the scopes of the first challenge and may not ask for more');
  },

  async client_document() {
    // The port of the answer is written in the document, so it must be known before.
    const port = await freePort();
    const document = {
      client_id: `https://client.example/mcp-remote-${port}.json`, client_name: 'documented', token_endpoint_auth_method: 'none',
      redirect_uris: [`http://localhost:${port}/oauth/callback`], grant_types: ['authorization_code', 'refresh_token'],
    };
    await control({ documents: { [document.client_id]: document } });
    return withHost({ flags: [String(port), '--client-metadata-url', document.client_id] }, async (host) => {
      const who = await host.call('whoami');
      assert.deepEqual([who.user, who.client, host.logins], ['alice', document.client_id, 1]);
      assert.equal(kinds((await control()).events, 'registered').length, 0);
      return who.client;
    });
  },

  async step_up_with_refresh_token() {
    await control({ registeredScope: 'dropped', refreshTokens: 'always' });
    return stepUp();
  },

  all_scopes_at_once: () => withHost({ url: given.mcp_everything }, async (host) => {
    await host.call('createIssue', { title: 'at once' });
    assert.equal(host.logins, 1);
    return 'one login';
  }),

  async refresh() {
    await control({ seconds: 2 });
    return withHost({}, async (host) => {
      await host.call('whoami');
      await control();
      await pause(2100);
      assert.equal((await host.call('whoami')).user, 'alice');
      assert.equal(host.logins, 1);
      const { events } = await control();
      assert.ok(kinds(events, 'granted').every((event) => event.grant === 'refresh_token'), JSON.stringify(events));
      return 'without a person';
    });
  },

  async login_again() {
    await control({ seconds: 2, refreshTokens: 'never' });
    return withHost({}, async (host) => {
      await host.call('whoami');
      await pause(2100);
      assert.equal((await host.call('whoami')).user, 'alice');
      assert.equal(host.logins, 2);
      return 'logged in twice';
    });
  },

  api_token: () => withHost({ flags: ['--header', 'Authorization:${AUTH_HEADER}'], environment: { AUTH_HEADER: basic() } }, async (host) => {
    const who = await host.call('whoami');
    assert.deepEqual([who.user, who.method, host.logins], ['alice', 'api_token', 0]);
    return who.method;
  }),

  api_key: () => withHost({ flags: ['--header', 'Authorization:${AUTH_HEADER}'], environment: { AUTH_HEADER: bearer() } }, async (host) => {
    const who = await host.call('whoami');
    assert.deepEqual([who.user, who.organization, host.logins], ['build-bot', 'acme', 0]);
    return who.method;
  }),

  stream: () => withHost({}, async (host) => {
    const result = await host.call('watch', {}, { onprogress: () => {} });
    // Of the messages, because the SDK drops progress that comes in one piece with the result.
    const steps = host.messages.filter((message) => message.method === 'notifications/progress').map((message) => message.params.progress);
    assert.deepEqual([steps, result.steps], [[1, 2, 3], 3]);
    return 'three events before the result';
  }),

  async switched_off() {
    const header = { flags: ['--header', 'Authorization:${AUTH_HEADER}'], environment: { AUTH_HEADER: basic() } };
    await assert.rejects(withHost(header, async (host) => {
      assert.equal((await host.call('whoami')).method, 'api_token');
      await apiTokens('off');
      await host.call('whoami');
    }), /client_id mismatch/, 'the header went to the token endpoint, too');
    await withHost({}, async (host) => {
      const who = await host.call('whoami');
      assert.deepEqual([who.user, who.method, host.logins], ['alice', 'oauth2', 1]);
    });
    throw new ClientLimit('starts the login, but sends the header of `--header` to the token endpoint, too, which refuses it; without that flag it logs in');
  },
});
