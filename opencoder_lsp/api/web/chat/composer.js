// Where a question is written: Enter sends, Shift+Enter is a line, "/" brings the prompts.

import { button, make } from "./dom.js";

const COUNT_AFTER = 400; // milliseconds without a key

/**
 * `does` has `send(text)`, `stop()`, `count(text)` and `prompts()`; `fill(prompt)` asks for a
 * prompt's variables and returns its text, null if that was given up.
 */
export class Composer {
  constructor(does) {
    this.does = does;
    this.text = make("textarea", {
      rows: 1,
      placeholder: "Ask something; / for prompts",
      "aria-label": "Your question",
      "aria-controls": "prompt-choice",
      oninput: () => this.#changed(),
      onkeydown: (event) => this.#key(event),
    });
    this.choice = make("ul", { id: "prompt-choice", role: "listbox", "aria-label": "Prompts", hidden: true });
    this.tokens = make("span", { className: "tokens" });
    this.act = button("Send", "Send", () => this.#act(), "primary");
    this.element = make(
      "form",
      { className: "composer", onsubmit: (event) => event.preventDefault() },
      this.choice,
      make("div", { className: "row" }, this.text, this.act),
      make("div", { className: "under" }, this.tokens),
    );
    this.found = [];
    this.answering = false;
  }

  /** Say whether an answer is under way: then the button stops it. */
  set busy(busy) {
    this.answering = busy;
    this.act.textContent = busy ? "Stop" : "Send";
    this.act.setAttribute("aria-label", busy ? "Stop the answer" : "Send");
    this.act.title = this.act.getAttribute("aria-label");
  }

  get value() {
    return this.text.value;
  }

  set value(text) {
    this.text.value = text;
    this.#changed();
  }

  focus() {
    this.text.focus();
  }

  /** Count the prompt's tokens again, since the conversation is another. */
  recount() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#count(), COUNT_AFTER);
  }

  #act() {
    if (this.answering) return this.does.stop();
    const text = this.text.value;
    if (!text.trim()) return this.focus();
    this.value = "";
    this.does.send(text);
  }

  #changed() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, 240)}px`;
    this.recount();
    this.#choose();
  }

  async #count() {
    const text = this.text.value;
    const count = await this.does.count(text);
    if (count === null || text !== this.text.value) return;
    const left = count.dropped ? `; the oldest ${count.dropped} messages are left out` : "";
    this.tokens.textContent = count.fits
      ? `${count.tokens} of ${count.limit} tokens${left}`
      : `${count.tokens} tokens, but only ${count.limit} fit`;
    this.tokens.classList.toggle("bad", !count.fits);
  }

  #choose() {
    const match = /^\/(\S*)$/.exec(this.text.value);
    const word = match?.[1].toLowerCase();
    this.found = match
      ? this.does.prompts().filter((prompt) => prompt.name.toLowerCase().includes(word))
      : [];
    this.chosen = 0;
    this.#list();
  }

  #list() {
    this.choice.hidden = this.found.length === 0;
    this.choice.replaceChildren(
      ...this.found.map((prompt, number) =>
        make(
          "li",
          {
            id: `prompt-choice-${number}`,
            role: "option",
            "aria-selected": String(number === this.chosen),
            onmousedown: (event) => {
              event.preventDefault();
              this.chosen = number;
              this.#use();
            },
          },
          make("strong", {}, prompt.name),
          ` ${prompt.description}`,
        ),
      ),
    );
    if (this.choice.hidden) this.text.removeAttribute("aria-activedescendant");
    else this.text.setAttribute("aria-activedescendant", `prompt-choice-${this.chosen}`);
  }

  async #use() {
    const prompt = this.found[this.chosen];
    this.found = [];
    this.#list();
    const text = await this.does.fill(prompt);
    if (text !== null) this.value = text;
    this.focus();
  }

  #key(event) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (this.found.length > 0) {
      if (step) this.chosen = (this.chosen + step + this.found.length) % this.found.length;
      else if (event.key === "Escape") this.found = [];
      else if (event.key === "Enter" || event.key === "Tab") this.#use();
      else return;
      event.preventDefault();
      this.#list();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (!this.answering) this.#act();
    } else if (event.key === "Escape" && this.answering) this.does.stop();
  }
}
