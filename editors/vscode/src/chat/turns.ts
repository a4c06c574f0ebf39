// Turns of the chat as its view knows them (opencoder_lsp/api/web/chat/view.js), by `opencoder.chat`.
//
// The server keeps a turn when it is over, and a new conversation has no id before that. Until then
// a conversation goes by an id of ours; and a question that got no answer is shown, though it is not
// kept, so that it can be asked again.

import { randomUUID } from "node:crypto";

export interface Attachment {
  uri: string;
  range?: object;
}

export interface Message {
  id: string;
  role: "user" | "assistant";
  content: string;
  finishReason?: string | null;
  attachments?: { path: string }[];
}

export interface Conversation {
  id: string;
  title: string;
  messages: Message[];
}

/** What the view asks for. */
export interface Asked {
  action: "ask" | "edit" | "regenerate" | "continue";
  message?: string;
  conversationId?: string;
  lastMessageId?: string;
}

export type Event = { type: "begin" | "dropped" | "text" | "end" } & Record<string, unknown>;

interface ChatResult {
  conversationId: string | null;
  messageId: string | null;
  finishReason: string;
  dropped: number;
}

/** The server, as far as turns need it. */
export interface Backend {
  chat(argument: object, onText: (text: string) => void, signal: AbortSignal): Promise<ChatResult>;
  conversation(id: string): Promise<Conversation>;
  newest(): Promise<{ id: string; title: string } | null>;
}

interface Lost {
  message: string;
  attachments: Attachment[];
}

class Turn {
  readonly id = randomUUID();
  readonly stopping = new AbortController();
  text = "";
  ending: Event | null = null;
  private readonly hearing = new Set<() => void>();

  constructor(
    readonly conversationId: string,
    readonly question: { id: string; content: string },
    readonly since: string,
    readonly begun: string,
  ) {}

  get first(): Event {
    const { id: turnId, conversationId, question, since, begun } = this;
    return { type: "begin", turnId, conversationId, question, since, begun, dropped: 0 };
  }

  add(text: string): void {
    this.text += text;
    this.tell();
  }

  end(event: Event): void {
    this.ending = event;
    this.tell();
  }

  /** Call back with what comes behind so many characters, until the turn is over. */
  follow(after: number, heard: (event: Event) => void): Promise<void> {
    return new Promise((resolve) => {
      let sent = after;
      const listen = () => {
        const text = Array.from(this.text).slice(sent).join("");
        sent += Array.from(text).length;
        if (text) heard({ type: "text", text });
        if (this.ending === null) return;
        heard(this.ending);
        this.hearing.delete(listen);
        resolve();
      };
      this.hearing.add(listen);
      listen();
    });
  }

  private tell(): void {
    for (const listen of [...this.hearing]) listen();
  }
}

export class Turns {
  private readonly turns = new Map<string, Turn>();
  private readonly names = new Map<string, string>(); // ids of ours → the server's
  private readonly lost = new Map<string, Lost>(); // by conversation: what got no answer

  constructor(private readonly backend: Backend) {}

  /** The server's id of a conversation; undefined for one that it does not keep. */
  kept(id: string | undefined): string | undefined {
    if (!id?.startsWith("new-")) return id;
    return this.names.get(id);
  }

  /** The turn under way in a conversation. */
  running(id: string): Event | null {
    for (const turn of this.turns.values()) {
      if (turn.ending === null && (turn.conversationId === id || this.kept(turn.conversationId) === id)) return turn.first;
    }
    return null;
  }

  /** Begin a turn, and return its first event. */
  async begin(asked: Asked, attachments: Attachment[]): Promise<Event> {
    const shown = asked.conversationId;
    const lost = shown === undefined ? undefined : this.lost.get(shown);
    if (lost !== undefined && asked.action !== "ask") {
      const message = asked.action === "edit" ? (asked.message ?? "") : lost.message;
      return this.ask(message, lost.attachments, shown);
    }
    if (asked.action === "ask") return this.ask(asked.message ?? "", attachments, shown);
    return this.again(asked, shown ?? "");
  }

  follow(id: string, after: number, heard: (event: Event) => void): Promise<void> {
    const turn = this.turns.get(id);
    if (turn === undefined) return Promise.reject(new Error("gone"));
    return turn.follow(after, heard);
  }

  stop(id: string): void {
    this.turns.get(id)?.stopping.abort();
  }

  stopAll(): void {
    for (const turn of this.turns.values()) turn.stopping.abort();
  }

  /** Return a conversation as it is now, with a question that got no answer. */
  async conversation(id: string): Promise<Conversation> {
    const kept = this.kept(id);
    const lost = this.lost.get(id) ?? (kept === undefined ? undefined : this.lost.get(kept));
    const found = kept === undefined ? { id, title: "New chat", messages: [] } : await this.backend.conversation(kept);
    if (lost === undefined) return found;
    const attached = lost.attachments.map(({ uri }) => ({ path: uri.split("/").at(-1) ?? uri }));
    const question: Message = { id: "", role: "user", content: lost.message, attachments: attached };
    return { ...found, messages: [...found.messages, question] };
  }

  private ask(message: string, attachments: Attachment[], shown: string | undefined): Event {
    if (shown !== undefined) this.lost.delete(shown);
    const turn = this.make(shown ?? `new-${randomUUID()}`, { id: randomUUID(), content: message }, "", "");
    const argument = { message, attachments, conversationId: this.kept(shown) };
    void this.answer(turn, argument, { message, attachments });
    return turn.first;
  }

  private async again(asked: Asked, shown: string): Promise<Event> {
    const conversationId = this.kept(shown);
    const { messages } = await this.conversation(shown);
    const place = messages.findLastIndex((message) => message.role === "user");
    const question = messages[place];
    if (conversationId === undefined || question === undefined) throw new Error("the conversation has no question yet");
    const content = asked.action === "edit" ? (asked.message ?? "") : question.content;
    const begun = asked.action === "continue" ? (messages[place + 1]?.content ?? "") : "";
    const how = {
      edit: { editLast: true, message: content },
      regenerate: { regenerate: true },
      continue: { continue: true },
      ask: {},
    }[asked.action];
    const turn = this.make(shown, { id: question.id, content }, question.id, begun);
    void this.answer(turn, { ...how, conversationId, lastMessageId: asked.lastMessageId }, null);
    return turn.first;
  }

  private make(id: string, question: { id: string; content: string }, since: string, begun: string): Turn {
    if (this.running(id) !== null) throw new Error("an answer is under way in this conversation");
    const turn = new Turn(id, question, since, begun);
    for (const [old, { ending }] of this.turns) if (ending !== null) this.turns.delete(old);
    this.turns.set(turn.id, turn);
    return turn;
  }

  /** See a turn to its end; `asked` is what is lost where there is no answer. */
  private async answer(turn: Turn, argument: object, asked: Lost | null): Promise<void> {
    try {
      const result = await this.backend.chat(argument, (text) => turn.add(text), turn.stopping.signal);
      if (result.conversationId !== null) this.names.set(turn.conversationId, result.conversationId);
      const { finishReason, messageId, dropped } = result;
      turn.end({ type: "end", finishReason, messageId, dropped });
    } catch (error) {
      const stopped = turn.stopping.signal.aborted;
      if (turn.text !== "") await this.find(turn);
      else if (asked !== null) this.lost.set(turn.conversationId, asked);
      const reason = error instanceof Error ? error.message : String(error);
      turn.end({ type: "end", finishReason: "stopped", ...(stopped ? {} : { error: reason }) });
    }
  }

  /** Look for a new conversation of which the server kept half an answer, before it failed. */
  private async find(turn: Turn): Promise<void> {
    if (this.kept(turn.conversationId) !== undefined) return;
    const newest = await this.backend.newest().catch(() => null);
    if (newest && turn.question.content.includes(newest.title.replace(/…$/, ""))) {
      this.names.set(turn.conversationId, newest.id);
    }
  }
}
