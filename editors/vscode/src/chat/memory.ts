// Which conversation a workspace looked at last, on the disk at once: what VS Code keeps itself may
// be some seconds late, and lost with a reload.

import * as vscode from "vscode";

export class Memory {
  private id: string | undefined;
  private readonly file: vscode.Uri;
  private read: Promise<void> | undefined;
  private writing: Thenable<void> = Promise.resolve();

  constructor(context: vscode.ExtensionContext) {
    this.file = vscode.Uri.joinPath(context.storageUri ?? context.globalStorageUri, "conversation");
  }

  async get(): Promise<string | undefined> {
    this.read ??= this.load();
    await this.read;
    return this.id;
  }

  async set(id: string | undefined): Promise<void> {
    this.read ??= Promise.resolve();
    this.id = id;
    const write = () => vscode.workspace.fs.writeFile(this.file, Buffer.from(id ?? ""));
    this.writing = this.writing.then(write, write);
    await this.writing;
  }

  private async load(): Promise<void> {
    try {
      this.id = Buffer.from(await vscode.workspace.fs.readFile(this.file)).toString() || undefined;
    } catch {
      this.id = undefined; // there is none yet
    }
  }
}
