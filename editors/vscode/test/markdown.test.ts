import assert from "node:assert/strict";
import { test } from "node:test";
import markdownit from "../../../opencoder_lsp/api/web/vendor/markdown-it/markdown-it.js";
import { escaped, rebuilt, settled } from "../src/markdown";

const HOSTILE = `<img src="http://evil/raw" onerror=alert(1)> ![a](http://evil/image) ![b][c]
[run](command:workbench.action.quit) <javascript:x> [f](file:///etc/passwd) [ok](https://good/a(b))

[c]: http://evil/reference "title

\`\`\`

<script>
\`\`\`
</script>

![d](http://evil/behind)

- ![e](http://evil/list)
  \`\`\`rust
  vec![1](http://evil/code)
  \`\`\`\`
> ![f](http://evil/quote) \`![g](http://evil/span)\`

| ![h](http://evil/cell) | b |
|---|---|
| <b> | \`x\` |
`;

/** Everything that a parser finds in a text. */
function kinds(text: string): { type: string; href: string | null }[] {
  return markdownit({ html: true, maxNesting: 60 })
    .parse(text, {})
    .flatMap((token) => [token, ...(token.children ?? [])])
    .map((token) => ({ type: token.type, href: token.attrGet("href") }));
}

void test("no picture, no HTML and no link but to the web is left, even for a parser that allows all", () => {
  const found = kinds(rebuilt(HOSTILE));
  assert.deepEqual(found.filter(({ type }) => type === "image" || type.startsWith("html")), []);
  const links = found.flatMap(({ href }) => (href === null ? [] : [href]));
  assert.ok(links.length > 3);
  assert.ok(links.every((href) => /^https?:/.test(href)));
});

void test("every prefix of a hostile text is as harmless", () => {
  for (let end = 0; end < HOSTILE.length; end++) {
    const found = kinds(rebuilt(HOSTILE.slice(0, end)));
    assert.equal(found.some(({ type }) => type === "image" || type.startsWith("html")), false);
  }
});

void test("what is harmless is shown as before", () => {
  const text = "## Why\n\nIt *sums* **all** `values` of a\\_b:\n\n1. one\n2. two\n   - deep\n\n```python\nvec![1]\n```\n\n> said\n";
  const render = (source: string) => kinds(source).map(({ type }) => type);
  assert.deepEqual(render(rebuilt(text)), render(text));
  assert.match(rebuilt(text), /```python\nvec!\[1\]\n```/);
});

void test("code cannot end its fence", () => {
  const code = "````\n```\n![x](http://evil)\n```\n````\n";
  assert.match(rebuilt(code), /^````\n```\n!\[x\]/);
});

void test("a text that is only to be shown is shown sign by sign", () => {
  const children = markdownit({ html: true, maxNesting: 60 }).parse(escaped("a *b* `c` <d> ![e](f)"), {})[1]?.children;
  assert.equal((children ?? []).map((one) => one.content).join(""), "a *b* `c` <d> ![e](f)");
});

void test("blocks settle but for the last two", () => {
  const text = "one\n\ntwo\n\nthree\n\nfour";
  assert.equal(text.slice(0, settled(text)), "one\n\ntwo\n\n");
  assert.equal(settled("one\n\ntwo"), 0);
});
