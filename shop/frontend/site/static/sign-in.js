// The sign-in and sign-up forms: in a dialog from the header, and inside the checkout page.

import { el, working } from "/static/api.js";
import { signIn, signUp } from "/static/session.js";

function field(label, name, type, autocomplete, limits = {}) {
  return el("label", {}, label, el("input", { name, type, autocomplete, required: true, ...limits }));
}

/** Both forms under two tabs; `done` is called after somebody signed in. */
export function signInForms(done, first = "up") {
  const place = el("div", { className: "sign-in" });
  const draw = (which) => {
    const isNew = which === "up";
    const said = el("div", { ariaLive: "polite" });
    const button = el("button", { className: "button", type: "submit" }, isNew ? "Create account" : "Sign in");
    const form = el(
      "form",
      {
        className: "form",
        onsubmit: (event) => {
          event.preventDefault();
          const { name, email, password } = Object.fromEntries(new FormData(form));
          working(button, said, async () => {
            await (isNew ? signUp(name, email, password) : signIn(email, password));
            await done();
          });
        },
      },
      isNew ? field("Name", "name", "text", "name", { maxLength: 100 }) : null,
      field("Email", "email", "email", "email", { maxLength: 254 }),
      field("Password", "password", "password", isNew ? "new-password" : "current-password", isNew ? { minLength: 8, maxLength: 200 } : { maxLength: 200 }),
      isNew ? el("p", { className: "quiet" }, "At least 8 characters.") : null,
      said,
      button,
    );
    const tab = (name, text) =>
      el("button", { type: "button", role: "tab", ariaSelected: String(name === which), onclick: () => draw(name) }, text);
    const tabs = el("div", { className: "tabs", role: "tablist" }, tab("up", "New here"), tab("in", "I have an account"));
    place.replaceChildren(tabs, form);
  };
  draw(first);
  return place;
}

export function signInDialog(done) {
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  const dialog = el(
    "dialog",
    { className: "dialog", ariaLabel: "Sign in", onclose: close },
    el("button", { className: "close", type: "button", ariaLabel: "Close", onclick: close }, "×"),
    el("h2", {}, "Welcome"),
    signInForms(async () => {
      close();
      await done();
    }, "in"),
  );
  document.body.append(dialog);
  dialog.showModal();
}
