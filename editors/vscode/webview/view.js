// The chat of the web page in VS Code: it joins the chat's view with the extension, by messages.

import { button, make } from "./chat/dom.js";
import { ChatView } from "./chat/view.js";

const vscode = acquireVsCodeApi();
const calls = new Map(); // what the extension has not answered yet
const following = new Map(); // by turn
const notice = document.getElementById("notice");
let count = 0;

/** Let the extension do something. */
function call(name, ...args) {
  const id = ++count;
  return new Promise((resolve, reject) => {
    calls.set(id, { resolve, reject });
    vscode.postMessage({ id, name, args });
  });
}

function failed(error) {
  notice.textContent = error.message;
  notice.hidden = false;
}

/** Do something of which only the failure matters. */
function doing(name, ...args) {
  notice.hidden = true;
  return call(name, ...args).catch(failed);
}

async function follow(turn, after, heard, signal) {
  following.set(turn, heard);
  signal.addEventListener("abort", () => following.delete(turn));
  try {
    await call("follow", turn, after);
  } catch (error) {
    throw Object.assign(error, { gone: true });
  } finally {
    following.delete(turn);
  }
}

const PROMPTS = [
  { name: "explain", description: "Explain the selected code", text: "Explain this code." },
  { name: "fix", description: "Find what is wrong with the selected code", text: "What is wrong with this code? Show it corrected." },
  { name: "tests", description: "Write tests for the selected code", text: "Write tests for this code." },
];

const chat = new ChatView(document.getElementById("chat"), {
  begin: (turn) => {
    notice.hidden = true;
    return call("begin", turn);
  },
  follow,
  stop: (turn) => call("stop", turn),
  conversation: (id) => call("conversation", id),
  forget: (conversation, message) => call("forget", conversation, message),
  count: async () => null,
  prompts: () => PROMPTS,
  fill: async (prompt) => {
    await doing("attachSelection");
    return prompt.text;
  },
  files: (text) => call("files", text).catch(() => []), // nothing is offered while there is no server
  attach: (file) => doing("attachNamed", file.uri),
  copy: (text) => doing("copy", text),
  actions: [
    { text: "Insert", label: "Insert this code at the cursor", run: (code) => doing("insert", code) },
    { text: "Apply", label: "Put this code in the place of the selection", run: (code) => doing("apply", code) },
    { text: "New file", label: "Open this code as a new file", run: (code, language) => doing("newFile", code, language) },
  ],
  changed: () => undefined,
  failed,
});

// What goes along with the next question.
const files = make("div", { className: "files", role: "group", "aria-label": "Files that go along" });
chat.composer.element.prepend(files);

function showAttached(names) {
  files.replaceChildren(
    button("+ Selection", "Attach the selection", () => doing("attachSelection")),
    button("+ File", "Attach the open file", () => doing("attachFile")),
    ...names.map((name) => button(`${name} ✕`, `Do not attach ${name}`, () => doing("detach", name), "attached")),
  );
}

const events = {
  turn: ({ turn, data }) => following.get(turn)?.(data),
  show: ({ conversation, begun }) => {
    notice.hidden = true;
    chat.show(conversation, begun);
    chat.composer.focus();
  },
  attached: ({ names }) => showAttached(names),
  ask: ({ message }) => chat.send(message),
  focus: () => chat.composer.focus(),
};

window.addEventListener("message", ({ data }) => {
  const waiting = calls.get(data.id);
  if (waiting === undefined) return events[data.event]?.(data);
  calls.delete(data.id);
  if (data.error === undefined) waiting.resolve(data.result);
  else waiting.reject(new Error(data.error));
});

// A question that is not sent yet outlives a reload.
chat.composer.element.addEventListener("input", () => vscode.setState({ draft: chat.composer.value }));

/** Show the chat once it is known which one: what is asked before would be asked in another. */
async function start() {
  const { conversation, begun, attached, waiting } = await call("start");
  document.getElementById("chat").hidden = false;
  chat.composer.value = vscode.getState()?.draft ?? "";
  showAttached(attached);
  chat.show(conversation, begun);
  for (const one of waiting) events[one.event](one);
}

start().catch(failed);
