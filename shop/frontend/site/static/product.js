// One product, and the way into the cart.

import { Problem, call, el, money, note, picture, show, working } from "/static/api.js";
import { addToCart } from "/static/session.js";
import "/static/shell.js";

const place = document.querySelector("#product");

function draw(product) {
  document.title = `${product.name} · Linden & Kiln`;
  const said = el("div", { ariaLive: "polite" });
  const quantity = el("input", { type: "number", name: "quantity", min: 1, max: 99, value: 1, required: true });
  const there = product.stock > 0;
  const button = el("button", { className: "button", type: "submit", disabled: !there }, there ? "Add to cart" : "Sold out");
  const form = el(
    "form",
    {
      className: "buy",
      onsubmit: (event) => {
        event.preventDefault();
        working(button, said, async () => {
          await addToCart(product.id, Number(quantity.value));
          const text = note("Added to your cart. ", "good");
          text.append(el("a", { href: "/cart.html" }, "View cart"));
          said.replaceChildren(text);
        });
      },
    },
    el("label", {}, "Quantity", quantity),
    button,
  );
  const image = picture(product, 480);
  image.alt = product.name;
  image.loading = "eager";
  show(
    place,
    image,
    el(
      "div",
      {},
      el("h1", {}, product.name),
      el("p", { className: "price large" }, money(product.price_cents, product.currency)),
      el("p", { className: "about" }, product.description),
      el("p", { className: there ? "stock" : "stock out" }, there ? "In stock, sent within two days" : "Sold out for now"),
      form,
      said,
    ),
  );
}

async function start() {
  const id = new URLSearchParams(location.search).get("id") ?? "";
  try {
    draw(await call("GET", `/api/products/${encodeURIComponent(id) || "none"}`));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    show(place, note(problem.status === 404 ? "We do not have this product." : problem.message));
  }
}

start();
