// What can be done with a block of code from an answer.

import path from "node:path";
import * as vscode from "vscode";
import { lspRange } from "../tasks/part";
import type { Review } from "../tasks/review";

/** What models call languages, where VS Code calls them otherwise. */
const LANGUAGES: Record<string, string> = {
  "c++": "cpp", bash: "shellscript", cs: "csharp", js: "javascript", jsx: "javascriptreact", md: "markdown",
  py: "python", rb: "ruby", rs: "rust", sh: "shellscript", shell: "shellscript", ts: "typescript",
  tsx: "typescriptreact", yml: "yaml",
};

/** Return the editor that the user last worked in. */
function editor(): vscode.TextEditor {
  const found = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
  if (found === undefined) throw new Error("no file is open to put the code into");
  return found;
}

export class Blocks {
  constructor(private readonly review: Review) {}

  /** Put code where the cursor is; one step to undo. */
  async insert(code: string): Promise<void> {
    const target = editor();
    const text = code.replace(/\n$/, "");
    if (!(await target.edit((builder) => builder.replace(target.selection.active, text)))) {
      throw new Error("the file cannot be written to");
    }
    await vscode.window.showTextDocument(target.document, target.viewColumn);
  }

  /** Show what the selection would be with the code in its place. */
  async apply(code: string): Promise<void> {
    const { document, selection } = editor();
    if (selection.isEmpty) throw new Error("select the code to replace first");
    const ends = document.getText(selection).endsWith("\n");
    const newText = code.replace(/\n$/, "") + (ends ? "\n" : "");
    const change = { uri: document.uri.toString(), edits: [{ range: lspRange(selection), newText }], isNew: false };
    await this.review.propose(`Chat: ${path.basename(document.uri.path)} (✓ accept, ✗ discard)`, change);
  }

  /** Open code as a file that is not saved yet. */
  async newFile(code: string, language: string): Promise<void> {
    const wanted = LANGUAGES[language.toLowerCase()] ?? language.toLowerCase();
    const known = (await vscode.languages.getLanguages()).includes(wanted);
    const options = known ? { content: code, language: wanted } : { content: code };
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(options));
  }
}
