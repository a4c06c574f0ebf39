// Installing the language server into an environment of its own.

import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import * as vscode from "vscode";
import { ownText } from "./settings";
import { run } from "./processes";

/** Return whether it was installed; why not has been said. */
export async function install(storage: string, log: vscode.LogOutputChannel): Promise<boolean> {
  const options = { location: vscode.ProgressLocation.Notification, title: "OpenCoder: installing", cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    try {
      await steps(storage, log, progress, token);
      return true;
    } catch (error) {
      if (token.isCancellationRequested) return false;
      const reason = error instanceof Error ? error.message : String(error);
      log.error(`installing failed: ${reason}`);
      void offerLog(`OpenCoder could not be installed: ${reason}`, log);
      return false;
    }
  });
}

async function steps(
  storage: string,
  log: vscode.LogOutputChannel,
  progress: vscode.Progress<{ message?: string }>,
  token: vscode.CancellationToken,
): Promise<void> {
  const venv = path.join(storage, "venv");
  const python = ownText("server.python") || "python3";
  const wanted = ownText("server.package");
  await mkdir(storage, { recursive: true });
  await rm(venv, { recursive: true, force: true });
  const step = async (message: string, program: string, args: readonly string[]) => {
    progress.report({ message });
    log.info(`${program} ${args.join(" ")}`);
    let last = "";
    const code = await run(program, args, (line) => {
      log.info(line);
      last = line || last;
      progress.report({ message: line.slice(0, 80) || message });
    }, token);
    if (code !== 0) throw new Error(last || `${program} ended with ${code ?? "a signal"}`);
  };
  const current = "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed')";
  await step("looking at Python", python, ["-c", current]);
  await step("making an environment", python, ["-m", "venv", venv]);
  const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", wanted];
  await step(`getting ${wanted}`, path.join(venv, "bin", "python"), pip);
}

/** Show an error that the log says more of. */
export async function offerLog(message: string, log: vscode.OutputChannel): Promise<void> {
  if ((await vscode.window.showErrorMessage(message, "Open Log")) === "Open Log") log.show();
}
