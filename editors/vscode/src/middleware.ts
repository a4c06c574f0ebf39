// What stands between VS Code and the language server.

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import type { Ghost } from "./ghost";
import { configuration, SECTION, windowSettings } from "./server/settings";
import { partOf, type Part, type Range } from "./tasks/part";
import type { EditKind } from "./tasks/edit";

/** What the user chose from a lightbulb or a lens, which the server would show by itself. */
export interface Tasks {
  explain(part: Part): Promise<void>;
  edit(kind: EditKind, part: Part, more: object): Promise<void>;
}

interface Shown {
  uri: string;
  range: Range;
  version?: number;
  diagnostics?: object[];
  show?: boolean;
}

interface OurAction extends vscode.CodeAction {
  data?: { task?: string; arguments?: Shown };
}

const EDITS: readonly string[] = ["fix", "document", "test", "refactor"];

/** Carry out a command of the server's with our own means; undefined for one that is the server's. */
function ours(tasks: Tasks, command: string, args: readonly unknown[]): Promise<void> | undefined {
  const argument = args[0] as Shown | undefined;
  if (!argument?.show) return undefined;
  const kind = command.slice(SECTION.length + 1);
  const { uri, range, ...more } = argument;
  if (kind === "explain") return tasks.explain(partOf({ uri, range }));
  if (EDITS.includes(kind)) return tasks.edit(kind as EditKind, partOf({ uri, range }), more);
  return undefined;
}

/** Let an edit be asked for, and looked at, as one from the menu is. */
function asCommand(action: vscode.Command | OurAction): vscode.Command | vscode.CodeAction {
  if (!("data" in action) || action.data?.arguments === undefined || !EDITS.includes(action.data.task ?? "")) {
    return action;
  }
  const argument = { ...action.data.arguments, show: true };
  action.command = { title: action.title, command: `${SECTION}.${action.data.task}`, arguments: [argument] };
  delete action.data;
  return action;
}

export function middleware(ghost: Ghost, tasks: Tasks): Middleware {
  return {
    provideInlineCompletionItems: (document, position, context, token, next) =>
      ghost.reason(document.languageId) ? null : next(document, position, context, token),
    executeCommand: (command, args: unknown[], next) => ours(tasks, command, args) ?? (next(command, args) as Promise<unknown>),
    provideCodeActions: async (document, range, context, token, next) =>
      (await next(document, range, context, token))?.map(asCommand),
    resolveCodeAction: (action, token, next) => ((action as OurAction).data ? next(action, token) : action),
    workspace: {
      configuration: async (params, token, next) => {
        const answer = await next(params, token);
        if (!Array.isArray(answer)) return answer;
        const own = windowSettings((name) => configuration().inspect(name));
        return answer.map((one: unknown, number) => (params.items[number]?.section === SECTION ? own : one));
      },
    },
  };
}
