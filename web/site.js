/* Rapport's script for the shop's pages: tells what is looked at and put in the cart, once the visitor agreed to that.
 * Before `rapport.consent(true)` or data-consent="granted" nothing is sent or stored. How to use it: docs/contact.md. */
(() => {
  "use strict";
  if (window.rapport?.track) return;
  const script = document.currentScript ?? document.querySelector('script[src*="site.js"]');
  const HOME = new URL("api/site/", new URL(".", script?.src || location.href));
  const KEY = "rapport-site";
  const FORGET = "rapport-site-forget";
  const MOST = 50; // events in one request, and ids of before that are remembered
  const PATIENCE = 500; // ms, in which events are gathered
  const TRIES = 5;

  let granted = false;
  let token = script?.dataset.identityToken || null;
  let loggedIn = Boolean(token); // a token may expire while somebody reads a page
  let queue = [], memory = null, timer = 0, tries = 0;
  let turn = 0; // counts who it may be: what was done in an earlier turn is not sent in a later one

  const load = (key) => {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  };

  const save = (entry) => {
    memory = entry;
    try {
      if (entry) localStorage.setItem(KEY, JSON.stringify(entry));
      else localStorage.removeItem(KEY);
    } catch {
      // in memory, then
    }
    return entry;
  };

  /** Over plain http there is no crypto.randomUUID. */
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  /** Who this browser is. After a log-out it is somebody new: others may use it as well. */
  const visitor = () => {
    const entry = load(KEY) ?? memory;
    return entry?.id && (loggedIn || !entry.known) ? entry : save({ id: random() });
  };

  const post = (path, body) =>
    fetch(new URL(path, HOME), {
      method: "POST", keepalive: true, credentials: "omit",
      headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });

  /** Tells who is to be forgotten, on every page until it was heard. */
  const forget = (ids) => {
    const keep = (left) => {
      try {
        if (left.length) localStorage.setItem(FORGET, JSON.stringify(left));
        else localStorage.removeItem(FORGET);
      } catch {
        // once must do, then
      }
    };
    keep(ids);
    for (const id of ids)
      post("forget", { visitor: id })
        .then(({ status }) => status === 429 || status >= 500 || keep((load(FORGET) ?? []).filter((one) => one !== id)))
        .catch(() => {});
  };

  const later = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(flush, ms);
  };

  const again = (events) => {
    if (++tries > TRIES) {
      tries = 0; // quietly: a page is no worse off without
      return;
    }
    queue.unshift(...events);
    later(500 * 2 ** tries);
  };

  /** What became of a request; `entry` is who it was sent for. */
  const settle = (status, events, entry, used) => {
    const same = load(KEY)?.id === entry.id || memory?.id === entry.id;
    if (status < 300) {
      tries = 0;
      if (used && same && !entry.known) save({ ...entry, known: true });
    } else if (status === 409) {
      // It is a customer's who does not show that it is they: somebody else may sit here by now.
      if (same) save({ id: random(), known: loggedIn, before: [...(entry.before ?? []), entry.id].slice(-MOST) });
      again(events);
    } else if (status === 401) {
      if (token === used) token = null;
      again(events);
    } else if (status === 429 || status >= 500) again(events);
    else if (events.length > 1) for (const event of events) send([event]); // one of them is at fault
    else console.warn("rapport: this event is not understood", events[0]);
  };

  const send = async (events) => {
    const entry = visitor();
    const used = token, mine = turn;
    const now = Date.now();
    let status = 503;
    try {
      const answer = await post("events", {
        visitor: entry.id,
        identity_token: used ?? undefined,
        chat_token: load("rapport-chat")?.token,
        language: document.documentElement.lang || undefined,
        events: events.map(({ at, ...event }) => ({ ...event, ago: Math.max(0, Math.round((now - at) / 1000)) })),
      });
      status = answer.status;
    } catch {
      // offline, or blocked
    }
    if (mine === turn) settle(status, events, entry, used);
  };

  function flush() {
    clearTimeout(timer);
    while (granted && queue.length) send(queue.splice(0, MOST));
  }

  const track = (kind, details = {}) => {
    if (!granted) return;
    try {
      queue.push({ ...JSON.parse(JSON.stringify(details)), kind, at: Date.now() }); // the page goes on with its own
      later(PATIENCE);
    } catch {
      // nothing that could be sent
    }
  };

  const consent = (given) => {
    if (given) {
      if (granted) return;
      granted = true;
      const sku = document.querySelector("[data-rapport-sku]")?.dataset.rapportSku;
      if (sku) track("product_viewed", { sku });
      return;
    }
    granted = false;
    queue = [];
    turn += 1;
    clearTimeout(timer);
    const entry = load(KEY) ?? memory;
    save(null);
    if (entry?.id) forget([...(load(FORGET) ?? []), ...(entry.before ?? []), entry.id]);
  };

  /** Pages that log in without being loaded anew; null when somebody logs out. */
  const identify = (given) => {
    flush();
    turn += 1;
    token = given || null;
    loggedIn = Boolean(token);
  };

  window.rapport = Object.freeze({ consent, track, identify });
  addEventListener("pagehide", flush);
  document.addEventListener("visibilitychange", () => document.hidden && flush());
  forget(load(FORGET) ?? []);
  const start = () => script?.dataset.consent === "granted" && consent(true);
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
