// The answer box: Ctrl+Enter, drafts, canned replies, sending without leaving the page.

const form = document.getElementById("say");
const text = form.elements.text;
const draft = `rapport-draft-${form.dataset.conversation}`;
const problem = form.querySelector(".problem");
const said = form.querySelector("[role=status]");
const canned = document.querySelector(".canned");

// --- what is being written is not lost ----------------------------------------------------------------------

if (!text.value) text.value = sessionStorage.getItem(draft) ?? "";
text.addEventListener("input", () => {
  sessionStorage.setItem(draft, text.value);
  said.textContent = "";
  expand();
});

// --- sending ------------------------------------------------------------------------------------------------

text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
});

let sending = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  sending = true;
  problem.hidden = true;
  said.textContent = "";
  try {
    // The same client_id until it is known to be sent: twice is once.
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json", "X-CSRF-Token": document.querySelector("meta[name=csrf]").content },
    });
    const told = (answer.headers.get("content-type") ?? "").includes("json") ? await answer.json() : {};
    if (answer.ok) {
      text.value = "";
      sessionStorage.removeItem(draft);
      form.elements.client_id.value = told.client_id;
      form.elements.reply.value = "";
      said.textContent = said.dataset.sent;
      document.dispatchEvent(new CustomEvent("conversation:changed", { detail: { id: form.dataset.conversation } }));
    } else {
      problem.textContent = told.problem ?? said.dataset.failed;
      problem.hidden = false;
    }
  } catch {
    problem.textContent = said.dataset.failed;
    problem.hidden = false;
  } finally {
    sending = false;
    text.focus();
  }
});

// --- canned replies -----------------------------------------------------------------------------------------

function insert(button, from = text.selectionStart, to = text.selectionEnd) {
  text.setRangeText(button.dataset.text, from, to, "end");
  form.elements.reply.value = button.dataset.reply;
  sessionStorage.setItem(draft, text.value);
  // What is still to be filled in stands in braces: it is selected, to be typed over.
  const gap = /\{[a-z]+\}/.exec(text.value);
  text.focus();
  if (gap) text.setSelectionRange(gap.index, gap.index + gap[0].length);
}

function expand() {
  if (!canned) return;
  const end = text.selectionStart;
  const typed = /(?:^|\s)\/([a-z0-9-]+) $/.exec(text.value.slice(0, end));
  const button = typed && canned.querySelector(`[data-shortcut="${typed[1]}"]`);
  if (button) insert(button, end - typed[1].length - 2, end);
}

if (canned) {
  canned.hidden = false;
  canned.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-text]");
    if (button) insert(button);
  });
  const find = document.getElementById("find-reply");
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    for (const button of canned.querySelectorAll("button[data-text]")) {
      const found = `${button.textContent} ${button.dataset.text}`.toLowerCase().includes(wanted);
      button.parentElement.hidden = !found;
    }
  });
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const first = canned.querySelector("li:not([hidden]) button");
    if (first && find.value.trim()) insert(first);
  });
}
