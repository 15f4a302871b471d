// The link of an invitation, copied with one click.

const field = document.querySelector("#link");
if (field && navigator.clipboard) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = field.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    button.textContent = field.dataset.copied;
  });
  field.closest("label").after(button);
}
if (field) field.addEventListener("focus", () => field.select());
