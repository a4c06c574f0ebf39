// Questions to the user, each a dialog that is answered or given up.

import { button, make } from "./chat/dom.js";

/**
 * Ask for some fields; returns their values by name, or null. A field is
 * {name, label, value?, kind?: "text" | "area" | "number" | "choice", choices?, ...properties}.
 */
export function ask(title, fields, { done = "Save", extra = [] } = {}) {
  return new Promise((resolve) => {
    let result = null;
    const inputs = fields.map((field) => [field.name, inputOf(field)]);
    const rows = inputs.map(([, input], n) =>
      make("label", { className: "field" }, fields[n].label, input),
    );
    const dialog = make("dialog", { "aria-label": title });
    const close = () => dialog.close();
    const form = make(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          result = Object.fromEntries(inputs.map(([name, input]) => [name, input.value]));
          close();
        },
      },
      make("h2", {}, title),
      ...rows,
      ...extra,
      make(
        "div",
        { className: "row" },
        make("button", { type: "submit", className: "primary" }, done),
        button("Cancel", "Cancel", close),
      ),
    );
    dialog.append(form);
    dialog.onclose = () => {
      dialog.remove();
      resolve(result);
    };
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Ask whether to do something. */
export async function sure(question, done) {
  return (await ask(question, [], { done })) !== null;
}

function inputOf({ name, label, kind = "text", choices = [], value = "", ...more }) {
  if (kind === "area") return make("textarea", { name, value, ...more });
  if (kind !== "choice") return make("input", { name, type: kind, value, ...more });
  const options = choices.map(([id, text]) => make("option", { value: id }, text));
  const select = make("select", { name, ...more }, ...options);
  select.value = value;
  return select;
}
