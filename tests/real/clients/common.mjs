// What the scripts of all JavaScript clients share: what they were given, and the person.

export const given = JSON.parse(process.env.REAL);

/** The answer of a JSON endpoint of the test. */
export async function ask(url, init) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(20_000), ...init });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
}

/** A person logs in and says yes; the redirect they end with. */
export async function visit(page, user = 'alice') {
  const query = new URLSearchParams({ url: String(page), user, jar: given.jar });
  return new URL((await ask(`${given.browser}/visit?${query}`)).location);
}

/** Changes what the authorization server does; what happened there since the last time. */
export const control = (changes = {}) => ask(given.control, { method: 'POST', body: JSON.stringify(changes) });

export const apiTokens = (state) => ask(`${given.admin}/organizations/acme/api-tokens/${state}`, { method: 'POST' });

/** What the MCP server answered since the last time. */
export const answered = () => ask(`${given.admin}/log`);

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export const basic = () => `Basic ${btoa(`${given.tokens.email}:${given.tokens.personal}`)}`;
export const bearer = () => `Bearer ${given.tokens.service}`;

/** Thrown for what a client cannot do, with what was seen of it. */
export class ClientLimit extends Error {}

/** Runs the flow that was asked for and says how it went: a note, or `{ but }`, which users must know. */
export async function main(flows) {
  const flow = process.argv[2];
  let result;
  try {
    if (!flows[flow]) throw new Error(`there is no flow ${flow}`);
    const said = await flows[flow]();
    result = { ok: true, ...typeof said === 'string' ? { note: said } : said };
  } catch (error) {
    if (error instanceof ClientLimit) result = { ok: false, limit: error.message };
    else result = { ok: false, error: `${error?.stack ?? error}${error?.cause ? `\ncause: ${error.cause}` : ''}` };
  }
  console.log(JSON.stringify(result));
  process.exit(result.ok || result.limit ? 0 : 1);
}
