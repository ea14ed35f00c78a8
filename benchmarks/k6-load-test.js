// The scenarios of ecom_platform/load/shop_journeys.py for teams that run k6. Checked by tests/load/test_k6.py.
//
//   k6 run -e BASE=http://127.0.0.1:8080 -e VISITS=20 -e DURATION=30s benchmarks/k6-load-test.js
//
// VISITS: visits that begin per second, whether or not earlier ones are over; a visit is about seven requests.
// OUT: where the summary goes as JSON. P95_MS, ERROR_RATE: the limits; the defaults are those of the spec.
//
// Two things differ from `ecom bench`: k6 measures from the moment a request is really sent, so it does not see the
// wait of those who come while the shop stands still (dropped_iterations tells of the worst of it), and a request
// inside a visit waits for the one before.
import http from "k6/http";
import { check, fail } from "k6";
import { Rate } from "k6/metrics";

const BASE = __ENV.BASE || "http://127.0.0.1:8080";
const P95_MS = Number(__ENV.P95_MS || 500);
const ERROR_RATE = Number(__ENV.ERROR_RATE || 0.01);
const PAGE = 20;

// Status and content of each answer; http_req_failed alone would take a wrong answer for a right one.
const wrong = new Rate("wrong_answers");

export const options = {
  scenarios: {
    visits: {
      executor: "constant-arrival-rate",
      exec: "visit",
      rate: Number(__ENV.VISITS || 10),
      timeUnit: "1s",
      duration: __ENV.DURATION || "10s",
      preAllocatedVUs: 50,
      maxVUs: 500,
    },
  },
  thresholds: {
    http_req_duration: [`p(95)<${P95_MS}`],
    wrong_answers: [`rate<${ERROR_RATE}`],
    // k6 did not begin visits in time: the test asked for less than it says.
    dropped_iterations: ["count<1"],
    // An empty test proves nothing.
    iterations: ["count>0"],
  },
  summaryTrendStats: ["count", "med", "p(95)", "p(99)", "max"],
};

// Of a hundred visits about five sign in and three buy.
const VISITS = [
  [42, glance],
  [32, browse],
  [20, search],
  [3, signIn],
  [3, buy],
];

export function visit() {
  let drawn = Math.random() * VISITS.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, journey] of VISITS) {
    drawn -= weight;
    if (drawn < 0) {
      journey();
      return;
    }
  }
}

// The home page with its files, and what it shows.
function glance() {
  home();
}

// Home, a later page of the list, two products with their pictures.
function browse() {
  const products = home().concat(list(PAGE));
  for (const product of sample(products, 2)) detail(product);
}

// A search, and a product that was found.
function search() {
  const word = pick(words(list(0)));
  const found = ask("search", "GET", `/api/products?limit=${PAGE}&q=${encodeURIComponent(word)}`).products || [];
  right(found.length > 0, `something is found for ${word}`);
  right(found.every((each) => each.name.toLowerCase().includes(word.toLowerCase())), "what is found has the word");
  if (found.length) detail(pick(found));
}

// A customer who signs in, looks at the session and the cart, and leaves.
function signIn() {
  const person = signUp();
  const token = ask("login", "POST", "/api/login", { body: { email: person.email, password: person.password } }).token;
  const session = ask("session", "GET", "/api/session", { token });
  right(session.email === person.email, "the session is the customer's");
  cart(ask("cart", "GET", "/api/cart", { token }));
  ask("logout", "POST", "/api/logout", { body: {}, token, statuses: [204] });
}

// A new customer fills a cart, pays once though asking twice, and reads the order.
function buy() {
  const stocked = list(PAGE * Math.floor(Math.random() * 5)).filter((each) => each.stock > 0);
  if (!stocked.length) return;
  const { token } = signUp();
  const product = pick(stocked);
  const filled = ask("cart_put", "PUT", `/api/cart/items/${product.id}`, { body: { quantity: 1 }, token });
  cart(filled);
  const headers = { "Idempotency-Key": `k6-${__VU}-${__ITER}` };
  const order = ask("checkout", "POST", "/api/checkout", { body: {}, token, headers, statuses: [201, 409] });
  if (!order.order_id) {
    right(order.error && order.error.code === "out_of_stock", "a refused checkout is one without stock");
    return;
  }
  right(order.total_cents === filled.total_cents, "the order costs what the cart said");
  const again = ask("checkout_again", "POST", "/api/checkout", { body: {}, token, headers });
  right(again.order_id === order.order_id, "the same key makes no other order");
  const read = ask("order", "GET", `/api/orders/${order.order_id}`, { token });
  right(JSON.stringify(read.items) === JSON.stringify(order.items), "the order reads back as it was paid");
}

function home() {
  const page = send("home", "GET", "/");
  const text = String(page.body || "");
  right(text.includes("<title>") && text.includes("</html>"), "the home page is whole");
  const linked = [...new Set([...text.matchAll(/(?:href|src)=["'](\/(?:static|media)\/[^"'?#]+)["']/g)].map((m) => m[1]))];
  for (const path of linked.slice(0, PAGE)) file(path);
  return list(0);
}

function list(offset) {
  const products = ask("products", "GET", `/api/products?limit=${PAGE}&offset=${offset}`).products;
  right(Array.isArray(products) && (products.length > 0 || offset > 0), "the shop has products");
  return products || [];
}

function detail(product) {
  const seen = ask("product", "GET", `/api/products/${product.id}`);
  right(seen.id === product.id && seen.price_cents === product.price_cents, "the product is the one of the list");
  file(product.image);
}

function file(path) {
  const answer = send(path.startsWith("/media/") ? "picture" : "static", "GET", path);
  right(answer.body && answer.body.length > 0, "a file is not empty");
}

function signUp() {
  const id = `${__VU}-${__ITER}-${Date.now()}`;
  const person = { email: `k6-${id}@example.com`, password: `a ${Math.random()}`, name: "Load Test" };
  const made = ask("signup", "POST", "/api/signup", { body: person, statuses: [201] });
  right(Boolean(made.token), "sign-up gives a session");
  return { ...person, token: made.token };
}

function cart(seen) {
  const items = seen.items || [];
  const total = items.reduce((sum, each) => sum + each.quantity * each.price_cents, 0);
  right(seen.total_cents === total, "the cart's total is the sum of its items");
}

// The JSON of an answer; an empty object when there is none.
function ask(name, method, path, more = {}) {
  const answer = send(name, method, path, more);
  if (answer.status === 204) return {};
  try {
    return answer.json() || {};
  } catch (error) {
    right(false, `${name} answers JSON`);
    return {};
  }
}

function send(name, method, path, { body, token, headers, statuses } = {}) {
  const wanted = statuses || [200];
  const answer = http.request(method, BASE + path, body === undefined ? null : JSON.stringify(body), {
    tags: { name },
    timeout: "10s",
    responseCallback: http.expectedStatuses(...wanted),
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
  });
  right(wanted.includes(answer.status), `${name} answers ${wanted.join(" or ")}`);
  if (!wanted.includes(answer.status)) fail(`${name}: status ${answer.status} ${answer.error || ""}`);
  return answer;
}

function right(holds, claim) {
  wrong.add(!holds);
  check(null, { [claim]: () => Boolean(holds) });
}

function words(products) {
  const found = products.flatMap((each) => each.name.match(/[A-Za-zÀ-ÿ]{3,}/g) || []);
  return found.length ? found : ["shop"];
}

function pick(choices) {
  return choices[Math.floor(Math.random() * choices.length)];
}

function sample(choices, count) {
  return [...choices].sort(() => Math.random() - 0.5).slice(0, count);
}

export function handleSummary(data) {
  const p95 = data.metrics.http_req_duration ? data.metrics.http_req_duration.values["p(95)"] : NaN;
  const requests = data.metrics.http_reqs ? data.metrics.http_reqs.values.count : 0;
  const bad = data.metrics.wrong_answers ? data.metrics.wrong_answers.values.rate : NaN;
  const line = `${requests} requests, p95 ${Number(p95).toFixed(1)} ms, ${(100 * bad).toFixed(2)} % wrong answers\n`;
  return { stdout: line, ...(__ENV.OUT ? { [__ENV.OUT]: JSON.stringify(data, null, 1) } : {}) };
}
