// The item in the status bar: how it is, and why.

import * as vscode from "vscode";
import type { Ghost } from "./ghost";
import type { Server } from "./server/server";
import type { Kind, State } from "./server/state";

const SIGNS: Record<Kind, string> = {
  untrusted: "$(workspace-untrusted)",
  missing: "$(warning)",
  stopped: "$(error)",
  starting: "$(loading~spin)",
  loading: "$(loading~spin)",
  ready: "$(sparkle)",
  busy: "$(sync~spin)",
  error: "$(error)",
};

interface Look {
  text: string;
  reason: string;
  background: "error" | "warning" | undefined;
}

/** Return what the item shows; `quiet` is why there are no suggestions, "" where there are. */
export function look(state: State, quiet: string, model: string): Look {
  const { kind, message, percent } = state;
  const answering = kind === "ready" || kind === "busy";
  const background = kind === "missing" ? "warning" : kind === "stopped" || kind === "error" ? "error" : undefined;
  if (answering && quiet) return { text: "$(circle-slash) OpenCoder", reason: quiet, background };
  const share = percent === undefined ? "" : ` ${percent} %`;
  const demo = answering && model === "demo" ? " (demo)" : "";
  const reason = demo ? `${message}; this is the small demo model` : message;
  return { text: `${SIGNS[kind]} OpenCoder${share}${demo}`, reason, background };
}

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("opencoder.status", vscode.StatusBarAlignment.Right, 100);
  private readonly parts: vscode.Disposable[];
  private model = "";

  constructor(
    private readonly server: Server,
    private readonly ghost: Ghost,
  ) {
    this.item.name = "OpenCoder";
    this.item.command = "opencoder.menu";
    this.parts = [
      this.item,
      server.onState((state) => {
        if (state.kind === "ready") void this.name();
        this.show();
      }),
      ghost.onChange(() => this.show()),
      vscode.window.onDidChangeActiveTextEditor(() => this.show()),
    ];
    this.show();
    this.item.show();
  }

  dispose(): void {
    for (const part of this.parts) part.dispose();
  }

  /** The item's reason, for the menu. */
  get reason(): string {
    return this.look().reason;
  }

  private look(): Look {
    const language = vscode.window.activeTextEditor?.document.languageId;
    return look(this.server.state, this.ghost.reason(language), this.model);
  }

  private show(): void {
    const { text, reason, background } = this.look();
    this.item.text = text;
    this.item.tooltip = `OpenCoder: ${reason}`;
    this.item.accessibilityInformation = { label: `OpenCoder: ${reason}`, role: "button" };
    this.item.backgroundColor = background && new vscode.ThemeColor(`statusBarItem.${background}Background`);
  }

  private async name(): Promise<void> {
    try {
      const status = await this.server.execute<{ model: { name: string } | null }>("opencoder.status");
      this.model = status.model?.name ?? "";
      this.show();
    } catch {
      this.model = ""; // the server has gone again, which the item shows anyway
    }
  }
}
