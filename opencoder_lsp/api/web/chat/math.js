// Formulas: $…$, $$…$$, \(…\) and \[…\], drawn by KaTeX, which is read when the first one comes.

const DELIMITERS = [
  ["$$", "$$", true],
  ["\\[", "\\]", true],
  ["\\(", "\\)", false],
  ["$", "$", false],
];
const LONGEST = 10_000; // characters
let katex;

/** Teach a markdown-it parser the delimiters; formulas become tokens of type "math". */
export function mathPlugin(parser) {
  parser.inline.ruler.before("escape", "math", inline);
  parser.block.ruler.before("fence", "math", block, {
    alt: ["paragraph", "reference", "blockquote", "list"],
  });
}

function inline(state, silent) {
  for (const [open, close, display] of DELIMITERS) {
    if (!state.src.startsWith(open, state.pos)) continue;
    const start = state.pos + open.length;
    const end = state.src.indexOf(close, start);
    if (end <= start || end > state.posMax || end - start > LONGEST) return false;
    const text = state.src.slice(start, end);
    // Prices are no formulas: no blank inside the dollars, and no digit behind them.
    if (open === "$" && (/^\s|\s$|\n\n/.test(text) || /\d/.test(state.src[end + 1] ?? ""))) return false;
    if (!silent) {
      const token = state.push("math", "math", 0);
      token.content = text;
      token.meta = { display };
    }
    state.pos = end + close.length;
    return true;
  }
  return false;
}

function block(state, startLine, endLine, silent) {
  const lineOf = (n) => state.src.slice(state.bMarks[n] + state.tShift[n], state.eMarks[n]);
  const first = lineOf(startLine);
  const found = DELIMITERS.find(([open, , display]) => display && first.startsWith(open));
  if (!found || state.sCount[startLine] - state.blkIndent >= 4) return false;
  const [open, close] = found;
  const lines = [first.slice(open.length)];
  let line = startLine;
  while (!lines.at(-1).trimEnd().endsWith(close)) {
    if (++line >= endLine || line - startLine > 200) return false;
    lines.push(lineOf(line));
  }
  const text = lines.join("\n").trimEnd().slice(0, -close.length);
  if (text.includes(close)) return false;
  if (silent) return true;
  const token = state.push("math", "math", 0);
  token.block = true;
  token.content = text;
  token.meta = { display: true };
  token.map = [startLine, line + 1];
  state.line = line + 1;
  return true;
}

/** Return an element that shows a formula, its source until KaTeX is there or if it is none. */
export function formula(text, display) {
  const element = document.createElement("span");
  element.className = display ? "formula display" : "formula";
  element.textContent = text;
  draw(element, text, display);
  return element;
}

async function draw(element, text, display) {
  katex ??= load();
  try {
    (await katex).render(text, element, {
      displayMode: display,
      throwOnError: true,
      trust: false,
      strict: "ignore",
      maxExpand: 200,
      maxSize: 20,
    });
  } catch {
    element.textContent = text; // what is no formula stays as it was written
  }
}

async function load() {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("../vendor/katex/katex.min.css", import.meta.url).href;
  document.head.append(style);
  await import("../vendor/katex/katex.min.js");
  return globalThis.katex;
}
