// How the language server is, for people.

export type Kind = "untrusted" | "missing" | "stopped" | "starting" | "loading" | "ready" | "busy" | "error";

/** `percent` only while a model is loaded, and only if it is known. */
export interface State {
  readonly kind: Kind;
  readonly message: string;
  readonly percent?: number;
}

/** What the server tells by `opencoder/status`. */
export interface ServerStatus {
  readonly kind: "loading" | "ready" | "busy" | "error";
  readonly busy: boolean;
  readonly message: string;
  readonly percent?: number | null;
}

/** Whether commands and suggestions can be asked for. */
export function isRunning(kind: Kind): boolean {
  return kind === "loading" || kind === "ready" || kind === "busy" || kind === "error";
}
