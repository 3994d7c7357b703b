// The official TypeScript SDK against the quickstart: logs in, is refused a tool, steps up, succeeds.
//
//     cargo run --example quickstart -- --consent automatic
//     npm install --prefix /tmp/step-up @modelcontextprotocol/sdk@1.32.2
//     cp scripts/clients/step_up.mjs /tmp/step-up/ && node /tmp/step-up/step_up.mjs [URL]
//
// The SDK starts each login by itself. Its user plays the browser, hands back the code, and repeats
// the call that was refused.
//
// No refresh tokens here: with one, the SDK answers the 403 by a refresh, which brings the same
// scopes, and gives up ("Server returned 403 after trying upscoping").

import assert from 'node:assert';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';

const url = process.argv[2] ?? 'http://127.0.0.1:8000/mcp';
const callback = 'http://127.0.0.1:3030/callback';
let code;
const kept = {};
const provider = {
  redirectUrl: callback,
  clientMetadata: { redirect_uris: [callback], client_name: 'typescript-sdk', token_endpoint_auth_method: 'none' },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; console.log(`  a token with the scopes: ${tokens.scope}`); },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
  async redirectToAuthorization(page) {
    console.log(`  the SDK opens the login page for: ${page.searchParams.get('scope')}`);
    const answer = await fetch(page, { redirect: 'manual' }); // the quickstart consents at once
    code = new URL(answer.headers.get('location')).searchParams.get('code');
  },
};
const show = async (input, init) => {
  const answer = await fetch(input, init);
  console.log(`  ${init?.method ?? 'GET'} ${input} -> ${answer.status} ${answer.headers.get('www-authenticate') ?? ''}`);
  return answer;
};

let transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider, fetch: show });
let client = new Client({ name: 'typescript-sdk', version: '1' });
console.log('connecting');
await assert.rejects(client.connect(transport), UnauthorizedError);
await transport.finishAuth(code);
transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider, fetch: show });
client = new Client({ name: 'typescript-sdk', version: '1' });
await client.connect(transport);

const call = async (name, args = {}) => {
  console.log(`calling ${name}`);
  const result = await client.callTool({ name, arguments: args });
  console.log(`  result: ${JSON.stringify(result.structuredContent)}`);
  return result.structuredContent;
};
await call('whoami');
const title = 'By the TypeScript SDK';
await assert.rejects(call('createIssue', { title }), UnauthorizedError);
await transport.finishAuth(code);
assert.equal((await call('createIssue', { title })).title, title);
await call('whoami');
console.log('stepped up and succeeded');
await client.close();
