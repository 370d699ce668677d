// Improvements of the pages; every one of them works without it. No HTML sink is used (Trusted Types), nothing is sent
// but one GET of the session's state.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const body = document.body;
// The page's language, in the reader's own variety of it: 14:05 or 2:05 PM.
const lang = navigator.languages.find((l) => l.split('-')[0] === document.documentElement.lang) || document.documentElement.lang;

const element = (tag, className, ...children) => {
  const e = document.createElement(tag);
  e.className = className;
  e.append(...children);
  return e;
};

// Moments in the reader's language and zone: the one of their profile, or this device's.
const zone = { timeZone: body.dataset.zone };
try { new Intl.DateTimeFormat(lang, zone); } catch { delete zone.timeZone; } // a newer name than this browser knows
for (const zones of $$('[data-zones]')) {
  zones.append(...(Intl.supportedValuesOf?.('timeZone') ?? []).map((name) => Object.assign(document.createElement('option'), { value: name })));
}
for (const time of $$('time[data-local]')) {
  const at = new Date(time.dateTime), how = time.dataset.local;
  if (isNaN(at)) continue;
  const full = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short', ...zone }).format(at);
  if (how === 'time') time.textContent = new Intl.DateTimeFormat(lang, { timeStyle: 'short', ...zone }).format(at);
  else if (how === 'date') time.textContent = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', ...zone }).format(at);
  else if (how === 'ago') time.textContent = ago(at) ?? full;
  else time.textContent = full;
  time.title = full;
}

function ago(at) {
  const seconds = (at - Date.now()) / 1000, past = Math.abs(seconds);
  const words = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' });
  if (past < 45) return words.format(0, 'second');
  if (past < 3600) return words.format(Math.round(seconds / 60), 'minute');
  if (past < 86400) return words.format(Math.round(seconds / 3600), 'hour');
  if (past < 7 * 86400) return words.format(Math.round(seconds / 86400), 'day');
}

// What only makes sense with, or without, this module.
for (const e of $$('[data-without-js]')) e.hidden = true;
for (const e of $$('[data-with-js]')) e.hidden = false;

// Show a password; hidden again before it is sent, so that no browser remembers it as a text field.
for (const button of $$('.reveal')) {
  const input = document.getElementById(button.getAttribute('aria-controls'));
  const show = (on) => {
    input.type = on ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(on));
  };
  button.hidden = false;
  button.addEventListener('click', () => { show(button.getAttribute('aria-pressed') !== 'true'); input.focus(); });
  input.form.addEventListener('submit', () => show(false));
  const caps = document.getElementById(input.id + '-caps');
  const check = (event) => {
    const on = event.type !== 'blur' && event.getModifierState?.('CapsLock');
    const text = on ? caps.dataset.text : '';
    if (caps.textContent !== text) caps.textContent = text;
  };
  for (const type of ['keydown', 'keyup', 'blur']) input.addEventListener(type, check);
}

// A code of six digits sends itself, once; the hint says so. After a wrong one it waits for a change.
const digits = $('[data-digits]');
if (digits) {
  let sent = false;
  digits.setAttribute('aria-describedby', `${digits.getAttribute('aria-describedby') ?? ''} code-hint`.trim());
  digits.addEventListener('input', () => {
    if (sent || !/^\d{6}$/.test(digits.value.replace(/[\s-]/g, ''))) return;
    sent = true;
    digits.form.requestSubmit();
  });
  addEventListener('pageshow', () => { sent = false; });
}

const printer = $('[data-print]');
if (printer) {
  printer.hidden = false;
  printer.addEventListener('click', () => print());
}

// A pressed button says that it was heard, and a form is sent once: a double click, or Enter after the sixth digit has sent
// a code by itself, would cut off the answer to the first, and with it the session's new cookie. After ten seconds
// without an answer, or when the page is shown again, it may be sent again. A form whose answer is a file stays as it is.
const sentAt = new Map();
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || 'stays' in form.dataset) return;
  if (performance.now() - sentAt.get(form) < 10000) return event.preventDefault();
  sentAt.set(form, performance.now());
  event.submitter?.classList.add('busy');
});
addEventListener('pageshow', () => {
  sentAt.clear();
  $$('.busy').forEach((b) => b.classList.remove('busy'));
});

// The setup code comes behind #, which no server logs; it goes into the form and out of the address bar.
const token = $('[data-setup-token]');
if (token && location.hash.startsWith('#t=')) {
  token.value = decode(location.hash.slice(3));
  history.replaceState(null, '', location.pathname + location.search);
  const hint = $('#token-hint');
  hint.textContent = hint.dataset.taken;
  $('#username').focus();
}

function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

// A form's answer loses what followed # in the address; apps that route by it need it back. A jump within this page is
// no part of the address; it can only be there when the page is shown again.
const fragment = $('[data-fragment]');
const hash = location.hash.slice(1);
const shownAgain = performance.getEntriesByType('navigation')[0]?.type !== 'navigate';
if (fragment && hash && hash.length <= 2048 && !(shownAgain && document.getElementById(hash))) fragment.value = hash;

for (const button of $$('[data-copy]')) {
  button.hidden = false;
  const status = $('.copied', button.closest('.reference, .snippet, [data-copy-box]'));
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      status.textContent = button.dataset.copied;
      setTimeout(() => { status.textContent = ''; }, 4000);
    } catch {
      getSelection().selectAllChildren(source);
    }
  });
}

// The clock of a limit. It runs from the server's number of seconds, so a wrong clock here does no harm.
const countdown = $('[data-countdown]');
if (countdown) {
  const status = $('[data-countdown-status]'), end = performance.now() + countdown.dataset.countdown * 1000;
  let last;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    const text = left >= 60 ? countdown.dataset.minutes : countdown.dataset.seconds;
    countdown.textContent = text.replace('{m}', Math.floor(left / 60)).replace('{s}', left >= 60 ? left % 60 : left);
    if (last > 60 && left <= 60) status.textContent = status.dataset.oneMinute;
    if (left === 0) {
      status.textContent = status.dataset.over;
      status.classList.remove('sr');
      status.classList.add('note', 'ok');
      clearInterval(timer);
    }
    last = left;
  };
  const timer = setInterval(tick, 1000);
  tick();
}

const resubmit = $('[data-resubmit]');
if (resubmit) {
  resubmit.hidden = false;
  resubmit.addEventListener('click', () => location.reload());
}

// Other tabs. A channel reaches tabs of this origin at once; looking again when the tab is seen works for all.
const channel = 'BroadcastChannel' in window ? new BroadcastChannel('truxe') : null;
const announce = $('[data-announce]')?.dataset.announce;
if (announce) channel?.postMessage(announce);

const waiting = $('[data-sync]'), kind = waiting?.dataset.sync, viewer = body.dataset.viewer;
if (waiting || viewer) {
  channel?.addEventListener('message', (event) => {
    if (kind !== 'stepup') look();
    else if (event.data === 'confirmed') say($('#other-tab'), $('#other-tab').dataset.confirmed);
  });
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible' && kind !== 'stepup') look(); });
}

async function look() {
  let session;
  try {
    const answer = await fetch(body.dataset.session, { headers: { Accept: 'application/json' }, cache: 'no-store' });
    if (!answer.ok) return;
    session = await answer.json();
  } catch {
    return; // offline: the next look will tell
  }
  const name = session.authenticated ? session.username : '';
  if (kind && name) signedInElsewhere(name);
  else if (!kind && viewer && name !== viewer) {
    say($('#sync'), name ? body.dataset.otherUser.replace('{name}', name) : body.dataset.signedOut, body.dataset.reload, () => location.reload());
  }
}

function signedInElsewhere(name) {
  const slot = $('#other-tab');
  const text = slot.dataset.signedIn.replace('{name}', name);
  if (kind === 'ended') return say(slot, text);
  const form = $('form', waiting);
  if (!form) return; // it asks who to go on as
  const again = () => {
    const to = new URL(waiting.dataset.here || location.href, location.href);
    // With only a new fragment the browser would jump instead of asking the server.
    if (fragment?.value) { to.searchParams.set('again', '1'); to.hash = fragment.value; }
    location.assign(to);
  };
  say(slot, text, slot.dataset.continue, again);
  // A plain sign-in goes on by itself, once: not when another account was asked for, nor over something being typed.
  const asked = new URLSearchParams(location.search).has('switch');
  if (asked || $$('input[type=password], #code', form).some((i) => i.value) || Date.now() - sessionStorage.getItem('truxe-went-on') < 30000) return;
  sessionStorage.setItem('truxe-went-on', Date.now());
  again();
}

function say(slot, text, action, act) {
  const parts = [element('span', 'grow', text)];
  if (action) {
    const button = element('button', 'button small', action);
    button.type = 'button';
    button.addEventListener('click', act);
    parts.push(button);
  }
  slot.replaceChildren(element('div', 'note ok', ...parts));
}
