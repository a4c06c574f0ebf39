// The model in VS Code's own chat: `@opencoder`, and a language model to choose.

import * as vscode from "vscode";
import type { Attachment } from "./chat/turns";
import { rebuilt, settled } from "./markdown";
import { reasonOf, StoppedError, type Server } from "./server/server";
import { configuration } from "./server/settings";
import { argumentOf, part } from "./tasks/part";

const PARTICIPANT = "opencoder.participant";
const VENDOR = "opencoder";
const CHARACTERS = 3; // of a token, at least, so that what fits by this count does fit

const REQUESTS: Record<string, string> = {
  explain: "Explain this code.",
  fix: "What is wrong with this code? Show it corrected.",
  tests: "Write tests for this code.",
};

interface ChatResult {
  conversationId: string | null;
  text: string;
  finishReason: string;
}

/** Offers both while the setting is on; where VS Code has no such thing, nothing. */
export class BuiltinChat implements vscode.Disposable {
  private offered: vscode.Disposable[] = [];
  private readonly watching: vscode.Disposable;

  constructor(private readonly server: Server) {
    this.watching = vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("opencoder.builtinChat.enabled")) this.offer();
    });
    this.offer();
  }

  dispose(): void {
    this.withdraw();
    this.watching.dispose();
  }

  private withdraw(): void {
    for (const one of this.offered.splice(0)) one.dispose();
  }

  private offer(): void {
    this.withdraw();
    if (!configuration().get<boolean>("builtinChat.enabled", true)) return;
    // Editors made from VS Code may lack either.
    const api = vscode as Partial<Pick<typeof vscode, "chat" | "lm">>;
    const participant = api.chat?.createChatParticipant(PARTICIPANT, (...given) => answer(this.server, ...given));
    if (participant) this.offered.push(participant);
    const register = (api.lm as Partial<typeof vscode.lm> | undefined)?.registerLanguageModelChatProvider;
    if (register) this.offered.push(register(VENDOR, new Model(this.server)));
  }
}

/** Answer a question to `@opencoder`, in the conversation of the one before. */
async function answer(
  server: Server,
  request: vscode.ChatRequest,
  context: vscode.ChatContext,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<vscode.ChatResult> {
  const last = context.history.findLast((turn) => turn instanceof vscode.ChatResponseTurn);
  const conversationId = last?.result.metadata?.conversationId as string | undefined;
  const attachments = request.references.flatMap(attachment);
  const selected = part();
  if (request.command && attachments.length === 0 && selected) attachments.push(argumentOf(selected));
  const asked = [request.command ? REQUESTS[request.command] : "", request.prompt].filter(Boolean).join("\n");
  let text = "";
  let shown = 0;
  const onText = (piece: string) => {
    text += piece;
    const end = shown + settled(text.slice(shown));
    if (end > shown) stream.markdown(`${rebuilt(text.slice(shown, end))}\n\n`);
    shown = end;
  };
  stream.progress("Waiting for the model…");
  try {
    const argument = { message: asked, conversationId, attachments };
    const result = await server.execute<ChatResult>("opencoder.chat", argument, { onText, token });
    stream.markdown(rebuilt(result.text.slice(shown)));
    return { metadata: { conversationId: result.conversationId } };
  } catch (error) {
    return error instanceof StoppedError ? {} : { errorDetails: { message: reasonOf(error) } };
  }
}

function attachment({ value }: vscode.ChatPromptReference): Attachment[] {
  if (value instanceof vscode.Uri) return [{ uri: value.toString() }];
  if (value instanceof vscode.Location) return [argumentOf({ uri: value.uri, range: value.range })];
  return [];
}

interface Status {
  model: { name: string } | null;
  engine: { health: { context_length: number } | null };
}

/** The model, for whoever asks VS Code for one. Nothing that it says is kept. */
class Model implements vscode.LanguageModelChatProvider {
  constructor(private readonly server: Server) {}

  readonly onDidChangeLanguageModelChatInformation = (listener: () => unknown) => this.server.onState(listener);

  async provideLanguageModelChatInformation(): Promise<vscode.LanguageModelChatInformation[]> {
    if (this.server.running === undefined) return [];
    const status = await this.server.execute<Status>("opencoder.status");
    const name = status.model?.name ?? "model";
    const context = status.engine.health?.context_length ?? 2048;
    const maxOutputTokens = Math.min(configuration().get<number>("chat.max_tokens", 1024), Math.floor(context / 2));
    const maxInputTokens = context - maxOutputTokens;
    // VS Code's chat lets nobody choose a model that calls no tools, and without one there is no
    // `@opencoder` either. Ours may be given tools, and does not call them.
    const capabilities = { toolCalling: true, imageInput: false };
    return [{ id: name, name: `OpenCoder (${name})`, family: VENDOR, version: "1", maxInputTokens, maxOutputTokens, capabilities }];
  }

  async provideLanguageModelChatResponse(
    _model: vscode.LanguageModelChatInformation,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelResponsePart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    if (options.toolMode === vscode.LanguageModelChatToolMode.Required) throw new Error("this model calls no tools");
    const said = messages.map(({ role, content }) => ({
      role: role === vscode.LanguageModelChatMessageRole.Assistant ? "assistant" : "user",
      content: content.map((one) => (one instanceof vscode.LanguageModelTextPart ? one.value : "")).join(""),
    }));
    const onText = (text: string) => progress.report(new vscode.LanguageModelTextPart(text));
    await this.server.execute("opencoder.answer", { messages: said }, { onText, token });
  }

  provideTokenCount(
    _model: vscode.LanguageModelChatInformation,
    text: string | vscode.LanguageModelChatRequestMessage,
  ): Promise<number> {
    const parts = typeof text === "string" ? [text] : text.content.map((one) => (one instanceof vscode.LanguageModelTextPart ? one.value : ""));
    return Promise.resolve(Math.ceil(parts.join("").length / CHARACTERS));
  }
}
