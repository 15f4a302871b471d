// A button below each password field that shows what was typed: nobody has to type it twice.

for (const field of document.querySelectorAll("input[type=password][data-show]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = field.dataset.show;
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.textContent = shown ? field.dataset.show : field.dataset.hide;
    field.focus();
  });
  field.closest("label").after(button);
  // A browser must not keep as ordinary text what is sent while it is shown.
  field.form.addEventListener("submit", () => { field.type = "password"; });
}
