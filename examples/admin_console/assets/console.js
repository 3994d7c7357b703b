// What needs a script, and nothing else: new rows of the audit, and a button that copies. Without it the
// audit is loaded again by hand, and a secret is marked and copied by hand.
(() => {
  'use strict';
  const ROWS = 200;

  for (const button of document.querySelectorAll('[data-copy]')) {
    button.hidden = !navigator.clipboard;
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = 'Copied';
    });
  }

  const live = document.querySelector('[data-live]');
  if (!live) return;
  const state = live.querySelector('[data-state]');
  const pause = document.querySelector('[data-pause]');
  const rows = document.querySelector('[data-rows]');
  const shape = document.querySelector('[data-row]').content.firstElementChild;
  const waiting = [];
  let paused = false;

  const say = (text, is) => {
    state.textContent = text;
    live.dataset.is = is;
  };
  const add = (record) => {
    const row = shape.cloneNode(true);
    // As text, never as HTML: these are words of strangers.
    for (const cell of row.querySelectorAll('[data-cell]')) cell.textContent = record[cell.dataset.cell];
    row.querySelector('time').dateTime = record.exact;
    row.querySelector('.pill').dataset.outcome = record.outcome;
    rows.prepend(row);
    while (rows.children.length > ROWS) rows.lastElementChild.remove();
    document.querySelector('.none')?.remove();
  };

  const source = new EventSource(live.dataset.live);
  source.addEventListener('open', () => paused || say('Live: new records appear at the top.', 'live'));
  source.addEventListener('message', (event) => {
    const record = JSON.parse(event.data);
    if (!paused) return add(record);
    if (waiting.push(record) > ROWS) waiting.shift();
    pause.textContent = `Resume, ${waiting.length} new`;
  });
  source.addEventListener('error', () => {
    const over = source.readyState === EventSource.CLOSED;
    say(over ? 'Ended. Load this page again to sign in.' : 'The connection broke. Trying again.', 'broken');
  });
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.textContent = paused ? 'Resume' : 'Pause';
    if (paused) return say('Paused.', 'paused');
    waiting.splice(0).forEach(add);
    say('Live: new records appear at the top.', 'live');
  });
  pause.hidden = false;
  document.querySelector('[data-plain]').hidden = true;
  say('Connecting.', 'broken');
})();
