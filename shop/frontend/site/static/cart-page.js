// The cart: quantities, total, and on to the checkout.

import { Problem, el, money, note, show } from "/static/api.js";
import { loadCart, setQuantity } from "/static/session.js";
import "/static/shell.js";

const place = document.querySelector("#cart");

function line(item) {
  const amount = el("input", {
    type: "number",
    min: 0,
    max: 99,
    value: item.quantity,
    ariaLabel: `Quantity of ${item.name}`,
    onchange: () => change(item.product_id, Number(amount.value)),
  });
  return el(
    "tr",
    {},
    el("td", {}, el("a", { href: `/product.html?id=${item.product_id}` }, item.name)),
    el("td", {}, amount),
    el("td", { className: "number" }, money(item.quantity * item.price_cents)),
    el("td", {}, el("button", { className: "link", type: "button", ariaLabel: `Remove ${item.name}`, onclick: () => change(item.product_id, 0) }, "Remove")),
  );
}

function draw(cart) {
  if (cart.items.length === 0) {
    show(place, el("section", { className: "empty" }, el("p", {}, "There is nothing in it yet."), el("a", { className: "button", href: "/" }, "Find something")));
    return;
  }
  const head = el("tr", {}, ...["Product", "Quantity", "Price", ""].map((text) => el("th", { scope: "col" }, text)));
  const table = el("table", { className: "lines" }, el("thead", {}, head), el("tbody", {}, ...cart.items.map(line)));
  const total = el("p", { className: "total" }, "Total ", el("strong", { id: "total" }, money(cart.total_cents)));
  show(place, el("div", { className: "panel" }, table, el("div", { className: "sum" }, total, el("a", { className: "button", href: "/checkout.html" }, "Go to checkout"))));
}

async function attempt(action) {
  try {
    draw(await action());
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    show(place, note(problem.message));
  }
}

const change = (product, quantity) => attempt(() => setQuantity(product, quantity));
attempt(loadCart);
