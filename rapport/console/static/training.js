// Follows a running training and leads to its outcome. Without it the page shows where it was when it was loaded.
const place = document.querySelector("[data-training]");
const part = (name) => place.querySelector(`[data-part=${name}]`);

async function follow() {
  try {
    const answer = await fetch("/console/teaching/training/progress", { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    const run = await answer.json();
    if (run.id !== Number(place.dataset.training)) return location.assign(`/console/teaching/runs/${place.dataset.training}`);
    part("bar").value = run.share;
    if (part("phase").textContent !== run.phase) part("phase").textContent = run.phase;
    part("passed").textContent = run.passed;
    part("left").textContent = run.left;
    part("told").textContent = run.told;
    part("cancel").disabled = run.cancelling || run.final;
  } catch {
    // The app starts again, or the network is away: the next look tells.
  }
  setTimeout(follow, 2000);
}

if (place) setTimeout(follow, 1000);
