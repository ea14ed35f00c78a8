// Checkout: sign in if needed, look once more, buy once, see the confirmation.

import { Problem, el, money, note, show, working } from "/static/api.js";
import { loadCart, placeOrder, whoAmI } from "/static/session.js";
import { showAccount } from "/static/shell.js";
import { signInForms } from "/static/sign-in.js";

const place = document.querySelector("#checkout");
const KEY = "shop.checkout-key";

/** The same key until the order is placed: a second click or a reload buys nothing twice. */
function key() {
  const kept = sessionStorage.getItem(KEY);
  if (kept) return kept;
  // Not randomUUID, which browsers only have on https and localhost.
  const made = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  sessionStorage.setItem(KEY, made);
  return made;
}

function lines(items, total, currency) {
  const row = (item) =>
    el(
      "tr",
      {},
      el("td", {}, item.name),
      el("td", { className: "number" }, `× ${item.quantity}`),
      el("td", { className: "number" }, money(item.quantity * item.price_cents, currency)),
    );
  const sum = el("tr", { className: "total" }, el("th", { colSpan: 2, scope: "row" }, "Total"), el("td", { className: "number", id: "total" }, money(total, currency)));
  return el("table", { className: "lines" }, el("tbody", {}, ...items.map(row)), el("tfoot", {}, sum));
}

function confirm(order) {
  sessionStorage.removeItem(KEY);
  document.title = "Thank you · Linden & Kiln";
  document.querySelector("#title").textContent = "Thank you for your order";
  show(
    place,
    el(
      "section",
      { className: "panel" },
      note(`Order ${order.order_id} is placed. We send it within two days.`, "good"),
      lines(order.items, order.total_cents, order.currency),
      el("a", { className: "button plain", href: "/" }, "Back to the shop"),
    ),
  );
}

function review(cart, customer) {
  const said = el("div", { ariaLive: "polite" });
  const button = el("button", { className: "button", type: "button", id: "place-order" }, `Place order for ${money(cart.total_cents)}`);
  button.addEventListener("click", () =>
    working(button, said, async () => {
      confirm(await placeOrder(key()));
      await loadCart();
    }),
  );
  const who = el("p", {}, "Signed in as ", el("strong", {}, customer.name), ` (${customer.email}). `);
  show(
    place,
    el(
      "section",
      { className: "panel" },
      who,
      lines(cart.items, cart.total_cents),
      said,
      el("div", { className: "sum" }, el("a", { className: "back", href: "/cart.html" }, "← Change the cart"), button),
    ),
  );
}

async function draw() {
  try {
    const [customer, cart] = [await whoAmI(), await loadCart()];
    if (cart.items.length === 0) {
      show(place, el("section", { className: "empty" }, el("p", {}, "Your cart is empty."), el("a", { className: "button", href: "/" }, "Find something")));
    } else if (customer) {
      review(cart, customer);
    } else {
      const forms = signInForms(async () => {
        await showAccount();
        await draw();
      });
      show(
        place,
        el(
          "div",
          { className: "columns" },
          el("section", { className: "panel" }, el("h2", {}, "Who is it for?"), forms),
          el("section", { className: "panel" }, el("h2", {}, "Your order"), lines(cart.items, cart.total_cents)),
        ),
      );
    }
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    show(place, note(problem.message));
  }
}

draw();
