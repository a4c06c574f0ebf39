// What the palette, menus and keys can do.

import * as vscode from "vscode";
import type { ChatHost } from "./chat/host";
import type { History } from "./chat/history";
import type { Ghost } from "./ghost";
import { find } from "./server/find";
import { install } from "./server/install";
import { run } from "./server/processes";
import { reasonOf, type Server } from "./server/server";
import { configuration, machineArguments, ownText } from "./server/settings";
import type { StatusItem } from "./status";
import { edit, refactor, type EditKind } from "./tasks/edit";
import type { Explanations } from "./tasks/explain";
import type { Pages } from "./tasks/page";
import { nameOf, argumentOf, part, type Part } from "./tasks/part";
import type { Review } from "./tasks/review";

/** Everything that commands work with. */
export interface Parts {
  server: Server;
  ghost: Ghost;
  status: StatusItem;
  review: Review;
  explanations: Explanations;
  pages: Pages;
  chat: ChatHost;
  history: History;
  log: vscode.LogOutputChannel;
  storage: string;
}

/** Call with what is selected, or where the cursor is. */
async function withPart(what: (part: Part) => Promise<void>): Promise<void> {
  const found = part();
  if (found) await what(found);
  else void vscode.window.showInformationMessage("OpenCoder: open a file first.");
}

export async function explain(parts: Parts, what: Part): Promise<void> {
  const view = configuration().get<string>("explain.view");
  if (view === "chat") return parts.chat.ask("Explain this code.", what);
  if (view !== "document") return parts.explanations.explain(what);
  const add = await parts.pages.open("Explanation.md", `# Explanation of ${nameOf(what)}\n\n`);
  try {
    await parts.server.execute("opencoder.explain", argumentOf(what), { onText: add });
  } catch (error) {
    add(`\n\nFailed: ${reasonOf(error)}\n`);
  }
}

async function doctor({ log, pages, storage }: Parts): Promise<void> {
  const program = await find(ownText("server.path"), storage);
  if (!vscode.workspace.isTrusted || program === null) {
    void vscode.window.showWarningMessage("OpenCoder: there is no language server to ask; install it first.");
    return;
  }
  const add = await pages.open("Doctor.txt", "");
  const pairs = machineArguments((name) => configuration().inspect(name));
  try {
    await run(program, ["doctor", ...pairs], (line) => add(`${line}\n`));
  } catch (error) {
    log.error(reasonOf(error));
    add(`${program} could not be run: ${reasonOf(error)}\n`);
  }
}

async function snooze(ghost: Ghost): Promise<void> {
  const choices = [5, 15, 60, 240].map((minutes) => ({
    label: minutes < 60 ? `${minutes} minutes` : minutes === 60 ? "1 hour" : `${minutes / 60} hours`,
    minutes,
  }));
  const end = ghost.isSnoozing ? [{ label: "Wake up", minutes: 0 }] : [];
  const chosen = await vscode.window.showQuickPick([...end, ...choices], { title: "No suggestions for" });
  if (chosen) ghost.snooze(chosen.minutes);
}

async function menu({ server, ghost, status }: Parts): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const entry = (label: string, command: string) => ({ label, command });
  const { kind } = server.state;
  const chosen = await vscode.window.showQuickPick(
    [
      ...(kind === "missing" ? [entry("$(cloud-download) Install the language server", "opencoder.install")] : []),
      ...(kind === "error" || kind === "stopped" ? [entry("$(output) Open log", "opencoder.showLog")] : []),
      entry(ghost.isOn ? "$(circle-slash) Turn suggestions off" : "$(sparkle) Turn suggestions on", "opencoder.toggle"),
      ...(language
        ? [entry(`$(code) Turn suggestions ${ghost.allowsLanguage(language) ? "off" : "on"} in ${language}`, "opencoder.toggleLanguage")]
        : []),
      entry(ghost.isSnoozing ? "$(bell) Wake up, or snooze on…" : "$(bell-slash) Snooze…", "opencoder.snooze"),
      entry("$(comment-discussion) Open chat", "opencoder.openChat"),
      entry("$(pulse) Doctor", "opencoder.doctor"),
      entry("$(debug-restart) Restart the language server", "opencoder.restart"),
      entry("$(server-process) Restart the engine", "opencoder.restartModel"),
      ...(kind === "error" || kind === "stopped" ? [] : [entry("$(output) Open log", "opencoder.showLog")]),
      entry("$(gear) Settings", "workbench.action.openSettings"),
    ],
    { title: `OpenCoder: ${status.reason}` },
  );
  if (chosen) await vscode.commands.executeCommand(chosen.command, ...(chosen.command.endsWith("openSettings") ? ["opencoder"] : []));
}

async function restartModel(server: Server): Promise<void> {
  const options = { location: vscode.ProgressLocation.Notification, title: "OpenCoder: restarting the engine" };
  try {
    await vscode.window.withProgress(options, () => server.execute("opencoder.restartEngine"));
  } catch (error) {
    void vscode.window.showErrorMessage(`OpenCoder: ${reasonOf(error)}`);
  }
}

async function installed({ server, log, storage }: Parts): Promise<void> {
  if (!vscode.workspace.isTrusted) {
    void vscode.window.showWarningMessage("OpenCoder: trust this workspace first.");
  } else if (await install(storage, log)) await server.restart();
}

export function register(parts: Parts): vscode.Disposable[] {
  const { server, ghost, review, explanations, chat, history, log } = parts;
  const editing = (kind: EditKind) => () => withPart((what) => edit(server, review, kind, what));
  const commands: Record<string, (...args: never[]) => unknown> = {
    explainCode: () => withPart((what) => explain(parts, what)),
    fixCode: editing("fix"),
    documentCode: editing("document"),
    testCode: editing("test"),
    refactorCode: () => withPart((what) => refactor(server, review, what)),
    acceptChange: () => review.accept(),
    discardChange: () => review.discard(),
    closeExplanation: (thread: vscode.CommentThread) => explanations.close(thread),
    stopExplanation: (thread: vscode.CommentThread) => explanations.stop(thread),
    askFurther: ({ thread, text }: vscode.CommentReply) => explanations.ask(thread, text),
    explanationInChat: (thread: vscode.CommentThread) => chat.show(explanations.conversation(thread) ?? undefined),
    openChat: () => chat.open(),
    newChat: () => chat.show(undefined),
    history: () => history.choose(),
    attachSelection: () => withPart((what) => chat.attach(what, what.range.isEmpty)),
    attachFile: () => withPart((what) => chat.attach(what, true)),
    toggle: () => ghost.toggle(),
    toggleLanguage: () => {
      const language = vscode.window.activeTextEditor?.document.languageId;
      return language && ghost.toggleLanguage(language);
    },
    snooze: () => snooze(ghost),
    menu: () => menu(parts),
    restart: () => server.restart(),
    restartModel: () => restartModel(server),
    install: () => installed(parts),
    doctor: () => doctor(parts),
    showLog: () => log.show(),
  };
  return Object.entries(commands).map(([name, command]) => vscode.commands.registerCommand(`opencoder.${name}`, command));
}
