/* The demo shop page: its language, its products, and two buttons that open the chat. The visitor: visit.js. */
import { TEXTS } from "./texts.js";
import { action, askConsent, showCart } from "./visit.js";

const asked = [new URLSearchParams(location.search).get("lang"), ...navigator.languages];
const language = asked.map((tag) => String(tag).slice(0, 2).replace(/^n[on]$/, "nb")).find((code) => code in TEXTS) ?? "en";
const texts = TEXTS[language];
const find = (selector) => document.querySelector(selector);

/** Creates an element with attributes and children; texts are never markup. */
const make = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

function translatePage() {
  document.documentElement.lang = language;
  document.title = `Fjordly · ${texts.headline}`;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = texts[node.dataset.text];
  for (const node of document.querySelectorAll("[data-name]")) node.setAttribute("aria-label", texts[node.dataset.name]);
  find(`.languages [lang=${language}]`).setAttribute("aria-current", "true");
}

/** The demo pictures come in three colours; neighbours get different ones. */
const picture = (image, index) => image?.replace(/^(\/demo\/images\/[a-z_]+)\.svg$/, ["$1.svg", "$1-2.svg", "$1-3.svg"][index % 3]);

function productCard(product, index, names) {
  const { sku, name, description, category, price, image } = product;
  return make("li", { class: "product", id: sku, "data-category": category },
    make("img", { src: picture(image, index) ?? "/demo/images/logo.svg", alt: "", loading: "lazy", width: 400, height: 300 }),
    make("p", { class: "category" }, texts[category] ?? category),
    make("h3", {}, make("a", { href: `#${sku}` }, name)),
    make("p", { class: "description" }, description ?? ""),
    make("p", { class: "price" }, price),
    make("div", { class: "act" }, action(product, texts, names)));
}

/** Shows one category's products, or all for "". */
function show(category) {
  for (const card of document.querySelectorAll(".product")) card.hidden = Boolean(category) && card.dataset.category !== category;
  for (const button of find(".categories").children) button.setAttribute("aria-pressed", button.value === category);
}

async function loadProducts() {
  const message = find(".message");
  message.textContent = texts.loading;
  try {
    const answer = await fetch(`/api/demo/products?language=${language}`);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const { products } = await answer.json();
    const names = new Map(products.filter((product) => !product.sold_out).map(({ sku, name }) => [sku, name]));
    find(".grid").replaceChildren(...products.map((product, index) => productCard(product, index, names)));
    showCart(texts, names);
    const categories = ["", ...new Set(products.map(({ category }) => category))];
    find(".categories").replaceChildren(...categories.map((category) =>
      make("button", { type: "button", value: category }, category ? (texts[category] ?? category) : texts.all)));
    show("");
    message.textContent = "";
    if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  } catch {
    message.textContent = texts.failed;
  }
}

translatePage();
askConsent(texts);
find(".categories").addEventListener("click", ({ target }) => target.matches("button") && show(target.value));
for (const id of ["ask", "points"]) document.getElementById(id).addEventListener("click", () => find("rapport-chat")?.open());
loadProducts();
