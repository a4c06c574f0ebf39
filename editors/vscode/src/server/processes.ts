// Programs that run to their end.

import { spawn } from "node:child_process";

/** Somebody who can cancel, as VS Code's tokens. */
export interface Cancelling {
  onCancellationRequested(listener: () => void): { dispose(): unknown };
}

/**
 * Run a program without a shell; each line of what it prints goes to `onLine`.
 *
 * Rejects where it cannot be started; cancelling ends it by SIGTERM.
 */
export function run(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
  token?: Cancelling,
): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const cancelling = token?.onCancellationRequested(() => child.kill());
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split(/\r?\n|\r/);
        rest = lines.pop() ?? "";
        lines.forEach(onLine);
      });
      stream.on("end", () => {
        if (rest) onLine(rest);
      });
    }
    child.on("error", (error) => {
      cancelling?.dispose();
      reject(error);
    });
    child.on("close", (code) => {
      cancelling?.dispose();
      resolve(code);
    });
  });
}
