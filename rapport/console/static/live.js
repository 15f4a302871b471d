// What staff are told at once: numbers in the menu and the title, a notice with a link, a sound if wanted.
//
// A browser opens six connections to a host, so all its pages share one stream: the page that holds the lock
// listens and tells the others. Whatever is missed here stands in the database: the next state says it again.

const texts = document.getElementById("live").dataset;
const alerts = document.getElementById("alerts");
const title = document.title;
const here = location.pathname.match(/^\/console\/conversations\/([0-9a-f]{32})$/)?.[1];
const others = "BroadcastChannel" in window ? new BroadcastChannel("rapport-live") : null;
const SEEN = "rapport-seen";
const AGAIN_SECONDS = 60;
const LATE_MS = 1000;
const HELD_MS = 1500;

let source = null;
let latest = null;
let audio = null;
let over = false;
let caughtUp = false;

// --- the stream ---------------------------------------------------------------------------------------------

function hear(kind, content) {
  if (kind === "hello" && source && latest) tell("state", latest);
  if (kind === "opened") caughtUp = false;
  if (kind === "state") show(content);
  if (kind === "changed") changed(content.conversations);
  if (kind === "ended") ended();
}

function tell(kind, content) {
  hear(kind, content);
  others?.postMessage([kind, content]);
}

function listen() {
  return new Promise((done) => {
    if (over) return done();
    source = new EventSource("/console/live");
    for (const kind of ["state", "changed"]) {
      source.addEventListener(kind, (event) => tell(kind, JSON.parse(event.data)));
    }
    source.addEventListener("open", () => tell("opened"));
    source.addEventListener("ended", () => {
      source.close();
      tell("ended", {});
      done();
    });
    source.addEventListener("error", () => {
      // It tries again by itself, but when it was refused: logged out, or too many pages.
      if (source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(done, AGAIN_SECONDS * 1000);
      }
    });
  });
}

async function begin() {
  for (;;) {
    if (navigator.locks && others) await navigator.locks.request("rapport-live", listen);
    else await listen();
    if (over) return;
  }
}

if (others) others.onmessage = (event) => hear(...event.data);
addEventListener("pagehide", () => {
  source?.close();
  others?.close();
});
addEventListener("pageshow", (event) => event.persisted && location.reload());
others?.postMessage(["hello"]);
begin();

function ended() {
  over = true;
  notice(texts.ended, "/console/login", texts.login);
}

// --- what is shown ------------------------------------------------------------------------------------------

function show(state) {
  latest = state;
  const unanswered = state.mine.filter((one) => one.unanswered).length;
  for (const badge of document.querySelectorAll('[data-count="bell"]')) {
    badge.textContent = state.count;
    badge.hidden = !state.count;
    badge.title = texts.count;
  }
  const number = state.count + unanswered;
  document.title = number ? `(${number}) ${title}` : title;
  news(state);
  if (!caughtUp && here) changed([here]); // what came while nobody listened
  caughtUp = true;
  document.dispatchEvent(new CustomEvent("live:state", { detail: state }));
}

function news(state) {
  const known = remembered();
  const now = {};
  for (const one of state.waiting) now[`w${one.id}${one.since}`] = 0;
  for (const one of state.mine) now[`m${one.id}`] = one.heard;
  sessionStorage.setItem(SEEN, JSON.stringify(now));
  if (!known) return; // the first look of this tab
  const waiting = state.waiting.filter((one) => !(`w${one.id}${one.since}` in known));
  const wrote = state.mine.filter((one) => one.unanswered && one.heard > (known[`m${one.id}`] ?? one.heard));
  for (const one of waiting) notice(texts.waiting, `/console/conversations/${one.id}`, texts.open);
  for (const one of wrote) if (one.id !== here || document.hidden) notice(texts.wrote, `/console/conversations/${one.id}`, texts.open);
  if (waiting.length || wrote.length) alarm(waiting.length ? texts.waiting : texts.wrote);
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(SEEN));
  } catch {
    return null;
  }
}

function changed(conversations) {
  for (const id of conversations) document.dispatchEvent(new CustomEvent("conversation:changed", { detail: { id } }));
  document.dispatchEvent(new CustomEvent("live:changed", { detail: conversations }));
}

const MOST_NOTICES = 3;

function notice(text, href, label) {
  const box = document.createElement("div");
  box.className = "row spread";
  const said = document.createElement("span");
  said.textContent = text;
  const link = Object.assign(document.createElement("a"), { href, textContent: label, className: "button" });
  const close = Object.assign(document.createElement("button"), { type: "button", textContent: "×", className: "quiet" });
  close.setAttribute("aria-label", texts.close);
  close.addEventListener("click", () => box.remove());
  box.append(said, link, close);
  alerts.append(box);
  while (alerts.children.length > MOST_NOTICES) alerts.firstElementChild.remove();
}

// --- sound and desktop --------------------------------------------------------------------------------------

function alarm(text) {
  const came = Date.now();
  if (wanted("sound")) once("sound", came, beep);
  if (!wanted("notify") || !("Notification" in window) || Notification.permission !== "granted") return;
  // A page in view comes first: who looks at it reads the notice there.
  setTimeout(() => once("notify", came, () => {
    if (document.hidden) new Notification(text, { tag: "rapport" });
    return true;
  }), document.hidden ? 300 : 0);
}

function wanted(name) {
  return localStorage.getItem(`rapport-${name}`) === "1";
}

// Of several open pages one tells: the first that can holds up the others until it is too late for them.
function once(name, came, action) {
  const tell = async () => {
    if (Date.now() - came < LATE_MS && (await action())) await pause(HELD_MS);
  };
  if (navigator.locks) navigator.locks.request(`rapport-${name}`, tell);
  else tell();
}

function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

// Whether it is heard: browsers let a page sound only after a click, and `resume` waits for that.
async function beep() {
  audio ??= new AudioContext();
  await Promise.race([audio.resume(), pause(300)]);
  if (audio.state !== "running") return false;
  for (const [delay, pitch] of [[0, 660], [0.18, 880]]) {
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0.08, audio.currentTime + delay);
    loudness.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + delay + 0.16);
    tone.connect(loudness).connect(audio.destination);
    tone.start(audio.currentTime + delay);
    tone.stop(audio.currentTime + delay + 0.17);
  }
  return true;
}

document.addEventListener("live:try-sound", beep);
