// The page of a conversation: what the bot understood, folded or not, and new messages as they come.
// Whoever hears of something new says so:
//   document.dispatchEvent(new CustomEvent("conversation:changed", { detail: { id } }))

const EVERY = 20_000;
const KEPT = "rapport-understood";
const list = document.getElementById("transcript");
const box = document.querySelector("#unfold input");
const talk = document.querySelector(".talk");

function unfold(inside) {
  for (const part of inside.querySelectorAll("details.understood")) part.open = box.checked;
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function keep(value) {
  try {
    localStorage.setItem(KEPT, value);
  } catch {
    // The address still says it.
  }
}

const address = new URL(location.href);
if (!address.searchParams.has("understood") && kept() === "1") {
  box.checked = true;
  unfold(list);
}
box.addEventListener("change", () => {
  unfold(list);
  keep(box.checked ? "1" : "0");
  const now = new URL(location.href);
  if (box.checked) now.searchParams.set("understood", "1");
  else now.searchParams.delete("understood");
  history.replaceState(null, "", now);
});

let asking = false;
let again = false;

export async function refresh() {
  if (!("live" in list.dataset)) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const { conversation, last } = list.dataset;
    const answer = await fetch(`/console/conversations/${conversation}/messages?after=${last}`);
    if (answer.ok) add(await answer.text());
  } catch {
    // Away for a moment: the next time brings all of it.
  } finally {
    asking = false;
  }
  if (again) {
    again = false;
    await refresh();
  }
}

function add(html) {
  // Made by our own templates, which escape all that people wrote.
  const fresh = [...new DOMParser().parseFromString(`<ol>${html}</ol>`, "text/html").querySelectorAll("ol > li[data-sequence]")]
    .filter((item) => !document.getElementById(item.id));
  if (!fresh.length) return;
  document.querySelector(".talk .empty")?.remove();
  list.append(...fresh);
  list.dataset.last = fresh.at(-1).dataset.sequence;
  unfold(list);
  talk.dispatchEvent(new CustomEvent("conversation:shown", { bubbles: true }));
}

document.addEventListener("conversation:changed", (event) => {
  if (event.detail?.id === list.dataset.conversation) refresh();
});
setInterval(() => document.hidden || refresh(), EVERY);
