// A person at a real browser, in front of the example `quickstart`: its consent page clicked, and what
// pages of other origins may read. The client is the official TypeScript SDK; its redirect goes to a
// listener, because browsers hold a form to the page's policy (`form-action`) after a redirect, too.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import puppeteer from 'puppeteer-core';
import { given, main } from './common.mjs';

const SECONDS = 20;
const ALLOWED = 'http://localhost:6274'; // by the quickstart
const FOREIGN = 'http://foreign.example';

/** The quickstart on free ports; where its MCP server is. */
async function quickstart() {
  const program = spawn(given.quickstart, ['--port', '0', '--issuer-port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const text of program.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += text;
    const found = /MCP server +(http\S+)/.exec(said);
    if (found && said.includes('Ctrl-C ends')) return { program, url: found[1] };
  }
  throw new Error(`the quickstart ended: ${said}`);
}

/** Answers with an empty page, and hands on where the browser came back. */
async function listener() {
  let back;
  const returned = new Promise((resolve) => { back = resolve; });
  const server = createServer((request, response) => {
    const url = new URL(request.url, `http://127.0.0.1:${server.address().port}`);
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>here</title>');
    if (url.pathname === '/callback') back(url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, returned, port: server.address().port };
}

/** Runs with a server, a listener and a browser that end with it. */
async function withBrowser(run) {
  const { program, url } = await quickstart();
  let browser, back;
  try {
    back = await listener();
    browser = await puppeteer.launch({
      executablePath: given.chromium,
      headless: true,
      pipe: true, // it ends when nobody holds the other end
      userDataDir: join(given.home, 'profile'),
      // Both origins are the listener; nothing is asked of a name server.
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu',
        `--host-resolver-rules=MAP localhost:6274 127.0.0.1:${back.port}, MAP foreign.example:80 127.0.0.1:${back.port}`],
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(SECONDS * 1000);
    const complaints = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    const note = await run({ url, page, back, complaints });
    const version = (await browser.version()).replace('HeadlessChrome', 'Chromium').replace('Chrome/', 'Chromium/');
    return `${version}: ${note}`;
  } finally {
    await browser?.close();
    back?.server.closeAllConnections();
    back?.server.close();
    program.kill('SIGINT');
    if (program.exitCode === null && program.signalCode === null) await once(program, 'exit');
  }
}

/** The SDK, from the 401 to the page it wants opened. */
class App {
  constructor(url, callback) {
    Object.assign(this, { url, statuses: [] });
    this.provider = {
      redirectUrl: callback,
      clientMetadata: { client_name: 'A <real> client', redirect_uris: [callback], token_endpoint_auth_method: 'none' },
      state: () => 'a-state',
      clientInformation: () => this.registered,
      saveClientInformation: (registered) => { this.registered = registered; },
      tokens: () => this.tokens,
      saveTokens: (tokens) => { this.tokens = tokens; },
      saveCodeVerifier: (verifier) => { this.verifier = verifier; },
      codeVerifier: () => this.verifier,
      redirectToAuthorization: (page) => { this.page = page; },
    };
  }

  async connect() {
    this.transport = new StreamableHTTPClientTransport(new URL(this.url), {
      authProvider: this.provider,
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        if (String(input) === this.url) this.statuses.push(answer.status);
        return answer;
      },
    });
    this.client = new Client({ name: 'real', version: '1' });
    await this.client.connect(this.transport);
  }
}

/** The page as the browser shows it, and what it shows. */
async function consentPage({ url, page, back }) {
  const app = new App(url, `http://127.0.0.1:${back.port}/callback`);
  await assert.rejects(app.connect(), UnauthorizedError);
  assert.deepEqual(app.statuses, [401]);
  assert.equal(app.page.searchParams.get('code_challenge_method'), 'S256');
  assert.equal(app.page.searchParams.get('resource'), url);
  const answer = await page.goto(app.page, { waitUntil: 'load' });
  assert.equal(answer.status(), 200);
  const shown = await page.evaluate(() => ({
    text: document.body.innerText,
    colour: getComputedStyle(document.querySelector('button.allow')).backgroundColor,
  }));
  for (const text of ['A <real> client asks for access', url, 'read:issues', `http://127.0.0.1:${back.port}`]) {
    assert.ok(shown.text.includes(text), `${text} is not in: ${shown.text}`);
  }
  assert.equal(shown.colour, 'rgb(29, 78, 216)', 'the policy lets the page have its own style');
  return app;
}

/** Clicks, and waits until the browser is back at the client. */
async function click({ page, back }, name) {
  await page.click(`::-p-aria([name="${name}"][role="button"])`);
  const late = AbortSignal.timeout(SECONDS * 1000);
  const given_up = once(late, 'abort').then(async () => {
    throw new Error(`still at ${page.url()}: ${await page.evaluate(() => document.body.innerText)}`);
  });
  const url = await Promise.race([back.returned, given_up]);
  assert.equal(url.searchParams.get('state'), 'a-state', String(url));
  return url.searchParams;
}

/** A request from a page of this origin: what the page may know of the answer. */
async function asked({ url, page }, origin) {
  await page.goto(`${origin}/`, { waitUntil: 'load' });
  assert.equal(await page.evaluate(() => globalThis.origin), origin);
  return page.evaluate(async (server) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    try {
      const answer = await fetch(server, { method: 'POST', headers, body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' });
      return { status: answer.status, challenge: answer.headers.get('www-authenticate'), body: await answer.text() };
    } catch (error) {
      return { error: String(error) };
    }
  }, url);
}

await main({
  consent_allow: () => withBrowser(async (all) => {
    const app = await consentPage(all);
    await all.page.screenshot({ path: given.screenshot, fullPage: true });
    await all.page.click('::-p-aria([name="bob"][role="radio"])');
    await app.transport.finishAuth(await click(all, 'Allow'));
    app.statuses.length = 0;
    await app.connect();
    const { structuredContent: who } = await app.client.callTool({ name: 'whoami', arguments: {} });
    assert.deepEqual([who.user, who.organization, who.scopes], ['bob', 'globex', ['read:issues']]);
    assert.equal(app.statuses.at(-1), 200, app.statuses.join());
    await app.client.close();
    assert.deepEqual(all.complaints, []);
    return 'bob picked, Allow clicked, code exchanged, 200; see target/real/consent.png';
  }),

  consent_deny: () => withBrowser(async (all) => {
    const app = await consentPage(all);
    const back = await click(all, 'Deny');
    assert.equal(back.get('error'), 'access_denied', String(back));
    assert.equal(back.get('code'), null);
    await assert.rejects(app.transport.finishAuth(back), /access_denied|the user said no/);
    assert.equal(app.tokens, undefined);
    assert.deepEqual(all.complaints, []);
    return 'access_denied, no code';
  }),

  origins: () => withBrowser(async (all) => {
    const foreign = await asked(all, FOREIGN);
    assert.match(foreign.error ?? JSON.stringify(foreign), /Failed to fetch/);
    assert.ok(all.complaints.some((text) => /blocked by CORS policy/.test(text)), all.complaints.join());
    const allowed = await asked(all, ALLOWED);
    assert.equal(allowed.status, 401, JSON.stringify(allowed));
    assert.match(allowed.challenge, /^Bearer .*resource_metadata="/);
    assert.ok(JSON.parse(allowed.body), allowed.body);
    return 'an allowed origin reads the 401 and its challenge, a foreign one nothing';
  }),
});
