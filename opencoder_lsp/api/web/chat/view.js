// A chat: what was said, and where to say more. It knows no routes: whoever shows it hands in an
// adapter, an object with these functions, all but the last three returning promises.
//
//   begin({action, message?, conversationId?, messageId?, lastMessageId?})   → first event of a turn
//   follow(turnId, after, heard, signal)   events behind so many characters, until the turn is over;
//                                          rejects with {gone: true} where there is no such turn
//   stop(turnId)   conversation(id)   forget(conversationId, messageId) → the conversation
//   count({message, conversationId}) → {tokens, limit, dropped, fits}, or null
//   fill(prompt) → the text of a prompt, or null     copy(text)
//   save(name, text)   prompts() → the prompts       changed(conversation)   failed(error)
//   files(text) → [{path}], those that "@" offers, and attach(file); both or none
//   actions, in the place of `save`: [{text, label, run(code, language)}], buttons of code blocks
//
// Events are those of api/turns.py: begin, dropped, text, end.

import { Composer } from "./composer.js";
import { button, make } from "./dom.js";
import { MessageView } from "./message.js";

const NEAR = 48; // pixels from the bottom that count as being there
const REST = 5; // times as long as drawing took, before it is done again

export class ChatView {
  constructor(root, adapter) {
    this.adapter = adapter;
    this.conversation = null;
    this.turn = null;
    this.views = [];
    this.list = make("div", { className: "messages", role: "log", "aria-live": "off" });
    this.empty = make("p", { className: "empty" }, "Ask something to begin.");
    this.scroll = make("div", { className: "scroll" }, this.empty, this.list);
    this.scroll.onscroll = () => this.#scrolled();
    new ResizeObserver(() => this.sticky && this.#toEnd()).observe(this.scroll);
    this.jump = button("↓", "Jump to the end", () => this.#toEnd(), "jump");
    this.jump.hidden = true;
    this.status = make("p", { className: "status", role: "status" });
    this.composer = new Composer({
      send: (text) => this.send(text),
      stop: () => this.stop(),
      count: (message) => adapter.count({ message, conversationId: this.conversation?.id }),
      prompts: () => adapter.prompts(),
      fill: (prompt) => adapter.fill(prompt),
      files: adapter.files,
      attach: adapter.attach,
    });
    this.sticky = true;
    root.append(this.scroll, this.jump, this.status, this.composer.element);
  }

  /** Show a conversation, null for a new one; `begun` is the first event of a turn under way. */
  show(conversation, begun = null) {
    this.turn?.leaving.abort();
    this.turn = null;
    this.conversation = conversation;
    this.views = [];
    this.list.replaceChildren();
    this.say("");
    this.composer.busy = false;
    this.#update(conversation?.messages ?? []);
    this.#toEnd();
    this.composer.recount();
    if (begun) this.#follow(begun, true);
  }

  send(message) {
    return this.#begin({ action: "ask", message }, message);
  }

  async stop() {
    if (this.turn) await this.adapter.stop(this.turn.id).catch((error) => this.adapter.failed(error));
  }

  say(text) {
    this.status.textContent = text;
  }

  async #begin(asked, draft = "") {
    if (this.turn || this.beginning) return;
    this.beginning = true;
    this.say("Waiting for the model…");
    const id = this.conversation?.id;
    try {
      await this.reloading; // or its end would look as if another conversation were shown
      const shown = this.conversation;
      if (shown?.id !== id) throw new Error("another conversation is shown now");
      const last = asked.action === "ask" ? {} : { lastMessageId: shown.messages.at(-1)?.id };
      const begun = await this.adapter.begin({ ...asked, ...last, conversationId: shown?.id });
      if (this.conversation !== shown) return; // another one is looked at by now
      if (shown === null) {
        this.conversation = await this.adapter.conversation(begun.conversationId);
        this.adapter.changed(this.conversation);
      }
      this.sticky = true;
      this.#follow(begun, shown === null);
    } catch (error) {
      this.say("");
      if (draft && !this.composer.value) this.composer.value = draft;
      this.adapter.failed(error);
    } finally {
      this.beginning = false;
    }
  }

  /** Show a turn; `read` is whether the conversation is as it was when the turn had begun, or later. */
  async #follow(begun, read) {
    const turn = { id: begun.turnId, text: "", leaving: new AbortController(), ending: null };
    this.turn = turn;
    this.composer.busy = true;
    const old = this.conversation.messages;
    const place = old.findIndex((message) => message.id === begun.since);
    // A question that was there and is not any more is kept anew, with its answer: that has ended.
    const again = read && begun.since ? old.findLastIndex((message) => message.role === "user") : -1;
    const before = place < 0 && again < 0 ? old : old.slice(0, place < 0 ? again : place);
    const question = { role: "user", ...begun.question };
    const answer = { role: "assistant", content: begun.begun };
    this.#update([...before, question, answer], true);
    turn.view = this.views.at(-1);
    turn.begun = begun.begun;
    this.#heard(turn, begun);
    await this.#listen(turn);
    if (turn.leaving.signal.aborted) return;
    this.#drawNow(turn);
    turn.view.finish(turn.begun + turn.text);
    this.turn = null;
    this.composer.busy = false;
    const failed = turn.ending?.error;
    this.say(failed ? `Failed: ${failed}` : turn.ending?.finishReason === "stopped" ? "Stopped." : "");
    if (!failed && turn.ending?.finishReason !== "stopped") this.say("The answer is complete.");
    await (this.reloading = this.#reload());
  }

  async #listen(turn) {
    const { signal } = turn.leaving;
    for (let wait = 500; !turn.ending && !signal.aborted; wait = Math.min(wait * 2, 8000)) {
      try {
        await this.adapter.follow(turn.id, [...turn.text].length, (event) => this.#heard(turn, event), signal);
      } catch (error) {
        if (signal.aborted || error.gone) return;
        this.say("The connection was lost; trying again…");
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  #heard(turn, event) {
    if (event.type === "text") {
      turn.text += event.text;
      this.#drawSoon(turn);
    } else if (event.type === "end") turn.ending = event;
    if (event.type === "text" || event.type === "begin") this.say("Answering…");
    if (event.dropped) this.say(`Answering without the oldest ${event.dropped} messages…`);
  }

  #drawSoon(turn) {
    if (turn.timer !== undefined) return;
    turn.timer = setTimeout(() => this.#drawNow(turn), Math.max(16, (turn.cost ?? 0) * REST));
  }

  #drawNow(turn) {
    clearTimeout(turn.timer);
    turn.timer = undefined;
    if (turn.leaving.signal.aborted) return;
    const start = performance.now();
    turn.view.grow(turn.begun + turn.text);
    if (this.sticky) this.#toEnd();
    turn.cost = performance.now() - start;
  }

  async #reload() {
    const shown = this.conversation;
    try {
      const conversation = await this.adapter.conversation(shown.id);
      this.adapter.changed(conversation);
      if (this.conversation !== shown || this.turn) return;
      this.conversation = conversation;
      this.#update(conversation.messages);
      this.composer.recount();
    } catch (error) {
      this.adapter.failed(error);
    }
  }

  async #remove(message) {
    try {
      const conversation = await this.adapter.forget(this.conversation.id, message.id);
      this.conversation = conversation;
      this.adapter.changed(conversation);
      this.#update(conversation.messages);
      this.composer.recount();
      this.composer.focus();
    } catch (error) {
      this.adapter.failed(error);
    }
  }

  /** Show messages, leaving alone what is there already. */
  #update(messages, busy = false) {
    const does = {
      edit: (message, text) => this.#begin({ action: "edit", messageId: message.id, message: text }),
      regenerate: () => this.#begin({ action: "regenerate" }),
      goOn: () => this.#begin({ action: "continue" }),
      remove: (message) => this.#remove(message),
    };
    this.empty.hidden = messages.length > 0;
    let same = 0;
    while (same < this.views.length && same < messages.length && this.views[same].shows(messages[same])) same++;
    for (const view of this.views.splice(same)) view.element.remove();
    for (const message of messages.slice(same)) {
      const view = new MessageView(message, does, this.adapter);
      this.views.push(view);
      this.list.append(view.element);
    }
    messages.forEach((message, n) => this.views[n].update(message, n === messages.length - 1, busy));
    if (this.sticky) this.#toEnd();
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroll;
    this.sticky = scrollTop + clientHeight >= scrollHeight - NEAR;
    this.jump.hidden = this.sticky;
  }

  #toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.sticky = true;
    this.jump.hidden = true;
  }
}
