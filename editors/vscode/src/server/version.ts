// Which versions of extension and language server go together.

/** Return the two numbers that must agree; null for what is no version. */
export function series(version: string): string | null {
  const match = /^(\d+)\.(\d+)\./.exec(version);
  return match ? `${match[1]}.${match[2]}` : null;
}

/** Return why a server does not go with this extension; "" where it does. */
export function mismatch(server: { name: string; version?: string } | undefined, extension: string): string {
  if (server?.name !== "opencoder-lsp") {
    return `the program is not opencoder-lsp but ${server?.name ?? "something that does not say what it is"}`;
  }
  const found = server.version ?? "of an unknown version";
  if (series(found) === series(extension)) return "";
  return `opencoder-lsp is ${found}, and this extension needs ${series(extension) ?? extension}`;
}
