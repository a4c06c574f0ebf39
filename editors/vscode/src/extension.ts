// OpenCoder in VS Code: a thin client of the language server.

import * as vscode from "vscode";
import { BuiltinChat } from "./builtin";
import { History } from "./chat/history";
import { ChatHost } from "./chat/host";
import { explain, register, type Parts } from "./commands";
import { Ghost } from "./ghost";
import { middleware } from "./middleware";
import { Server } from "./server/server";
import { needsRestart } from "./server/settings";
import type { State } from "./server/state";
import { StatusItem } from "./status";
import { edit } from "./tasks/edit";
import { Explanations } from "./tasks/explain";
import { Pages } from "./tasks/page";
import { Review } from "./tasks/review";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const version = (context.extension.packageJSON as { version: string }).version;
  const parts = make(context, version);
  server = parts.server;
  const { log, ghost, status, review, explanations, pages, chat } = parts;
  context.subscriptions.push(
    ...register(parts),
    log, ghost, status, review, explanations, pages, chat, parts.server,
    new BuiltinChat(parts.server),
    parts.server.onState(offerInstallation()),
    vscode.workspace.onDidGrantWorkspaceTrust(() => parts.server.restart()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (needsRestart(change)) void parts.server.restart();
    }),
  );
  await parts.server.restart();
}

export function deactivate(): Promise<void> | undefined {
  return server?.stop();
}

function make(context: vscode.ExtensionContext, version: string): Parts {
  const log = vscode.window.createOutputChannel("OpenCoder", { log: true });
  const storage = context.globalStorageUri.fsPath;
  const ghost = new Ghost();
  const review = new Review();
  const between = middleware(ghost, {
    explain: (part) => explain(parts, part),
    edit: (kind, part, more) => edit(made, review, kind, part, more),
  });
  const made = new Server(log, version, storage, between);
  const chat = new ChatHost(made, context, review);
  const parts: Parts = {
    server: made,
    ghost,
    status: new StatusItem(made, ghost),
    review,
    explanations: new Explanations(made),
    pages: new Pages(),
    chat,
    history: new History(made, chat),
    log,
    storage,
  };
  return parts;
}

/** Offer to install what is missing, once in a window's life; the status item goes on to say so. */
function offerInstallation(): (state: State) => void {
  let offered = false;
  return ({ kind, message }) => {
    if (kind !== "missing" || offered) return;
    offered = true;
    const choices = process.platform === "win32" ? [] : ["Install", "Settings"];
    void vscode.window.showWarningMessage(`OpenCoder: ${message}.`, ...choices).then((chosen) => {
      if (chosen === "Install") void vscode.commands.executeCommand("opencoder.install");
      if (chosen === "Settings") void vscode.commands.executeCommand("workbench.action.openSettings", "opencoder.server");
    });
  };
}
