// Bundles the extension, and copies the chat of the web page beside it.
//   node build.mjs [--minify | --test]

import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const page = path.join(here, "../../opencoder_lsp/api/web");
const common = { bundle: true, platform: "node", target: "node20", format: "cjs", logLevel: "warning" };

if (process.argv.includes("--test")) {
  const tests = readdirSync(path.join(here, "test")).filter((name) => name.endsWith(".test.ts"));
  rmSync(path.join(here, "out"), { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: tests.map((name) => path.join(here, "test", name)),
    outdir: path.join(here, "out"),
    outExtension: { ".js": ".cjs" },
  });
} else {
  const dist = path.join(here, "dist");
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  await build({
    ...common,
    entryPoints: [path.join(here, "src/extension.ts")],
    external: ["vscode"],
    minify: process.argv.includes("--minify"),
    outfile: path.join(dist, "extension.js"),
  });
  cpSync(path.join(here, "webview"), path.join(dist, "webview"), { recursive: true });
  for (const folder of ["chat", "vendor"]) {
    cpSync(path.join(page, folder), path.join(dist, "webview", folder), { recursive: true });
  }
  cpSync(path.join(here, "../../LICENSE"), path.join(here, "LICENSE"));
}
