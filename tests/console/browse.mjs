// Administrators at a real browser, in front of the example `admin_console`: what they see, what they change,
// what they must not, with a script and without. Every page is held against axe-core, in light and in dark,
// and its outline (elements, attributes that people or their tools notice, text) is written down.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

const { CONSOLE, CHROMIUM, PICTURES, STYLE } = process.env;
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SECONDS = 20;
const WIDE = { width: 1200, height: 860, deviceScaleFactor: 1.25 };
const TALL = { ...WIDE, height: 890 };
const NARROW = { width: 390, height: 780, deviceScaleFactor: 1.5 };
const complaints = [];
const outlines = {};
const ids = new Set(); // of the tokens issued here
let checked = 0;

const browser = await puppeteer.launch({
  executablePath: CHROMIUM,
  headless: true,
  pipe: true, // it ends when nobody holds the other end
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--hide-scrollbars', '--font-render-hinting=none'],
});

/** Somebody with a browser of their own. */
async function person({ script = true, expect = [] } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(SECONDS * 1000);
  await page.setViewport(WIDE);
  await page.setJavaScriptEnabled(script);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // Chromium reports every refused document here, those that we ask for included.
    if (!expect.some((status) => message.text().includes(`status of ${status}`))) complaints.push(message.text());
  });
  return page;
}

async function signIn(page, name) {
  await page.goto(CONSOLE);
  await follow(page, 'main a.button');
  await page.click(`input[name=user][value=${name}]`);
  return follow(page, 'button[value=allow]');
}

/** Clicks, and waits for the page it leads to; the last answer. */
async function follow(page, what) {
  const [answer] = await Promise.all([page.waitForNavigation(), page.click(what)]);
  return answer;
}

const open = (page, path) => page.goto(CONSOLE + path);
const text = (page, what = 'main') => page.$eval(what, (element) => element.textContent);

async function fill(page, what, value) {
  await page.$eval(what, (field) => { field.value = ''; });
  await page.type(what, value);
}

/** Puts the same in place of what is another at each start: ids, secrets, ports. */
const settle = (page) => page.evaluate((issued) => {
  // An id may look like a word, all letters: it is known, not guessed at.
  const anonymous = (words) => issued.reduce((text, id) => text.replaceAll(id, '4Zk9QmTb2XvR7cLd'), words);
  const same = (words) => anonymous(words)
    .replace(/mcp([us])_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}/g, 'mcp$1_4Zk9QmTb2XvR7cLd_H8sWn3YpJ6fGq1KxVt5BzRcM0aDeUo2NiLw9ThSg4PyEXAMPLE')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:8011');
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    if (node.nodeValue !== same(node.nodeValue)) node.nodeValue = same(node.nodeValue);
  }
}, [...ids]);

/** Elements with what people and their tools notice of them, one a line. */
const outline = (page) => page.evaluate(() => {
  const told = ['class', 'role', 'type', 'name', 'for', 'scope', 'lang', 'hidden', 'tabindex', 'datetime', 'placeholder', 'href'];
  const lines = [];
  const visit = (node, depth) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const words = node.nodeValue.replace(/\s+/g, ' ').trim();
      if (words) lines.push(`${' '.repeat(depth)}"${words}"`);
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    const own = [...node.attributes].filter(({ name }) => told.includes(name) || name.startsWith('aria-') || name.startsWith('data-'));
    const shown = own.map(({ name, value }) => `${name}=${value.replace(/\/tokens\/[0-9A-Za-z]{16}/, '/tokens/ID').replace(/after=\d+/, 'after=N')}`);
    if (node.matches('input:checked')) shown.push('checked');
    lines.push(`${' '.repeat(depth)}${node.localName} ${shown.sort().join(' ')}`.trimEnd());
    for (const child of node.childNodes) visit(child, depth + 1);
  };
  visit(document.documentElement.querySelector('body'), 0);
  return `${document.title}\n${lines.join('\n')}\n`;
});

/** In one colour scheme, and standing still. */
const look = (page, scheme) => page.emulateMediaFeatures([
  { name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' },
]);

/** Holds a page against what axe-core knows of WCAG 2.2 A and AA, in both colour schemes. */
async function accessible(page, name) {
  for (const scheme of ['dark', 'light']) {
    await look(page, scheme);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }));
    const found = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
    complaints.push(...found.map((one) => `${name} in ${scheme}: ${one}`));
  }
  // Nothing wider than the window but what scrolls by itself, and a name on every field.
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert(!wide, `${name} is wider than its window`);
  checked += 1;
  if (process.env.VERBOSE) console.error(name);
}

/** Judges a page, and keeps its outline and, if it is to be seen, its picture. */
async function keep(page, name, { dark = false, picture = true } = {}) {
  await settle(page);
  outlines[name] = await outline(page);
  await accessible(page, name);
  await look(page, dark ? 'dark' : 'light');
  if (picture && PICTURES) {
    await page.evaluate(() => { window.scrollTo(0, 0); document.activeElement?.blur(); });
    await page.screenshot({ path: join(PICTURES, `${name}.png`), optimizeForSpeed: false });
  }
}

async function nobody() {
  const page = await person();
  const answer = await open(page, '/');
  const policy = answer.headers()['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  await keep(page, 'welcome');
  for (const path of ['/networks', '/tokens', '/audit']) {
    await open(page, path);
    assert.equal(new URL(page.url()).pathname, '/', path);
  }
  await page.close();
}

async function notAnAdministrator() {
  const page = await person({ expect: [403] });
  const answer = await signIn(page, 'adam');
  assert.equal(answer.status(), 403);
  assert.match(await text(page), /acme has not made you an administrator/);
  assert.deepEqual((await page.cookies()).filter(({ name }) => name === 'console'), []);
  await keep(page, 'refused', { picture: false });
  await page.close();
}

/** The keyboard alone: the way past the navigation, a visible focus, and a switch. */
async function keyboard(page) {
  await open(page, '/');
  await page.keyboard.press('Tab');
  const first = await page.evaluate(() => {
    const { top } = document.activeElement.getBoundingClientRect();
    return { words: document.activeElement.textContent, visible: top >= 0 };
  });
  assert.deepEqual(first, { words: 'Skip to the content', visible: true });
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  const focus = await page.evaluate(() => {
    const style = getComputedStyle(document.activeElement);
    return { role: document.activeElement.getAttribute('role'), outline: style.outlineStyle, width: style.outlineWidth };
  });
  assert.deepEqual(focus, { role: 'switch', outline: 'solid', width: '3px' });
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Space')]);
  assert.match(await text(page, '.notice'), /Personal API tokens are on/);
}

async function networks(page) {
  await open(page, '/networks');
  await fill(page, '#network-1', '203.0.113.9/24');
  await fill(page, '#network-3', 'the office');
  const answer = await follow(page, 'main button.button');
  assert.equal(answer.status(), 422);
  assert.equal(await page.$$eval('[aria-invalid=true]', (fields) => fields.length), 2);
  await keep(page, 'networks-mistakes');
  await fill(page, '#network-1', '203.0.113.0/24');
  await fill(page, '#network-3', '198.51.100.0/25');
  await follow(page, 'main button.button');
  assert.match(await text(page, '.notice'), /Saved/);
  await keep(page, 'networks', { picture: false });
}

async function twoAtOnce(alice) {
  const anna = await person();
  await signIn(anna, 'anna');
  await open(anna, '/permissions');
  await open(alice, '/permissions');
  await anna.click('input[name=on-1][value=write]');
  await follow(anna, 'main button.button');
  await alice.click('input[name=on-0][value=delete]');
  const answer = await follow(alice, 'main button.button');
  assert.equal(answer.status(), 409);
  assert.match(await text(alice, '.banner'), /anna/);
  await keep(alice, 'conflict');
  await open(alice, '/permissions');
  await keep(alice, 'permissions', { dark: true });
  await open(alice, '/clients');
  await keep(alice, 'clients');
  await anna.close();
}

async function token(page) {
  await open(page, '/tokens/new');
  await follow(page, 'main button.button');
  assert.match(await text(page, '.banner'), /One thing needs another look/);
  await keep(page, 'new-token-mistakes', { picture: false });
  await open(page, '/tokens/new');
  await page.type('#account', 'deploy-bot');
  await page.type('#name', 'Deployments');
  await page.click('input[name=scope][value="write:issues"]');
  await keep(page, 'new-token');
  await follow(page, 'main button.button');
  const secret = await text(page, '#secret-text');
  assert.match(secret, /^mcps_/);
  ids.add(secret.split('_')[1]);
  assert(!page.url().includes(secret.slice(22)), 'the secret is in the URL');
  await keep(page, 'token-secret', { dark: true });
  const place = page.url();
  await page.reload();
  assert.equal(await page.$('#secret-text'), null, 'the secret is shown twice');
  await keep(page, 'token', { picture: false });
  await open(page, '/tokens');
  await keep(page, 'tokens');
  return { place, secret };
}

async function otherOrganization({ place }) {
  const gina = await person({ expect: [404] });
  await signIn(gina, 'gina');
  const answer = await gina.goto(place);
  assert.equal(answer.status(), 404);
  for (const path of ['/', '/tokens', '/audit', '/networks']) {
    await open(gina, path);
    assert.doesNotMatch(await text(gina), /deploy-bot|Deployments|alice|198\.51\.100/, path);
  }
  await keep(gina, 'other-organization', { picture: false });
  await gina.close();
}

async function live(page, { place }) {
  const watcher = await person();
  await signIn(watcher, 'alice');
  await open(watcher, '/audit');
  await watcher.waitForSelector('[data-live][data-is=live]');
  await page.goto(place);
  await page.click('summary');
  await follow(page, 'button.danger');
  const newest = (words) => watcher.waitForFunction((expected) => {
    const row = document.querySelector('[data-rows] tr').textContent;
    return expected.every((word) => row.includes(word));
  }, {}, words);
  await newest(['API token revoked', 'alice', 'Administrator']);
  await watcher.click('[data-pause]');
  await open(page, '/');
  await follow(page, 'button[name=personal]');
  await watcher.waitForFunction(() => document.querySelector('[data-pause]').textContent === 'Resume, 1 new');
  await watcher.click('[data-pause]');
  await newest(['Policy changed', 'Personal API tokens off', 'alice']);
  await watcher.setViewport(TALL);
  await keep(watcher, 'audit');
  await watcher.close();
}

async function withoutScript() {
  const page = await person({ script: false });
  const by = (name) => page.$$(`xpath/.//main//button[@name="${name}"]`).then(([button]) => button);
  await signIn(page, 'alice');
  const before = await page.content();
  assert.match(before, /name="personal" value="on"/);
  const [answer] = await Promise.all([page.waitForNavigation(), (await by('personal')).click()]);
  assert.equal(answer.status(), 200);
  assert.match(await page.content(), /Personal API tokens are on/);
  await open(page, '/audit');
  assert.match(await page.content(), /Policy changed/);
  await page.close();
}

async function signOut(page) {
  await page.setViewport(NARROW);
  await open(page, '/');
  await keep(page, 'overview-narrow', { dark: true });
  await open(page, '/tokens');
  await keep(page, 'tokens-narrow', { picture: false });
  await follow(page, '.me button');
  assert.match(await text(page), /Sign in/);
  await open(page, '/networks');
  assert.equal(new URL(page.url()).pathname, '/');
}

try {
  await nobody();
  await notAnAdministrator();
  const page = await person({ expect: [409, 422] });
  await signIn(page, 'alice');
  await keep(page, 'overview');
  await keyboard(page);
  const issued = await token(page);
  await live(page, issued);
  await networks(page);
  await twoAtOnce(page);
  await otherOrganization(issued);
  await withoutScript();
  await signOut(page);
  assert.deepEqual(complaints, [], 'complaints of the browser and of axe-core');
  const digest = (words) => createHash('sha256').update(words).digest('hex');
  const pages = Object.entries(outlines).map(([name, words]) => [name, digest(words)]);
  const style = digest(await readFile(STYLE, 'utf8'));
  const summary = { style, pages: Object.fromEntries(pages.sort()) };
  await writeFile(process.env.DIGESTS, `${JSON.stringify(summary, null, 2)}\n`);
  await writeFile(process.env.OUTLINES, JSON.stringify(outlines));
  console.log(`${checked} pages by axe-core, light and dark; ${await browser.version()}`);
} finally {
  await browser.close();
}
