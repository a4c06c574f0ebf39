// One question or answer.

import { button, make } from "./dom.js";
import { Growing, draw } from "./markdown.js";

const ENDS = {
  length: "Cut off: it had reached its greatest length.",
  stopped: "Stopped.",
};

/**
 * An article. `message` is as the server keeps it; `does` has the functions `edit`, `regenerate`,
 * `goOn`, `remove`, and `host` copies and saves.
 */
export class MessageView {
  constructor(message, does, host) {
    this.does = does;
    this.host = host;
    this.body = make("div", { className: "body" });
    this.note = make("p", { className: "note" });
    this.tools = make("div", { className: "tools", role: "toolbar" });
    this.name = make("h2");
    const head = make("header", {}, this.name, this.tools);
    this.element = make("article", { className: message.role }, head, this.body, this.note);
    this.update(message, false);
    this.#fill();
  }

  /** Whether this is what a message looks like, however it is called now. */
  shows(message) {
    return this.message.role === message.role && this.message.content === message.content;
  }

  /** Take a message with the same content; `last` is whether its turn is the last one. */
  update(message, last, busy = false) {
    this.message = message;
    const question = message.role === "user";
    this.name.textContent = question ? "You" : message.model || "Answer";
    this.element.setAttribute("aria-label", question ? "Your question" : "Answer");
    const files = (message.attachments ?? []).map((file) => file.path);
    const notes = [files.length ? `With ${files.join(", ")}.` : "", ENDS[message.finishReason] ?? ""];
    this.note.textContent = notes.filter(Boolean).join(" ");
    this.note.hidden = this.note.textContent === "";
    this.tools.setAttribute("aria-label", question ? "Your question" : "Answer");
    this.tools.replaceChildren(...(busy ? [] : this.#buttons(question, last)));
  }

  /** Begin to show an answer that is being written. */
  grow(text) {
    this.element.setAttribute("aria-busy", "true");
    this.growing ??= new Growing(this.body, this.host);
    this.growing.show(text);
    this.message.content = text;
  }

  /** Show all of an answer that was being written. */
  finish(text) {
    this.growing?.end(text);
    this.growing = undefined;
    this.message.content = text;
    this.element.removeAttribute("aria-busy");
  }

  #fill() {
    if (this.message.role === "user") this.body.textContent = this.message.content;
    else draw(this.body, this.message.content, this.host);
  }

  #buttons(question, last) {
    const { does, message } = this;
    const buttons = [
      button("Copy", question ? "Copy question" : "Copy answer", () => this.host.copy(message.content)),
    ];
    if (question) buttons.push(button("Edit", "Edit this question", () => this.#edit()));
    if (last && does.regenerate) buttons.push(button("Again", "Regenerate the answer", does.regenerate));
    if (last && !question && message.finishReason !== "stop") {
      buttons.push(button("Continue", "Continue this answer", does.goOn));
    }
    if (question) {
      buttons.push(button("Delete", "Delete this question and its answer", () => does.remove(message)));
    }
    return buttons;
  }

  #edit() {
    const text = make("textarea", { value: this.message.content, "aria-label": "Edit question" });
    const close = () => {
      this.#fill();
      this.tools.hidden = false;
    };
    const save = () => {
      if (text.value.trim()) {
        close();
        this.does.edit(this.message, text.value);
      }
    };
    text.onkeydown = (event) => {
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    };
    const buttons = make(
      "div",
      { className: "row" },
      button("Save & send", "Save and send; what follows is replaced", save, "primary"),
      button("Cancel", "Cancel editing", close),
    );
    this.tools.hidden = true;
    this.body.replaceChildren(text, buttons);
    text.rows = Math.min(20, this.message.content.split("\n").length + 1);
    text.focus();
  }
}
