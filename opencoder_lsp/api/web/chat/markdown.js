// Markdown as elements. The text is a model's and may be hostile: it becomes text nodes, and links
// that say where they lead. Nothing is loaded for it.

import "../vendor/markdown-it/markdown-it.js";
import { codeBlock, colour, growCode } from "./code.js";
import { make } from "./dom.js";
import { formula, mathPlugin } from "./math.js";

const SAFE = /^(https?:\/\/|mailto:)/i;
const FULL_AT_ONCE = 200_000; // characters that are drawn anew when all of them are there
const parser = globalThis.markdownit({ html: false, linkify: true, maxNesting: 60 }).use(mathPlugin);
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
parser.validateLink = (url) => SAFE.test(url);

/** Fill an element with a text's blocks. */
export function draw(element, text, host) {
  element.replaceChildren();
  new Growing(element, host).end(text);
}

/**
 * A text that grows. Blocks that cannot change any more are left alone, so that a long answer costs
 * no more at its end than at its beginning, and what a reader has selected stays selected.
 */
export class Growing {
  constructor(element, host) {
    this.element = element;
    this.host = host;
    this.done = 0; // characters whose blocks are final
    this.settled = 0; // how many of the element's children those are
    this.env = {};
  }

  /** Show a text that begins as the one before; more may come. */
  show(text) {
    const tail = text.slice(this.done);
    const blocks = split(parser.parse(tail, this.env));
    // The last may go on, and the one before may turn out to be one with it.
    const final = Math.max(0, blocks.length - 2);
    const end = final > 0 ? offset(tail, blocks[final].line) : 0;
    this.#draw(blocks, final);
    this.done += end;
    this.settled += final;
  }

  /** Show the whole text. */
  end(text) {
    if (this.done > 0 && text.length <= FULL_AT_ONCE) {
      this.done = this.settled = 0;
      this.env = {};
    }
    const blocks = split(parser.parse(text.slice(this.done), this.env));
    this.#draw(blocks, blocks.length);
    this.done = text.length;
    this.settled += blocks.length;
  }

  #draw(blocks, final) {
    blocks.forEach((block, number) => {
      const old = this.element.children[this.settled + number];
      const [token] = block.tokens;
      const grown =
        old?.className === "code" && token.type === "fence" && !old.coloured &&
        growCode(old, token.content, languageOf(token));
      const drawn = grown ? old : this.#made(block.tokens);
      if (old === undefined) this.element.append(drawn);
      else if (!grown) old.replaceWith(drawn);
      if (number < final && !drawn.coloured) {
        for (const code of drawn.className === "code" ? [drawn] : drawn.querySelectorAll(".code")) {
          code.coloured = true;
          colour(code);
        }
      }
    });
    while (this.element.children.length > this.settled + blocks.length) this.element.lastChild.remove();
  }

  #made(tokens) {
    const holder = make("div");
    fill(holder, tokens, this.host);
    return holder.firstElementChild ?? holder;
  }
}

/** Cut tokens into those of each block at the top, with the line that it begins at. */
function split(tokens) {
  const blocks = [];
  for (const token of tokens) {
    if (token.level === 0 && token.nesting >= 0) blocks.push({ line: token.map?.[0] ?? 0, tokens: [] });
    blocks.at(-1).tokens.push(token);
  }
  return blocks;
}

function offset(text, line) {
  let at = 0;
  for (; line > 0; line--) at = text.indexOf("\n", at) + 1;
  return at;
}

function fill(parent, tokens, host) {
  const stack = [parent];
  for (const token of tokens) {
    const top = stack.at(-1);
    if (token.type === "inline") fill(top, token.children, host);
    else if (token.nesting === -1) stack.pop();
    else if (token.nesting === 1) {
      const element = token.hidden ? top : opened(token);
      if (!token.hidden) (token.type === "table_open" ? wrapped(top) : top).append(element);
      stack.push(element);
    } else top.append(leaf(token, host));
  }
}

function opened(token) {
  if (token.type === "link_open") return link(token.attrGet("href"));
  // A page has one h1, so headings of an answer are two steps smaller.
  const heading = /^h([1-6])$/.exec(token.tag);
  const element = make(heading ? `h${Math.min(6, Number(heading[1]) + 2)}` : token.tag);
  if (token.tag === "ol" && token.attrGet("start") !== null) element.start = token.attrGet("start");
  const align = /text-align:(left|center|right)/.exec(token.attrGet("style") ?? "");
  if (align) element.className = `align-${align[1]}`;
  return element;
}

function wrapped(parent) {
  const scroll = make("div", { className: "table", tabIndex: 0, role: "region", "aria-label": "Table" });
  parent.append(scroll);
  return scroll;
}

function link(href) {
  return make("a", { href, title: href, target: "_blank", rel: "noopener noreferrer nofollow" });
}

function leaf(token, host) {
  switch (token.type) {
    case "fence":
    case "code_block":
      return codeBlock(token.content, languageOf(token), host);
    case "code_inline":
      return make("code", {}, token.content);
    case "math":
      return formula(token.content, token.meta.display);
    case "softbreak":
      return "\n";
    case "hardbreak":
    case "hr":
      return make(token.tag);
    case "image": {
      const shown = link(token.attrGet("src"));
      shown.append(`image: ${token.content || token.attrGet("src")}`);
      return shown;
    }
    default:
      return token.content;
  }
}

function languageOf(token) {
  return (token.info ?? "").trim().split(/\s/, 1)[0].replace(/^\{?\.?|\}$/g, "");
}
