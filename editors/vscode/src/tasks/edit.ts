// Fix, document, write tests, refactor: the model's answer becomes a change to look at.

import * as vscode from "vscode";
import { reasonOf, StoppedError, type Server } from "../server/server";
import { fileChanges, type LspWorkspaceEdit } from "./changes";
import { argumentOf, lspRange, type Part } from "./part";
import type { Review } from "./review";

export type EditKind = "fix" | "document" | "test" | "refactor";

const DOING: Record<EditKind, string> = {
  fix: "fixing",
  document: "documenting",
  test: "writing tests",
  refactor: "refactoring",
};

const LABELS: Record<EditKind, string> = { fix: "Fix", document: "Document", test: "Tests", refactor: "Refactor" };

interface EditResult {
  edit: LspWorkspaceEdit | null;
  reason: string | null;
  text: string;
}

/** What the server is told of what tools say of a part. */
function diagnostics({ uri, range }: Part): object[] {
  return vscode.languages
    .getDiagnostics(uri)
    .filter((one) => one.range.start.line <= range.end.line && range.start.line <= one.range.end.line)
    .map((one) => ({
      range: lspRange(one.range),
      message: one.message,
      source: one.source,
      code: typeof one.code === "object" ? one.code.value : one.code,
    }));
}

/** Ask for a change and show it; `more` goes along with what the server is told. */
export async function edit(server: Server, review: Review, kind: EditKind, part: Part, more: object = {}): Promise<void> {
  const document = await vscode.workspace.openTextDocument(part.uri);
  const argument = {
    ...argumentOf(part),
    version: document.version,
    ...(kind === "fix" ? { diagnostics: diagnostics(part) } : {}),
    ...more,
    show: false,
  };
  const location = vscode.ProgressLocation.Notification;
  const options = { location, title: `OpenCoder: ${DOING[kind]}`, cancellable: true };
  try {
    const result = await vscode.window.withProgress(options, (progress, token) => {
      let lines = 0;
      const onText = (text: string) => {
        lines += text.split("\n").length - 1;
        progress.report({ message: lines === 1 ? "1 line" : `${lines} lines` });
      };
      return server.execute<EditResult>(`opencoder.${kind}`, argument, { token, onText });
    });
    await show(review, kind, result);
  } catch (error) {
    if (!(error instanceof StoppedError)) void vscode.window.showErrorMessage(`OpenCoder: ${reasonOf(error)}`);
  }
}

async function show(
  review: Review,
  kind: EditKind,
  result: EditResult,
): Promise<void> {
  const changes = result.edit ? fileChanges(result.edit) : [];
  const change = changes[0];
  if (change === undefined || changes.length > 1) {
    return offerAnswer(`OpenCoder: nothing is changed: ${result.reason ?? "the answer is no change of one file"}.`, result.text);
  }
  const name = vscode.workspace.asRelativePath(vscode.Uri.parse(change.uri, true));
  await review.propose(`${LABELS[kind]}: ${name} (✓ accept, ✗ discard)`, change);
}

async function offerAnswer(message: string, answer: string): Promise<void> {
  const choice = answer.trim() ? ["Show the Answer"] : [];
  if ((await vscode.window.showWarningMessage(message, ...choice)) === undefined) return;
  const document = await vscode.workspace.openTextDocument({ language: "markdown", content: answer });
  await vscode.window.showTextDocument(document, vscode.ViewColumn.Beside, true);
}

/** Ask what to change, then for the change. */
export async function refactor(server: Server, review: Review, part: Part): Promise<void> {
  const instruction = await vscode.window.showInputBox({
    title: "Refactor",
    prompt: "What is to change?",
    placeHolder: "Use a list comprehension",
    validateInput: (text) => (text.trim() ? null : "Say what is to change."),
  });
  if (instruction?.trim()) await edit(server, review, "refactor", part, { instruction: instruction.trim() });
}
