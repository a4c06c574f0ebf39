// Whether suggestions are shown: everywhere, in a language, or not just now.

import * as vscode from "vscode";
import { configuration } from "./server/settings";

/** Whether a table of languages lets one have suggestions. */
export function allows(languages: Readonly<Record<string, boolean>>, language: string): boolean {
  return languages[language] ?? languages["*"] ?? true;
}

export class Ghost implements vscode.Disposable {
  private until = 0; // milliseconds since the epoch
  private timer: NodeJS.Timeout | undefined;
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onChange = this.changes.event;
  private readonly watching = vscode.workspace.onDidChangeConfiguration((change) => {
    if (["completion.enabled", "ghostText"].some((name) => change.affectsConfiguration(`opencoder.${name}`))) {
      this.changes.fire();
    }
  });

  dispose(): void {
    clearTimeout(this.timer);
    this.watching.dispose();
    this.changes.dispose();
  }

  get isOn(): boolean {
    return configuration().get<boolean>("completion.enabled", true);
  }

  get isSnoozing(): boolean {
    return Date.now() < this.until;
  }

  allowsLanguage(language: string): boolean {
    return allows(configuration().get<Record<string, boolean>>("ghostText.languages", {}), language);
  }

  /** Return why there are no suggestions in a language; "" where there are. */
  reason(language: string | undefined): string {
    if (!this.isOn) return "suggestions are off";
    if (this.isSnoozing) {
      const time = new Date(this.until).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      return `suggestions are snoozed until ${time}`;
    }
    if (language !== undefined && !this.allowsLanguage(language)) return `suggestions are off in ${language}`;
    return "";
  }

  async toggle(): Promise<void> {
    await change("completion.enabled", !this.isOn);
  }

  async toggleLanguage(language: string): Promise<void> {
    const given = configuration().inspect<Record<string, boolean>>("ghostText.languages")?.globalValue;
    await change("ghostText.languages", { ...given, [language]: !this.allowsLanguage(language) });
  }

  /** Show none for so many minutes; 0 ends it. */
  snooze(minutes: number): void {
    clearTimeout(this.timer);
    this.until = minutes > 0 ? Date.now() + minutes * 60_000 : 0;
    this.timer = minutes > 0 ? setTimeout(() => this.snooze(0), minutes * 60_000) : undefined;
    void vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
    this.changes.fire();
  }
}

/** Change a setting where it takes effect: the workspace's, if that has it, else the user's. */
async function change(name: string, value: unknown): Promise<void> {
  const given = configuration().inspect(name);
  const target =
    given?.workspaceValue === undefined ? vscode.ConfigurationTarget.Global : vscode.ConfigurationTarget.Workspace;
  await configuration().update(name, value, target);
}
