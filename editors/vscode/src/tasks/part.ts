// The part of a document that something is asked about.

import * as vscode from "vscode";

export interface Position {
  line: number;
  character: number;
}

/** A range as LSP has it. */
export interface Range {
  start: Position;
  end: Position;
}

export interface Part {
  uri: vscode.Uri;
  range: vscode.Range;
}

/** What is selected, or where the cursor is: the server finds what is around it. */
export function part(): Part | undefined {
  const editor = vscode.window.activeTextEditor;
  return editor && { uri: editor.document.uri, range: editor.selection };
}

/** Read a part out of the arguments of one of the server's own commands. */
export function partOf(argument: { uri: string; range: Range }): Part {
  const { start, end } = argument.range;
  return {
    uri: vscode.Uri.parse(argument.uri, true),
    range: new vscode.Range(start.line, start.character, end.line, end.character),
  };
}

export function lspRange(range: vscode.Range): Range {
  const plain = ({ line, character }: vscode.Position) => ({ line, character });
  return { start: plain(range.start), end: plain(range.end) };
}

/** What the server is told of a part. */
export function argumentOf({ uri, range }: Part): { uri: string; range: Range } {
  return { uri: uri.toString(), range: lspRange(range) };
}

/** A part in a few words, for people. */
export function nameOf({ uri, range }: Part): string {
  const name = vscode.workspace.asRelativePath(uri);
  const last = range.end.character === 0 && range.end.line > range.start.line ? range.end.line : range.end.line + 1;
  return last === range.start.line + 1 ? `${name}:${last}` : `${name}:${range.start.line + 1}-${last}`;
}
