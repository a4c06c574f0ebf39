// A model's Markdown, written anew so that nothing in it is loaded, run or followed unseen.
//
// VS Code's own Markdown fetches pictures, and another parser may see code where ours sees none. So
// a text is parsed here and written again from its tokens: text with every sign escaped, code in
// fences that it cannot end, links to the web alone, and pictures as links.

import markdownit from "../../../opencoder_lsp/api/web/vendor/markdown-it/markdown-it.js";

type Token = ReturnType<ReturnType<typeof markdownit>["parse"]>[number];

const SAFE = /^(https?:\/\/|mailto:)/i;
const parser = markdownit({ html: false, maxNesting: 60 });
parser.validateLink = (url) => SAFE.test(url);

/** Return Markdown that shows what a text says. */
export function rebuilt(text: string): string {
  return new Writer().write(parser.parse(text, {}));
}

/**
 * Return how many characters of a growing text are blocks that cannot change any more: all but the
 * last two, of which one may go on and the other turn out to be one with it.
 */
export function settled(text: string): number {
  const starts = parser.parse(text, {}).filter((token) => token.level === 0 && token.nesting >= 0);
  let line = starts.at(-2)?.map?.[0] ?? 0;
  if (starts.length < 3) return 0;
  let at = 0;
  for (; line > 0; line--) at = text.indexOf("\n", at) + 1;
  return at;
}

/** Return a text as Markdown that shows just it. */
export function escaped(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]/g, "\\$&");
}

function longestRun(text: string, sign: RegExp): number {
  return Math.max(0, ...Array.from(text.matchAll(sign), ([run]) => run.length));
}

function fenced(code: string, info: string): string[] {
  const fence = "`".repeat(Math.max(3, longestRun(code, /`+/g) + 1));
  const language = /^[\w+#.-]{1,30}/.exec(info.trim())?.[0] ?? "";
  return [fence + language, ...code.replace(/\n$/, "").split("\n"), fence];
}

function codeSpan(code: string): string {
  const ticks = "`".repeat(longestRun(code, /`+/g) + 1);
  return `${ticks} ${code.replace(/\n/g, " ")} ${ticks}`;
}

function link(label: string, url: string | null): string {
  const target = url !== null && SAFE.test(url) ? encodeURI(decodeSafely(url)).replace(/[<>()\\]/g, encodeURIComponent) : "";
  return target ? `[${label}](<${target}>)` : label;
}

function decodeSafely(url: string): string {
  try {
    return decodeURI(url);
  } catch {
    return url; // a stray % is no escape
  }
}

/** Return the text of a heading, paragraph or cell. */
function inline(tokens: readonly Token[]): string {
  const opened: { url: string | null; before: string }[] = [];
  let text = "";
  for (const token of tokens) {
    if (token.type === "text") text += escaped(token.content);
    else if (token.type === "code_inline") text += codeSpan(token.content);
    else if (token.type === "softbreak") text += "\n";
    else if (token.type === "hardbreak") text += "\\\n";
    else if (token.type === "strong_open" || token.type === "strong_close") text += "**";
    else if (token.type === "em_open" || token.type === "em_close") text += "*";
    else if (token.type === "s_open" || token.type === "s_close") text += "~~";
    else if (token.type === "image") text += link(`image: ${escaped(token.content)}`, token.attrGet("src"));
    else if (token.type === "link_open") {
      opened.push({ url: token.attrGet("href"), before: text });
      text = "";
    } else if (token.type === "link_close") {
      const { url, before } = opened.pop() ?? { url: null, before: "" };
      text = before + link(text, url);
    } else text += escaped(token.content);
  }
  return text;
}

/** Writes blocks, each line behind the marks of the lists and quotes that it is in. */
class Writer {
  private readonly lines: string[] = [];
  private readonly marks: { first: string; rest: string }[] = [];
  private readonly numbers: (number | null)[] = [];
  private row: string[] = [];

  write(tokens: readonly Token[]): string {
    for (const token of tokens) this.token(token);
    return this.lines.join("\n");
  }

  private token(token: Token): void {
    switch (token.type) {
      case "inline":
        return this.text(inline(token.children ?? []));
      case "fence":
      case "code_block":
        return this.block(fenced(token.content, token.info));
      case "hr":
        return this.block(["---"]);
      case "heading_open":
        this.prefix = `${"#".repeat(Math.min(6, Number(token.tag.slice(1)) + 2))} `;
        return;
      case "blockquote_open":
        this.marks.push({ first: "> ", rest: "> " });
        return;
      case "bullet_list_open":
      case "ordered_list_open":
        this.numbers.push(token.type === "bullet_list_open" ? null : Number(token.attrGet("start") ?? 1));
        return;
      case "list_item_open":
        return this.item();
      case "blockquote_close":
      case "list_item_close":
        this.marks.pop();
        return;
      case "bullet_list_close":
      case "ordered_list_close":
        this.numbers.pop();
        return;
      default:
        return this.table(token);
    }
  }

  private prefix = "";
  private inCell = false;

  private text(text: string): void {
    if (this.inCell) this.row.push(text.replace(/\n/g, " "));
    else this.block((this.prefix + (this.prefix ? text.replace(/\n/g, " ") : text)).split("\n"));
    this.prefix = "";
  }

  private item(): void {
    const number = this.numbers.at(-1) ?? null;
    if (number !== null) this.numbers[this.numbers.length - 1] = number + 1;
    const mark = number === null ? "- " : `${number}. `;
    this.marks.push({ first: mark, rest: " ".repeat(mark.length) });
  }

  private table(token: Token): void {
    if (token.type === "th_open" || token.type === "td_open") this.inCell = true;
    else if (token.type === "th_close" || token.type === "td_close") this.inCell = false;
    else if (token.type === "tr_open") this.row = [];
    else if (token.type === "tr_close") this.lines.push(`${this.rest()}| ${this.row.join(" | ")} |`);
    else if (token.type === "thead_open") this.lines.push(this.rest().trimEnd());
    else if (token.type === "thead_close") this.lines.push(`${this.rest()}|${"---|".repeat(this.row.length)}`);
  }

  private rest(): string {
    return this.marks.map((mark) => mark.rest).join("");
  }

  private block(lines: readonly string[]): void {
    const rest = this.rest();
    const first = this.marks.map((mark) => mark.first).join("");
    if (this.lines.length > 0) this.lines.push(this.quotes());
    lines.forEach((line, number) => this.lines.push((number === 0 ? first : rest) + line));
    for (const mark of this.marks) mark.first = mark.rest; // an item's sign stands once
  }

  /** The line between two blocks: blank, but for the quotes that go on. */
  private quotes(): string {
    return this.marks
      .map((mark) => (mark.first === mark.rest ? mark.rest : ""))
      .join("")
      .trimEnd();
  }
}
