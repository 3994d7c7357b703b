// Somebody else's server (the official TypeScript SDK) with what the official conformance suite asks
// for, without any authentication. Ends when its standard input does.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const text = (value) => ({ type: 'text', text: value });
const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const resource = (uri, mimeType, value) => ({ type: 'resource', resource: { uri, mimeType, text: value } });

const note = (extra, method, params) => extra.sendNotification({ method, params });
const ask = async (extra, message, properties) => {
  const params = { message, requestedSchema: { type: 'object', properties, required: [] } };
  const answer = await extra.sendRequest({ method: 'elicitation/create', params }, types.ElicitResultSchema);
  return [text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`)];
};

const options = ['option1', 'option2', 'option3'];
const titled = (names) => names.map((title, index) => ({ const: `value${index + 1}`, title }));

const TOOLS = {
  test_simple_text: () => [text('This is a simple text response for testing.')],
  test_image_content: () => [image],
  test_audio_content: () => [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }],
  test_embedded_resource: () => [resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  test_multiple_content_types: () => [
    text('Multiple content types test:'), image,
    resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  ],
  async test_tool_with_logging(_args, extra) {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await note(extra, 'notifications/message', { level: 'info', data });
      await pause(50);
    }
    return [text('logged')];
  },
  async test_tool_with_progress(_args, extra) {
    const progressToken = extra._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) await note(extra, 'notifications/progress', { progressToken, progress, total: 100 });
      await pause(50);
    }
    return [text(String(progressToken))];
  },
  test_error_handling() { throw new Error('This tool intentionally returns an error for testing'); },
  async test_sampling({ prompt }, extra) {
    const params = { messages: [{ role: 'user', content: text(prompt) }], maxTokens: 100 };
    const answer = await extra.sendRequest({ method: 'sampling/createMessage', params }, types.CreateMessageResultSchema);
    return [text(`LLM response: ${answer.content.text}`)];
  },
  test_elicitation: ({ message }, extra) => ask(extra, message, { username: { type: 'string' }, email: { type: 'string' } }),
  test_elicitation_sep1034_defaults: (_args, extra) => ask(extra, 'Defaults', {
    name: { type: 'string', default: 'John Doe' }, age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 }, verified: { type: 'boolean', default: true },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  }),
  test_elicitation_sep1330_enums: (_args, extra) => ask(extra, 'Enums', {
    untitledSingle: { type: 'string', enum: options },
    titledSingle: { type: 'string', oneOf: titled(['First Option', 'Second Option', 'Third Option']) },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
    titledMulti: { type: 'array', items: { anyOf: titled(['First Choice', 'Second Choice', 'Third Choice']) } },
  }),
  async test_reconnection(_args, extra) {
    extra.closeSSEStream?.();
    await pause(100);
    return [text('Reconnection test completed')];
  },
  json_schema_2020_12_tool: (args) => [text(JSON.stringify(args))],
};

const string = { type: 'string' };
const SCHEMAS = {
  test_sampling: { type: 'object', properties: { prompt: string }, required: ['prompt'] },
  test_elicitation: { type: 'object', properties: { message: string }, required: ['message'] },
  json_schema_2020_12_tool: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: { address: { type: 'object', properties: { street: string, city: string } } },
    properties: { name: string, address: { $ref: '#/$defs/address' } },
    additionalProperties: false,
  },
};

const PROMPTS = {
  test_simple_prompt: { arguments: [], messages: () => [text('This is a simple prompt for testing.')] },
  test_prompt_with_arguments: {
    arguments: ['arg1', 'arg2'],
    messages: ({ arg1, arg2 }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  },
  test_prompt_with_embedded_resource: {
    arguments: ['resourceUri'],
    messages: ({ resourceUri }) => [
      resource(resourceUri, 'text/plain', 'Embedded resource content for testing.'),
      text('Please process the embedded resource above.'),
    ],
  },
  test_prompt_with_image: { arguments: [], messages: () => [image, text('Please analyze the image above.')] },
};

const RESOURCES = ['test://static-text', 'test://static-binary', 'test://watched-resource'];

function read(uri) {
  if (uri === 'test://static-binary') return { uri, mimeType: 'image/png', blob: PNG };
  const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
  if (id) return { uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) };
  if (!RESOURCES.includes(uri)) throw new types.McpError(-32002, `Resource not found: ${uri}`);
  return { uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
}

function newServer() {
  const server = new Server({ name: 'conformance', version: '1' }, {
    capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, logging: {}, completions: {} },
  });
  const on = (schema, handler) => server.setRequestHandler(schema, handler);
  on(types.ListToolsRequestSchema, () => ({
    tools: Object.keys(TOOLS).map((name) => ({
      name, description: `For the scenario of ${name}`, inputSchema: SCHEMAS[name] ?? { type: 'object', properties: {} },
    })),
  }));
  on(types.CallToolRequestSchema, async ({ params }, extra) => {
    const tool = TOOLS[params.name];
    if (!tool) throw new types.McpError(types.ErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
    try {
      return { content: await tool(params.arguments ?? {}, extra) };
    } catch (error) {
      return { isError: true, content: [text(error.message)] };
    }
  });
  on(types.ListResourcesRequestSchema, () => ({ resources: RESOURCES.map((uri) => ({ uri, name: uri.slice(7), description: uri })) }));
  on(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template' }] }));
  on(types.ReadResourceRequestSchema, ({ params }) => ({ contents: [read(params.uri)] }));
  on(types.SubscribeRequestSchema, () => ({}));
  on(types.UnsubscribeRequestSchema, () => ({}));
  on(types.ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, prompt]) => ({
      name, description: name, arguments: prompt.arguments.map((argument) => ({ name: argument, required: true })),
    })),
  }));
  on(types.GetPromptRequestSchema, ({ params }) => ({
    messages: PROMPTS[params.name].messages(params.arguments ?? {}).map((content) => ({ role: 'user', content })),
  }));
  on(types.CompleteRequestSchema, () => ({ completion: { values: ['paris', 'park'], total: 2, hasMore: false } }));
  on(types.SetLevelRequestSchema, () => ({}));
  return server;
}

/** Events that a client may ask for again. */
class Events {
  constructor() { this.kept = []; }
  async storeEvent(streamId, message) {
    this.kept.push({ streamId, message });
    return String(this.kept.length);
  }
  async getStreamIdForEventId(id) { return this.kept[Number(id) - 1]?.streamId; }
  async replayEventsAfter(id, { send }) {
    const { streamId } = this.kept[Number(id) - 1];
    for (const [index, event] of this.kept.entries()) {
      if (index >= Number(id) && event.streamId === streamId && event.message.jsonrpc) await send(String(index + 1), event.message);
    }
    return streamId;
  }
}

const sessions = new Map();
const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]']);
const local = (value) => value === undefined || LOCAL.has(URL.parse(value.includes('://') ? value : `http://${value}`)?.hostname);

async function serve(request, response) {
  if (!local(request.headers.host) || !local(request.headers.origin)) {
    response.writeHead(403).end();
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const message = body ? JSON.parse(body) : undefined;
  const id = request.headers['mcp-session-id'];
  let transport = sessions.get(id);
  if (!transport) {
    if (id !== undefined || request.method !== 'POST' || !types.isInitializeRequest(message)) {
      response.writeHead(id === undefined ? 400 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32000, message: 'no such session' } }));
      return;
    }
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID, eventStore: new Events(), retryInterval: 500,
      onsessioninitialized: (session) => { sessions.set(session, transport); },
    });
    await newServer().connect(transport);
  }
  await transport.handleRequest(request, response, message);
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ mcp: `http://127.0.0.1:${server.address().port}/mcp`, pid: process.pid }));
});
process.stdin.resume();
process.stdin.on('close', () => process.exit(0));
