// The settings of the language server, as the user gave them.
//
// Only what is given goes to the server: a default of ours must not undo the user's settings.toml.

import * as vscode from "vscode";
import { MACHINE, WINDOW } from "./names";

export const SECTION = "opencoder";

/** A setting's value as far as somebody gave it. */
interface Given {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}

export function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration(SECTION);
}

/** A setting of the extension that only the user's own settings can give. */
export function ownText(name: string): string {
  const given = configuration().inspect<unknown>(name);
  const value = given?.globalValue ?? given?.defaultValue;
  return typeof value === "string" ? value.trim() : "";
}

/** Return `--set` arguments for what no workspace may choose, from the user's own settings alone. */
export function machineArguments(inspect: (name: string) => Given | undefined): string[] {
  return MACHINE.flatMap((name) => {
    const value = inspect(name)?.globalValue;
    if (value === undefined || value === null) return [];
    return ["--set", `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`];
  });
}

/** Return the other settings as the server takes them by LSP. */
export function windowSettings(inspect: (name: string) => Given | undefined): Record<string, Record<string, unknown>> {
  const settings: Record<string, Record<string, unknown>> = {};
  for (const name of WINDOW) {
    const given = inspect(name);
    const value = given?.workspaceFolderValue ?? given?.workspaceValue ?? given?.globalValue;
    if (value === undefined || value === null) continue;
    const [section, key] = name.split(".") as [string, string];
    (settings[section] ??= {})[key] = value;
  }
  return settings;
}

/** Whether a change asks for another process. */
export function needsRestart(change: vscode.ConfigurationChangeEvent): boolean {
  return ["server.path", ...MACHINE].some((name) => change.affectsConfiguration(`${SECTION}.${name}`));
}
