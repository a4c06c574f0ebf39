// The Markdown parser of the chat page.
declare module "*/markdown-it.js" {
  interface Token {
    type: string;
    tag: string;
    nesting: -1 | 0 | 1;
    level: number;
    content: string;
    info: string;
    hidden: boolean;
    map: [number, number] | null;
    children: Token[] | null;
    attrGet(name: string): string | null;
  }
  interface Parser {
    parse(text: string, env: object): Token[];
    validateLink: (url: string) => boolean;
  }
  const make: (options: { html: boolean; maxNesting: number }) => Parser;
  export default make;
}
