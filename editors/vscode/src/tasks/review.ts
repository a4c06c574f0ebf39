// A change is looked at as a diff before it is made: accept, discard, one step to undo.

import * as vscode from "vscode";
import { edited, type FileChange } from "./changes";

export const SCHEME = "opencoder-proposal";

interface Proposal {
  before: vscode.Uri;
  after: vscode.Uri;
  change: FileChange;
  version: number | undefined; // of the document when it was asked about
}

export class Review implements vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private proposal: Proposal | undefined;
  private count = 0;
  private readonly parts: vscode.Disposable[];

  constructor() {
    this.parts = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
        provideTextDocumentContent: (uri) => this.texts.get(uri.toString()) ?? "",
      }),
      vscode.window.tabGroups.onDidChangeTabs(({ closed }) => {
        if (this.proposal && closed.some((tab) => this.isOurs(tab))) this.forget();
      }),
    ];
  }

  dispose(): void {
    for (const part of this.parts) part.dispose();
  }

  /** Show what a change does, in the place of one that is still looked at. */
  async propose(title: string, change: FileChange): Promise<void> {
    if (this.proposal) await this.close();
    const uri = vscode.Uri.parse(change.uri, true);
    const document = change.isNew ? undefined : await vscode.workspace.openTextDocument(uri);
    const offsetAt = ({ line, character }: { line: number; character: number }) =>
      document?.offsetAt(new vscode.Position(line, character)) ?? 0;
    const after = this.keep(uri, edited(document?.getText() ?? "", change.edits, offsetAt));
    const before = document ? uri : this.keep(uri, "");
    this.proposal = { before, after, change, version: document?.version };
    await vscode.commands.executeCommand("setContext", "opencoder.reviewing", true);
    const options: vscode.TextDocumentShowOptions = { preview: true };
    await vscode.commands.executeCommand("vscode.diff", before, after, title, options);
  }

  /** Make the change that is looked at, unless its file has changed meanwhile. */
  async accept(): Promise<void> {
    const proposal = this.proposal;
    if (proposal === undefined) return;
    await this.close();
    const { change, version } = proposal;
    const uri = vscode.Uri.parse(change.uri, true);
    if (!change.isNew && (await vscode.workspace.openTextDocument(uri)).version !== version) {
      void vscode.window.showWarningMessage("OpenCoder: the file has changed since; nothing was done.");
      return;
    }
    const edit = new vscode.WorkspaceEdit();
    if (change.isNew) edit.createFile(uri, { overwrite: false, ignoreIfExists: false });
    edit.set(uri, change.edits.map(({ range: { start, end }, newText }) =>
      vscode.TextEdit.replace(new vscode.Range(start.line, start.character, end.line, end.character), newText),
    ));
    if (!(await vscode.workspace.applyEdit(edit))) {
      void vscode.window.showErrorMessage("OpenCoder: VS Code did not make the change.");
      return;
    }
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
  }

  /** Leave the file as it is, and go back to it. */
  async discard(): Promise<void> {
    const change = this.proposal?.change;
    if (change === undefined) return;
    await this.close();
    if (change.isNew) return;
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(vscode.Uri.parse(change.uri, true)));
  }

  private keep(uri: vscode.Uri, text: string): vscode.Uri {
    // The path keeps its ending, so that the text has its colours.
    const made = uri.with({ scheme: SCHEME, authority: "", query: String(++this.count), fragment: "" });
    this.texts.set(made.toString(), text);
    return made;
  }

  private isOurs(tab: vscode.Tab): boolean {
    return tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === this.proposal?.after.toString();
  }

  private async close(): Promise<void> {
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs).filter((tab) => this.isOurs(tab));
    this.forget();
    await vscode.window.tabGroups.close(tabs);
  }

  private forget(): void {
    this.proposal = undefined;
    this.texts.clear();
    void vscode.commands.executeCommand("setContext", "opencoder.reviewing", false);
  }
}
