import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { find, installed } from "../src/server/find";
import { run } from "../src/server/processes";
import { mismatch, series } from "../src/server/version";
import { edited, fileChanges } from "../src/tasks/changes";

void test("extension and server go together where two numbers agree", () => {
  assert.equal(series("1.2.3"), "1.2");
  assert.equal(mismatch({ name: "opencoder-lsp", version: "0.1.9" }, "0.1.0"), "");
  assert.match(mismatch({ name: "opencoder-lsp", version: "0.2.0" }, "0.1.0"), /is 0.2.0, .* needs 0.1/);
  assert.match(mismatch({ name: "pylsp", version: "0.1.0" }, "0.1.0"), /not opencoder-lsp but pylsp/);
  assert.match(mismatch(undefined, "0.1.0"), /does not say what it is/);
});

void test("the server is found by its setting alone, else on the PATH, else where it was installed", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "oc-"));
  const make = async (file: string) => {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, "");
    await chmod(file, 0o755);
    return file;
  };
  process.env.HOME = folder; // else one of the user's own may be found
  try {
    const own = await make(installed(folder));
    assert.equal(await find("", folder, { PATH: "relative" }), own);
    const onPath = await make(path.join(folder, "bin", "opencoder-lsp"));
    const environment = { PATH: path.dirname(onPath) };
    assert.equal(await find("", folder, environment), onPath);
    assert.equal(await find(own, folder, environment), own);
    assert.equal(await find("opencoder-lsp", folder, environment), onPath);
    assert.equal(await find("/nowhere/opencoder-lsp", folder, environment), null);
    assert.equal(await find("./opencoder-lsp", path.dirname(onPath), environment), null);
    assert.equal(await find(path.dirname(onPath), folder, environment), null); // a folder is no program
  } finally {
    await rm(folder, { recursive: true });
  }
});

void test("a program's lines are heard from both of its streams, and its end", async () => {
  const lines: string[] = [];
  const script = "console.log('out'); console.error('a\\nb'); process.stdout.write('rest'); process.exitCode = 3";
  const code = await run(process.execPath, ["-e", script], (line) => lines.push(line));
  assert.equal(code, 3);
  assert.deepEqual(lines.sort(), ["a", "b", "out", "rest"]);
  await assert.rejects(run("/nowhere/program", [], () => undefined), /ENOENT/);
});

void test("an edit of LSP is made whole, whatever the order of its parts", () => {
  const at = (line: number, character: number) => ({ line, character });
  const lines = ["one\n", "two\n", "three\n"];
  const offsetAt = ({ line, character }: { line: number; character: number }) => lines.slice(0, line).join("").length + character;
  const edits = [
    { range: { start: at(0, 0), end: at(1, 0) }, newText: "1\n" },
    { range: { start: at(2, 0), end: at(2, 5) }, newText: "3" },
    { range: { start: at(1, 3), end: at(1, 3) }, newText: "!" },
  ];
  assert.equal(edited(lines.join(""), edits, offsetAt), "1\ntwo!\n3\n");
  const create = { kind: "create" as const, uri: "file:///t.py" };
  const change = { textDocument: { uri: "file:///t.py", version: null }, edits };
  assert.deepEqual(fileChanges({ documentChanges: [create, change] }), [{ uri: "file:///t.py", edits, isNew: true }]);
  assert.deepEqual(fileChanges({ changes: { "file:///a.py": edits } }), [{ uri: "file:///a.py", edits, isNew: false }]);
});
