// The page of those who wait: kept up to date, and how one wants to be told.

const queue = document.getElementById("queue");
let late = false;

async function refresh() {
  // What somebody is about to press must not move away under their fingers.
  if (queue.contains(document.activeElement) && document.activeElement.matches("button")) {
    late = true;
    return;
  }
  late = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("queue");
    const open = queue.querySelector("details")?.open;
    if (fresh) queue.replaceChildren(...fresh.childNodes);
    if (open) queue.querySelector("details").open = true;
  } catch {
    // Away for a moment: the next change brings all of it.
  }
}

document.addEventListener("live:state", refresh);
document.addEventListener("live:changed", refresh);
queue.addEventListener("focusout", () => late && setTimeout(refresh, 300));

const alarms = document.getElementById("alarms");
alarms.hidden = false;
function showWanted() {
  for (const box of alarms.querySelectorAll("input")) box.checked = localStorage.getItem(`rapport-${box.id}`) === "1";
}
showWanted();
addEventListener("storage", showWanted); // chosen on another page
for (const box of alarms.querySelectorAll("input")) {
  const name = `rapport-${box.id}`;
  box.addEventListener("change", async () => {
    if (box.id === "notify" && box.checked && (!("Notification" in window) || (await Notification.requestPermission()) !== "granted")) {
      box.checked = false;
    }
    localStorage.setItem(name, box.checked ? "1" : "0");
    if (box.id === "sound" && box.checked) document.dispatchEvent(new CustomEvent("live:try-sound"));
  });
}
