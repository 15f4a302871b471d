// What every page of the console does. Pages work without it; it saves clicks.

// A form that asks before it does what cannot be taken back: <form data-confirm="…">
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A filter that applies as soon as it is chosen: <select data-submit>
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
