// What an edit of LSP does, file by file.

import type { Range } from "./part";

interface LspEdit {
  range: Range;
  newText: string;
}

type DocumentChange =
  | { kind: "create"; uri: string }
  | { kind?: undefined; textDocument: { uri: string; version?: number | null }; edits: LspEdit[] };

/** An edit as it comes from the server. */
export interface LspWorkspaceEdit {
  changes?: Record<string, LspEdit[]>;
  documentChanges?: DocumentChange[];
}

/** What is to become of one file. */
export interface FileChange {
  uri: string;
  edits: LspEdit[];
  isNew: boolean;
}

export function fileChanges(edit: LspWorkspaceEdit): FileChange[] {
  const created = new Set<string>();
  const found: FileChange[] = [];
  for (const change of edit.documentChanges ?? []) {
    if (change.kind === "create") created.add(change.uri);
    else {
      const { uri } = change.textDocument;
      found.push({ uri, edits: change.edits, isNew: created.has(uri) });
    }
  }
  if (edit.documentChanges === undefined) {
    for (const [uri, edits] of Object.entries(edit.changes ?? {})) found.push({ uri, edits, isNew: false });
  }
  return found;
}

/** Return a text with edits made, which do not overlap; `offsetAt` is where a position is in it. */
export function edited(
  text: string,
  edits: readonly LspEdit[],
  offsetAt: (position: { line: number; character: number }) => number,
): string {
  const places = edits.map(({ range, newText }) => ({
    start: offsetAt(range.start),
    end: offsetAt(range.end),
    newText,
  }));
  places.sort((one, other) => other.start - one.start || other.end - one.end);
  return places.reduce((whole, { start, end, newText }) => whole.slice(0, start) + newText + whole.slice(end), text);
}
