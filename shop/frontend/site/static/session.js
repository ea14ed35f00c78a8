// Who is signed in, and the cart: the browser's own until then, the backend's after it.

import { Problem, call } from "/static/api.js";

// The session cookie cannot be read by scripts; this only tells whether asking for it makes sense.
const HINT = "shop.signed-in";
const GUEST = "shop.guest-cart";
const MOST_OF_ONE = 99;

let customer;

/** The signed-in customer or null. Asks the backend once a page. */
export async function whoAmI() {
  if (customer !== undefined) return customer;
  customer = null;
  if (localStorage.getItem(HINT)) {
    try {
      customer = await call("GET", "/api/session");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status === 401) localStorage.removeItem(HINT);
    }
  }
  return customer;
}

export async function signUp(name, email, password) {
  await call("POST", "/api/signup", { name, email, password });
  await enter();
}

export async function signIn(email, password) {
  await call("POST", "/api/login", { email, password });
  await enter();
}

export async function signOut() {
  await call("POST", "/api/logout");
  localStorage.removeItem(HINT);
  customer = null;
  changed(0);
}

/** The session begins: what lay in the browser's cart moves to the customer's. */
async function enter() {
  localStorage.setItem(HINT, "1");
  customer = undefined;
  const there = new Map((await call("GET", "/api/cart")).items.map((item) => [item.product_id, item.quantity]));
  for (const [id, quantity] of Object.entries(guestItems())) {
    const both = Math.min(MOST_OF_ONE, quantity + (there.get(Number(id)) ?? 0));
    try {
      await call("PUT", `/api/cart/items/${id}`, { quantity: both });
    } catch (problem) {
      // A product that is gone, or a full cart, must not keep somebody from signing in.
      if (!(problem instanceof Problem) || ![404, 409].includes(problem.status)) throw problem;
    }
  }
  localStorage.removeItem(GUEST);
  await loadCart();
}

function guestItems() {
  try {
    return JSON.parse(localStorage.getItem(GUEST)) ?? {};
  } catch {
    return {};
  }
}

async function guestCart() {
  const items = guestItems();
  const found = await Promise.all(
    Object.keys(items).map((id) =>
      call("GET", `/api/products/${id}`).catch((problem) => {
        if (problem instanceof Problem && problem.status === 404) return null;
        throw problem;
      }),
    ),
  );
  const lines = found
    .filter(Boolean)
    .map(({ id, name, price_cents }) => ({ product_id: id, name, price_cents, quantity: items[id] }));
  return { items: lines, total_cents: lines.reduce((sum, line) => sum + line.quantity * line.price_cents, 0) };
}

/** {items: [{product_id, name, quantity, price_cents}], total_cents} */
export async function loadCart() {
  const cart = (await whoAmI()) ? await call("GET", "/api/cart") : await guestCart();
  return counted(cart);
}

/** Sets how many of a product the cart holds (0 removes it); returns the cart. */
export async function setQuantity(product, quantity) {
  const wanted = Math.max(0, Math.min(MOST_OF_ONE, quantity));
  if (await whoAmI()) return counted(await call("PUT", `/api/cart/items/${product}`, { quantity: wanted }));
  const items = guestItems();
  if (wanted) items[product] = wanted;
  else delete items[product];
  localStorage.setItem(GUEST, JSON.stringify(items));
  return counted(await guestCart());
}

export async function addToCart(product, quantity) {
  const there = (await loadCart()).items.find((item) => item.product_id === product)?.quantity ?? 0;
  return setQuantity(product, there + quantity);
}

export async function placeOrder(key) {
  return call("POST", "/api/checkout", undefined, { "Idempotency-Key": key });
}

function counted(cart) {
  changed(cart.items.reduce((sum, item) => sum + item.quantity, 0));
  return cart;
}

function changed(count) {
  document.dispatchEvent(new CustomEvent("cart", { detail: count }));
}
