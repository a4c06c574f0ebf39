// The chat's view in the side bar: what its page asks for, and what it is told.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { reasonOf, type Server } from "../server/server";
import { lspRange, nameOf, type Part } from "../tasks/part";
import { Blocks } from "./blocks";
import { Memory } from "./memory";
import { Turns, type Asked, type Conversation, type Event } from "./turns";
import type { Review } from "../tasks/review";

const VIEW = "opencoder.chat";

interface Attached {
  name: string;
  attachment: { uri: string; range?: object };
}

/** A call of the page's: a name of `Calls` and its arguments. */
interface Call {
  id: number;
  name: string;
  args: unknown[];
}

type Calls = Record<string, (...args: never[]) => unknown>;

export class ChatHost implements vscode.WebviewViewProvider, vscode.Disposable {
  readonly turns: Turns;
  private view: vscode.WebviewView | undefined;
  private attached: Attached[] = [];
  private waiting: object[] = []; // what to tell a page that is not there yet
  private isThere = false;
  private readonly blocks: Blocks;
  private readonly memory: Memory;
  private readonly registration = vscode.window.registerWebviewViewProvider(VIEW, this, {
    webviewOptions: { retainContextWhenHidden: true },
  });

  constructor(
    private readonly server: Server,
    private readonly context: vscode.ExtensionContext,
    review: Review,
  ) {
    this.blocks = new Blocks(review);
    this.memory = new Memory(context);
    this.turns = new Turns({
      chat: (argument, onText, signal) => {
        const stopping = new vscode.CancellationTokenSource();
        signal.addEventListener("abort", () => stopping.cancel());
        return server.execute("opencoder.chat", argument, { onText, token: stopping.token });
      },
      conversation: (conversationId) => server.execute<Conversation>("opencoder.conversation", { conversationId }),
      newest: async () => (await server.execute<{ id: string; title: string }[]>("opencoder.conversations"))[0] ?? null,
    });
  }

  dispose(): void {
    this.turns.stopAll();
    this.registration.dispose();
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    this.isThere = false;
    const root = vscode.Uri.joinPath(this.context.extensionUri, "dist", "webview");
    view.webview.options = { enableScripts: true, localResourceRoots: [root] };
    view.webview.onDidReceiveMessage((call: Call) => void this.called(call));
    view.onDidDispose(() => (this.view = undefined));
    view.webview.html = page(view.webview, root);
  }

  /** Open the view and put the cursor into it. */
  async open(): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    this.tell({ event: "focus" });
  }

  /** Show a conversation, undefined for a new one. */
  async show(id: string | undefined): Promise<void> {
    await this.remember(id);
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    this.tell({ event: "show", ...(await this.read(id)) });
  }

  /** Show nothing of a conversation that was deleted. */
  async deleted(id: string): Promise<void> {
    if ((await this.memory.get()) !== id) return;
    await this.remember(undefined);
    this.tell({ event: "show", conversation: null, begun: null });
  }

  /** Let a part of a document, or all of it, go along with the next question. */
  async attach(part: Part, whole: boolean): Promise<void> {
    this.add(part.uri, whole ? undefined : part);
    await this.open();
  }

  /** Ask something about a part, in a new conversation. */
  async ask(message: string, part: Part): Promise<void> {
    await this.show(undefined);
    await this.attach(part, part.range.isEmpty);
    this.tell({ event: "ask", message });
  }

  private readonly calls: Calls = {
    start: async () => {
      await this.server.settled(); // after a reload the page is there before the server
      this.isThere = true;
      const shown = await this.read(await this.memory.get());
      const waiting = this.waiting.splice(0);
      return { ...shown, attached: this.attached.map(({ name }) => name), waiting };
    },
    begin: async (asked: Asked) => {
      const files = asked.action === "ask" ? this.attached.splice(0) : [];
      this.tellAttached();
      const event = await this.turns.begin(asked, files.map((one) => one.attachment));
      await this.remember(String(event.conversationId));
      return event;
    },
    follow: async (id: string, after: number) => {
      await this.turns.follow(id, after, (event) => this.tell({ event: "turn", turn: id, data: event }));
      await this.remember(await this.memory.get());
    },
    stop: (id: string) => this.turns.stop(id),
    conversation: (id: string) => this.turns.conversation(id),
    forget: async (conversationId: string, messageId: string) => {
      const kept = this.turns.kept(conversationId);
      await this.server.execute("opencoder.conversation.forget", { conversationId: kept, messageId });
      return this.turns.conversation(conversationId);
    },
    attachSelection: () => vscode.commands.executeCommand("opencoder.attachSelection"),
    files: (text: string) => this.server.execute("opencoder.files", { text }),
    attachNamed: (uri: string) => this.add(vscode.Uri.parse(uri, true)),
    attachFile: () => vscode.commands.executeCommand("opencoder.attachFile"),
    detach: (name: string) => {
      this.attached = this.attached.filter((one) => one.name !== name);
      this.tellAttached();
    },
    copy: (text: string) => vscode.env.clipboard.writeText(text),
    insert: (code: string) => this.blocks.insert(code),
    apply: (code: string) => this.blocks.apply(code),
    newFile: (code: string, language: string) => this.blocks.newFile(code, language),
  };

  private async called({ id, name, args }: Call): Promise<void> {
    try {
      const call = Object.hasOwn(this.calls, name) ? this.calls[name] : undefined;
      if (call === undefined) throw new Error(`the chat knows no ${name}`);
      const result: unknown = await call(...(args as never[]));
      await this.view?.webview.postMessage({ id, result: result ?? null });
    } catch (error) {
      await this.view?.webview.postMessage({ id, error: reasonOf(error) });
    }
  }

  /** Keep in mind which conversation is looked at, for after a reload. */
  private remember(id: string | undefined): Promise<void> {
    return this.memory.set(this.turns.kept(id) ?? id);
  }

  private async read(id: string | undefined): Promise<{ conversation: Conversation | null; begun: Event | null }> {
    if (id === undefined) return { conversation: null, begun: null };
    try {
      return { conversation: await this.turns.conversation(id), begun: this.turns.running(id) };
    } catch (error) {
      this.server.log.info(`the chat begins anew: ${reasonOf(error)}`); // deleted elsewhere, or no server
      return { conversation: null, begun: null };
    }
  }

  private add(uri: vscode.Uri, part?: Part): void {
    const name = part ? nameOf(part) : vscode.workspace.asRelativePath(uri);
    const attachment = { uri: uri.toString(), ...(part ? { range: lspRange(part.range) } : {}) };
    this.attached = [...this.attached.filter((one) => one.name !== name), { name, attachment }];
    this.tellAttached();
  }

  private tellAttached(): void {
    this.tell({ event: "attached", names: this.attached.map(({ name }) => name) });
  }

  private tell(message: object): void {
    if (this.view && this.isThere) void this.view.webview.postMessage(message);
    else this.waiting.push(message);
  }
}

/** The page: its own scripts and styles, and nothing from anywhere else. */
function page(webview: vscode.Webview, root: vscode.Uri): string {
  const nonce = randomBytes(16).toString("base64");
  const at = (...names: string[]) => webview.asWebviewUri(vscode.Uri.joinPath(root, ...names)).toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    `font-src ${webview.cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <title>OpenCoder</title>
    <link rel="stylesheet" href="${at("chat", "chat.css")}">
    <link rel="stylesheet" href="${at("view.css")}">
    <script type="module" nonce="${nonce}" src="${at("view.js")}"></script>
  </head>
  <body>
    <p id="notice" role="alert" hidden></p>
    <div id="chat" class="chat" hidden></div>
  </body>
</html>`;
}
