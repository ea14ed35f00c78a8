// What every page has: the account in the header, the number in the cart, who served the page.

import { Problem, call, el } from "/static/api.js";
import { loadCart, signOut, whoAmI } from "/static/session.js";
import { signInDialog } from "/static/sign-in.js";

document.addEventListener("cart", ({ detail: count }) => {
  const badge = document.querySelector("#cart-count");
  badge.textContent = count;
  badge.hidden = count === 0;
  badge.setAttribute("aria-label", `${count} in the cart`);
});

/** Draws the account part of the header for whoever is signed in now. */
export async function showAccount() {
  const customer = await whoAmI();
  const place = document.querySelector("#account");
  if (customer) {
    const leave = el("button", { className: "link", type: "button", onclick: () => signOut().then(() => location.reload()) }, "Sign out");
    place.replaceChildren(el("span", { className: "who", title: customer.email }, customer.name), leave);
  } else {
    place.replaceChildren(el("button", { className: "link", type: "button", onclick: () => signInDialog(showAccount) }, "Sign in"));
  }
}

async function start() {
  const words = new URLSearchParams(location.search).get("q");
  if (words) document.querySelector("#search").value = words;
  const version = fetch("/version").then((answer) => answer.json());
  try {
    await showAccount();
    await loadCart();
    const { colour, version: number } = await version;
    const backend = await call("GET", "/api/version");
    const where = colour ? ` (${colour})` : "";
    document.querySelector("#served-by").textContent = `Version ${number}${where}, served by ${backend.instance}`;
  } catch (problem) {
    // The page's own part tells people what is wrong; the header stays as it is.
    if (!(problem instanceof Problem)) throw problem;
  }
}

start();
