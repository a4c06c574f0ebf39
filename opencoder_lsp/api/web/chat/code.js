// Blocks of code: their language, copy, what else can be done with them, colours.

import { button, make } from "./dom.js";

const MOST_COLOURED = 200_000; // characters
const SUFFIXES = {
  python: "py", py: "py", javascript: "js", js: "js", typescript: "ts", ts: "ts", bash: "sh",
  sh: "sh", shell: "sh", rust: "rs", ruby: "rb", kotlin: "kt", csharp: "cs", "c++": "cpp",
  cpp: "cpp", c: "c", java: "java", go: "go", html: "html", css: "css", json: "json", yaml: "yaml",
  sql: "sql", markdown: "md", md: "md", lua: "lua", php: "php", swift: "swift", xml: "xml",
};
let highlighter;

/**
 * Return a block of code; `host` copies, and saves or has `actions`, as the chat's adapter does.
 */
export function codeBlock(code, language, host) {
  const text = make("code", {}, document.createTextNode(code));
  const name = /^[\w+#.-]{1,30}$/.test(language) ? language : "";
  const copy = button("Copy", "Copy this code", async () => {
    await host.copy(text.textContent);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  const suffix = SUFFIXES[name.toLowerCase()] ?? "txt";
  const save = {
    text: "Save",
    label: "Save this code as a file",
    run: (code) => host.save(`code.${suffix}`, code),
  };
  const others = (host.actions ?? [save]).map(({ text: sign, label, run }) =>
    button(sign, label, () => run(text.textContent, name)),
  );
  const head = make("div", { className: "code-head" }, make("span", {}, name || "text"), copy, ...others);
  const label = name ? `Code, ${name}` : "Code";
  const scroll = make("pre", { tabIndex: 0, role: "region", "aria-label": label }, text);
  const block = make("div", { className: "code" }, head, scroll);
  block.language = name;
  return block;
}

/** Let a block that is still being written grow to `code`; false if that is not what it does. */
export function growCode(block, code, language) {
  const node = block.querySelector("code").firstChild;
  if (node === null || block.language !== language) return false;
  if (!code.startsWith(node.data)) return false;
  node.appendData(code.slice(node.data.length));
  return true;
}

/** Colour a block that is complete. */
export async function colour(block) {
  const code = block.querySelector("code");
  const text = code.textContent;
  if (!block.language || text.length > MOST_COLOURED) return;
  highlighter ??= import("../vendor/highlight/highlight.js").then((module) => module.default);
  const hljs = await highlighter;
  if (!hljs.getLanguage(block.language)) return;
  const result = hljs.highlight(text, { language: block.language, ignoreIllegals: true });
  const coloured = document.createDocumentFragment();
  fill(coloured, result._emitter.rootNode.children);
  if (coloured.textContent === text) code.replaceChildren(coloured);
}

// The highlighter's tree of scopes; its HTML is made from the same, and we do without that.
function fill(parent, children) {
  for (const child of children) {
    if (typeof child === "string") parent.append(child);
    else if (!child.scope) fill(parent, child.children);
    else {
      const [first, ...rest] = child.scope.split(".");
      const span = document.createElement("span");
      span.className = [`hljs-${first}`, ...rest.map((part, n) => part + "_".repeat(n + 1))].join(" ");
      fill(span, child.children);
      parent.append(span);
    }
  }
}
