// Documents that only show something: an explanation that grows, what the doctor says.

import * as vscode from "vscode";

const SCHEME = "opencoder-page";

export class Pages implements vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  private count = 0;
  private readonly parts = [
    this.changes,
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: this.changes.event,
      provideTextDocumentContent: (uri) => this.texts.get(uri.toString()) ?? "",
    }),
    vscode.workspace.onDidCloseTextDocument((document) => this.texts.delete(document.uri.toString())),
  ];

  dispose(): void {
    for (const part of this.parts) part.dispose();
  }

  /** Show a document, beside the code if there is some; what it returns adds text to it. */
  async open(name: string, text: string): Promise<(more: string) => void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}`, query: String(++this.count) });
    this.texts.set(uri.toString(), text);
    const viewColumn = vscode.window.activeTextEditor ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    await vscode.window.showTextDocument(uri, { viewColumn, preserveFocus: true });
    return (more) => {
      const before = this.texts.get(uri.toString());
      if (before === undefined) return; // closed
      this.texts.set(uri.toString(), before + more);
      this.changes.fire(uri);
    };
  }
}
