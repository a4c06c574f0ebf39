// Elements from code. Nothing here or elsewhere makes HTML out of text.

/**
 * Return an element. `props` are properties; those with a dash, `role` and `for` are attributes,
 * and functions are listeners, as in `{onclick: f}`.
 */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Return a button that says what it does in words, too, where it shows a sign only. */
export function button(text, label, onclick, className = "") {
  return make("button", { type: "button", "aria-label": label, title: label, onclick, className }, text);
}
