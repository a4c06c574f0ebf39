// Explanations that grow under the code, as a thread of comments that can be asked further.

import * as vscode from "vscode";
import { escaped, rebuilt } from "../markdown";
import { reasonOf, StoppedError, type Server } from "../server/server";
import { argumentOf, type Part } from "./part";

const REDRAW = 120; // milliseconds between two looks of an answer that grows
const MODEL = { name: "OpenCoder" };
const USER = { name: "You" };

interface ChatResult {
  conversationId: string | null;
  text: string;
  finishReason: string;
}

function comment(author: { name: string }, body: string): vscode.Comment {
  const text = new vscode.MarkdownString(body);
  text.isTrusted = false;
  text.supportHtml = false;
  return { author, body: text, mode: vscode.CommentMode.Preview };
}

/** One explanation and what was asked about it. */
class Talk {
  stopping: vscode.CancellationTokenSource | undefined;
  conversation: string | null = null;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: Server,
    readonly thread: vscode.CommentThread,
  ) {
    thread.label = "Explanation";
    thread.canReply = false;
    thread.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
  }

  /** Let an answer grow at the end of the thread. */
  async answer(command: string, argument: object): Promise<void> {
    const before = this.thread.comments;
    const stopping = (this.stopping = new vscode.CancellationTokenSource());
    let text = "";
    const show = (note = "") => {
      this.timer = undefined;
      this.thread.comments = [...before, comment(MODEL, `${rebuilt(text)}${note && `\n\n*${escaped(note)}*`}`)];
    };
    this.thread.contextValue = "answering";
    this.thread.canReply = false;
    show("Waiting for the model…");
    const onText = (piece: string) => {
      text += piece;
      this.timer ??= setTimeout(show, REDRAW);
    };
    let note: string;
    try {
      const result = await this.server.execute<ChatResult>(command, argument, { onText, token: stopping.token });
      text = result.text;
      this.conversation = result.conversationId;
      note = result.finishReason === "length" ? "Cut off at its greatest length (chat.max_tokens)." : "";
      if (result.finishReason === "stopped") note = "Stopped.";
    } catch (error) {
      note = error instanceof StoppedError ? "Stopped." : `Failed: ${reasonOf(error)}`;
    }
    clearTimeout(this.timer);
    if (this.stopping !== stopping) return; // it was closed
    this.stopping = undefined;
    show(note);
    this.thread.contextValue = "answered";
    this.thread.canReply = this.conversation !== null;
  }

  ask(message: string): Promise<void> {
    this.thread.comments = [...this.thread.comments, comment(USER, escaped(message))];
    return this.answer("opencoder.chat", { message, conversationId: this.conversation });
  }

  close(): void {
    clearTimeout(this.timer);
    this.stopping?.cancel();
    this.stopping = undefined;
    this.thread.dispose();
  }
}

export class Explanations implements vscode.Disposable {
  private readonly controller = vscode.comments.createCommentController("opencoder", "OpenCoder");
  private readonly talks = new Map<vscode.CommentThread, Talk>();

  constructor(private readonly server: Server) {
    this.controller.options = { prompt: "Ask further…", placeHolder: "Ask further about this code" };
  }

  dispose(): void {
    for (const talk of this.talks.values()) talk.close();
    this.controller.dispose();
  }

  /** Explain a part of a document under it. */
  async explain(part: Part): Promise<void> {
    for (const talk of this.at(part)) this.close(talk.thread);
    const thread = this.controller.createCommentThread(part.uri, part.range, []);
    const talk = new Talk(this.server, thread);
    this.talks.set(thread, talk);
    await talk.answer("opencoder.explain", argumentOf(part));
  }

  close(thread: vscode.CommentThread): void {
    this.talks.get(thread)?.close();
    this.talks.delete(thread);
  }

  stop(thread: vscode.CommentThread): void {
    this.talks.get(thread)?.stopping?.cancel();
  }

  async ask(thread: vscode.CommentThread, message: string): Promise<void> {
    const talk = this.talks.get(thread);
    if (talk && message.trim()) await talk.ask(message.trim());
  }

  conversation(thread: vscode.CommentThread): string | null {
    return this.talks.get(thread)?.conversation ?? null;
  }

  private at({ uri, range }: Part): Talk[] {
    const same = (talk: Talk) => talk.thread.uri.toString() === uri.toString() && talk.thread.range?.isEqual(range);
    return [...this.talks.values()].filter(same);
  }
}
