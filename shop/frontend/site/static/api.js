// How the pages speak with the backend, and small helpers to build what they show.

/** An answer that is not the wanted one; `message` can be shown to people. */
export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Calls the backend; returns its JSON (null for an empty answer) or throws a Problem. */
export async function call(method, path, body, headers = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, credentials: "same-origin" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Problem(0, "offline", "The shop cannot be reached. Check your connection and try again.");
  }
  const data = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    const error = data?.error ?? { code: "unknown", message: "Something went wrong. Try again in a moment." };
    throw new Problem(answer.status, error.code, sentence(error.message));
  }
  return data;
}

function sentence(text) {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

export function money(cents, currency = "EUR") {
  return new Intl.NumberFormat("en-IE", { style: "currency", currency }).format(cents / 100);
}

/** An element with properties and children. Texts are set as text, so that no name can become markup. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A message in the page that screen readers announce. */
export function note(text, kind = "bad") {
  return el("p", { className: `note ${kind}`, role: kind === "bad" ? "alert" : "status" }, text);
}

/** Replaces the content of `place` and says that it is complete. */
export function show(place, ...children) {
  place.replaceChildren(...children.filter(Boolean));
  place.setAttribute("aria-busy", "false");
}

/** Runs what a button starts; the button waits, and a problem is shown in `place`. */
export async function working(button, place, action) {
  button.disabled = true;
  place.replaceChildren();
  try {
    await action();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    place.replaceChildren(note(problem.message));
  } finally {
    button.disabled = false;
  }
}

export function picture(product, size) {
  return el("img", { src: product.image, alt: "", width: size, height: size, loading: "lazy" });
}
