// Where the language server is.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";

const PROGRAM = "opencoder-lsp";

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false; // which is the answer
  }
}

/** Where a given name may be: itself if it is a path, else on the PATH. */
function places(name: string, environment: NodeJS.ProcessEnv): string[] {
  if (name.startsWith("~/")) return [path.join(homedir(), name.slice(2))];
  if (path.isAbsolute(name)) return [name];
  if (name.includes("/")) return []; // relative to what? a workspace must not name a program
  const folders = (environment.PATH ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, name));
}

/** Where the extension's own installation has it. */
export function installed(storage: string): string {
  return path.join(storage, "venv", "bin", PROGRAM);
}

/**
 * Return the path of the language server; null where there is none. What is `given` counts alone.
 */
export async function find(
  given: string,
  storage: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<string | null> {
  const candidates = given
    ? places(given, environment)
    : [...places(PROGRAM, environment), path.join(homedir(), ".local", "bin", PROGRAM), installed(storage)];
  for (const candidate of candidates) {
    if (await isProgram(candidate)) return candidate;
  }
  return null;
}
