// Where a question is written: Enter sends, Shift+Enter is a line, "/" brings the prompts, and "@"
// the files, where there are some to attach.

import { button, make } from "./dom.js";

const COUNT_AFTER = 400; // milliseconds without a key

const MENTION = /(?<![^\s,;([{"'`])@([^\s@]*)$/; // where the server, too, takes `@path` for a file

/**
 * `does` has `send(text)`, `stop()`, `count(text)` and `prompts()`; `fill(prompt)` asks for a
 * prompt's variables and returns its text, null if that was given up. It may have `files(text)`,
 * which returns the files [{path}] that are so called, and `attach(file)`.
 */
export class Composer {
  constructor(does) {
    this.does = does;
    this.text = make("textarea", {
      rows: 1,
      placeholder: does.files ? "Ask something; / for prompts, @ for files" : "Ask something; / for prompts",
      "aria-label": "Your question",
      "aria-controls": "prompt-choice",
      "aria-autocomplete": "list",
      oninput: () => this.#changed(),
      onkeydown: (event) => this.#key(event),
      onblur: () => this.#close(),
    });
    this.choice = make("ul", { id: "prompt-choice", role: "listbox", hidden: true });
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
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width !== width) this.#fit(); // its height is our own doing
      width = contentRect.width;
    }).observe(this.text);
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

  /** Make the field as high as its text, within bounds. */
  #fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, 240)}px`;
  }

  #changed() {
    this.#fit();
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

  /** Return the word with "@" that is being written; null for any other. */
  get #mention() {
    const isWritten = this.does.files && document.activeElement === this.text;
    return isWritten ? MENTION.exec(this.text.value.slice(0, this.text.selectionStart)) : null;
  }

  /** Offer what goes with the word that is being written. */
  async #choose() {
    const prompt = /^\/(\S*)$/.exec(this.text.value);
    const word = (prompt ?? this.#mention)?.[1].toLowerCase();
    if (word === undefined) return this.#close();
    const asked = (this.asked = {}); // an answer that comes late is about another word
    if (prompt) {
      const prompts = this.does.prompts().filter(({ name }) => name.toLowerCase().includes(word));
      return this.#offer("Prompts", prompts.map((one) => this.#prompt(one)));
    }
    const files = await this.does.files(word);
    if (this.asked === asked) this.#offer("Files", files.map((one) => this.#file(one)));
  }

  #prompt(prompt) {
    const use = async () => {
      const text = await this.does.fill(prompt);
      if (text !== null) this.value = text;
    };
    return { name: prompt.name, more: prompt.description, use };
  }

  /** A file takes the place of the word that it was found by, and goes along. */
  #file(file) {
    const place = file.path.lastIndexOf("/") + 1;
    const use = async () => {
      const word = this.#mention; // may be longer by now
      if (word) this.text.setRangeText(`${file.path} `, word.index, this.text.selectionStart, "end");
      this.#changed();
      await this.does.attach(file);
    };
    return { name: file.path.slice(place), more: file.path.slice(0, place), use };
  }

  #offer(what, found) {
    this.found = found;
    this.chosen = 0;
    this.choice.setAttribute("aria-label", what);
    this.#list();
  }

  #close() {
    this.asked = null;
    this.found = [];
    this.#list();
  }

  #list() {
    this.choice.hidden = this.found.length === 0;
    this.choice.replaceChildren(
      ...this.found.map(({ name, more }, number) =>
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
          make("strong", {}, name),
          ` ${more}`,
        ),
      ),
    );
    this.choice.children[this.chosen]?.scrollIntoView({ block: "nearest" });
    if (this.choice.hidden) this.text.removeAttribute("aria-activedescendant");
    else this.text.setAttribute("aria-activedescendant", `prompt-choice-${this.chosen}`);
  }

  async #use() {
    const { use } = this.found[this.chosen];
    this.#close();
    await use();
    this.focus();
  }

  #key(event) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (this.found.length > 0) {
      if (step) this.chosen = (this.chosen + step + this.found.length) % this.found.length;
      else if (event.key === "Escape") this.#close();
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
