// The home page: kinds, search and the list of products.

import { Problem, call, el, money, note, picture, show } from "/static/api.js";
import "/static/shell.js";

const KINDS = ["Mug", "Lamp", "Vase", "Chair", "Plant", "Clock", "Backpack", "Teapot", "Notebook", "Cushion", "Headphones", "Bottle"];
const PAGE = 24;

const grid = document.querySelector("#grid");
const more = document.querySelector("#more");
const found = document.querySelector("#found");
const search = document.querySelector("#search");
let words = new URLSearchParams(location.search).get("q") ?? "";
let next = 0;
let turn = 0; // a slow answer to an older search must not replace a newer one's

function card(product) {
  const stock = product.stock > 0 ? null : el("span", { className: "tag" }, "Sold out");
  return el(
    "a",
    { className: "card", href: `/product.html?id=${product.id}` },
    picture(product, 320),
    stock,
    el("span", { className: "name" }, product.name),
    el("span", { className: "price" }, money(product.price_cents, product.currency)),
  );
}

async function load(fresh) {
  const mine = ++turn;
  const asked = new URLSearchParams({ limit: PAGE, offset: fresh ? 0 : next });
  if (words) asked.set("q", words);
  try {
    const answer = await call("GET", `/api/products?${asked}`);
    if (mine !== turn) return;
    const cards = answer.products.map(card);
    if (fresh) show(grid, ...cards);
    else grid.append(...cards);
    next = answer.next_offset;
    more.hidden = next === null;
    found.textContent = words ? (grid.childElementCount ? "" : `Nothing is called “${words}”. Try a shorter word.`) : "";
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (mine === turn) show(grid, note(problem.message));
  }
}

function look(text) {
  words = text.trim();
  history.replaceState(null, "", words ? `/?${new URLSearchParams({ q: words })}` : "/");
  draw();
  return load(true);
}

function draw() {
  document.querySelector("#hero").hidden = words !== "";
  document.querySelector("#products").textContent = words ? `Results for “${words}”` : "All products";
  const chip = (kind) =>
    el(
      "button",
      {
        type: "button",
        className: "chip",
        ariaPressed: String(kind.toLowerCase() === words.toLowerCase()),
        onclick: () => {
          search.value = kind === words ? "" : kind;
          look(search.value);
        },
      },
      kind,
    );
  document.querySelector("#kinds").replaceChildren(...KINDS.map(chip));
}

let typing;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => look(search.value), 250);
});
search.form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  look(search.value);
});
more.addEventListener("click", () => load(false));
draw();
load(true);
