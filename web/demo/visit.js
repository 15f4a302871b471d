/* What a visitor of the demo shop agrees to, looks at and puts in the cart: /site.js tells Rapport of it. */
const AGREED = "fjordly-agreed"; // "yes" or "no"
const CART = "fjordly-cart"; // SKUs
const find = (selector) => document.querySelector(selector);
const track = (kind, details) => window.rapport?.track(kind, details);

const button = (text, act) => {
  const node = document.createElement("button");
  node.type = "button";
  node.className = "button small";
  node.textContent = text;
  node.addEventListener("click", act);
  return node;
};

/** Asks whether what is done here may be remembered, and stands by the answer. */
export function askConsent(texts) {
  const line = find(".consent");
  const answer = (word) => {
    localStorage.setItem(AGREED, word);
    window.rapport?.consent(word === "yes");
    if (word === "yes") viewed();
    show();
  };
  const show = () => {
    const answered = localStorage.getItem(AGREED);
    document.body.classList.toggle("agreed", answered === "yes");
    line.hidden = answered === "no";
    if (answered === "yes") line.replaceChildren(texts.remembered, button(texts.forget, () => answer("no")));
    else line.replaceChildren(texts.mayWe, button(texts.yes, () => answer("yes")), button(texts.no, () => answer("no")));
  };
  if (localStorage.getItem(AGREED) === "yes") window.rapport?.consent(true);
  show();
  viewed();
  addEventListener("hashchange", viewed);
}

/** Each product's own address is `#` and its SKU; elsewhere that is a page with `data-rapport-sku`. */
function viewed() {
  const sku = decodeURIComponent(location.hash.slice(1));
  if (/^[A-Z]+-\d/.test(sku)) track("product_viewed", { sku });
}

const inCart = () => JSON.parse(sessionStorage.getItem(CART) ?? "[]");

function change(cart, texts, names) {
  sessionStorage.setItem(CART, JSON.stringify(cart));
  track("cart_changed", { items: cart.map((sku) => ({ sku, quantity: 1 })), url: `${location.origin}/${location.search}#cart` });
  showCart(texts, names);
}

/** `names` by SKU, of what can be bought. */
export function showCart(texts, names) {
  const line = find(".cart");
  const cart = inCart().filter((sku) => names.has(sku));
  line.hidden = !cart.length;
  line.replaceChildren(`${texts.cart} ${cart.map((sku) => names.get(sku)).join(", ")}`,
    button(texts.buy, () => {
      track("checkout_done");
      change([], texts, names);
    }),
    button(texts.empty, () => change([], texts, names)));
}

/** What can be done with a product: put it in the cart, or wait for it. */
export function action({ sku, name, sold_out: soldOut }, texts, names) {
  if (!soldOut) {
    const add = button(texts.add, () => change([...new Set([...inCart(), sku])], texts, names));
    add.setAttribute("aria-label", `${texts.add}: ${name}`);
    return add;
  }
  const form = document.createElement("form");
  const email = document.createElement("input");
  Object.assign(email, { type: "email", required: true, placeholder: texts.email, autocomplete: "email" });
  email.setAttribute("aria-label", texts.email);
  const send = button(texts.tellMe);
  send.type = "submit";
  const soldOutLine = document.createElement("p");
  soldOutLine.textContent = texts.soldOut;
  form.append(soldOutLine, email, send);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    track("wants_back", { sku, email: email.value });
    form.replaceChildren(texts.asked);
  });
  return form;
}
