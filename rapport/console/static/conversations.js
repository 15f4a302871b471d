// Keys for the list of conversations, and the tabs' counts. The page works without either.

const rows = [...document.querySelectorAll(".talk .who")];
const help = document.getElementById("keys");
const said = document.getElementById("where");
const helper = document.querySelector("[data-help]");
let going = 0; // until when the key after "g" is waited for

function move(step) {
  if (!rows.length) return;
  const now = rows.indexOf(document.activeElement);
  const next = now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(now + step, 0), rows.length - 1);
  rows[next].focus();
  rows[next].scrollIntoView({ block: "nearest" });
  said.textContent = `${next + 1} / ${rows.length}`;
}

function follow(selector) {
  document.querySelector(selector)?.click();
}

const keys = {
  j: () => move(1),
  k: () => move(-1),
  o: () => rows.includes(document.activeElement) && document.activeElement.click(),
  n: () => follow("[data-older]"),
  p: () => follow("[data-newer]"),
  "/": () => {
    document.getElementById("q").focus();
    document.getElementById("q").select();
  },
  "?": () => help.showModal(),
  g: () => {
    going = Date.now() + 1500;
  },
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea, [contenteditable]");
  if (typing || help.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (going > Date.now()) {
    going = 0;
    const page = [...document.querySelectorAll("[data-go]")].find((line) => line.dataset.go === event.key);
    if (page) location.assign(page.dataset.path);
    return;
  }
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

helper.hidden = false;
helper.addEventListener("click", () => help.showModal());

// One after the other: the list itself comes first.
for (const place of document.querySelectorAll("[data-count-of]")) {
  try {
    const answer = await fetch(`/console/conversations/count?${place.dataset.countOf}`);
    if (!answer.ok) break;
    const { count, more } = await answer.json();
    if (count === null) continue;
    place.textContent = new Intl.NumberFormat(document.documentElement.lang).format(count) + (more ? "+" : "");
    place.hidden = false;
  } catch {
    break;
  }
}
