// The page: it joins the routes, the list of conversations and the chat.

import { ChatView } from "./chat/view.js";
import { ask, sure } from "./dialogs.js";
import { Library } from "./library.js";
import * as routes from "./routes.js";
import { Sidebar } from "./sidebar.js";

const POLL = 1500; // milliseconds between looks at an engine that loads
const THEMES = ["auto", "light", "dark"];
const at = (id) => document.getElementById(id);
const library = new Library();
let defaults = { system: "", temperature: 0.7 };
let fresh = {}; // settings of the conversation that is not begun yet
let search = "";
let opened = 0; // how often another conversation was chosen
let looked = 0; // how often the list was asked for

const chat = new ChatView(at("chat"), {
  begin: (turn) => routes.begin(turn.conversationId ? turn : { ...turn, ...fresh, conversationId: undefined }),
  follow: routes.follow,
  stop: routes.stop,
  conversation: routes.conversation,
  forget: routes.forget,
  count: (question) => routes.count({ ...question, ...(question.conversationId ? {} : systemOf(fresh)) }).catch(() => null),
  prompts: () => library.prompts,
  fill: (prompt) => library.fill(prompt),
  copy: (text) => navigator.clipboard.writeText(text).catch(failed),
  save,
  changed: (conversation) => {
    if (conversation.id === chat.conversation?.id) entitle(conversation); // or another is looked at
    list();
  },
  failed,
});
const sidebar = new Sidebar(at("conversations"), {
  open: (id) => open(id).catch(failed),
  move: (id, folder) => doing(() => routes.change(id, { folder })),
  renameFolder: renameFolder,
  deleteFolder: deleteFolder,
});

function systemOf({ system }) {
  return system === undefined || system === null ? {} : { system };
}

function failed(error) {
  const lost = error instanceof TypeError; // what fetch throws where nobody answers
  at("notice").textContent = lost ? "The server does not answer; is `opencoder-lsp serve` running?" : error.message;
  at("notice").hidden = false;
}

async function doing(work) {
  try {
    at("notice").hidden = true;
    await work();
    await list();
  } catch (error) {
    failed(error);
  }
}

async function list() {
  const wanted = search;
  const mine = ++looked;
  try {
    const found = await routes.conversations(wanted);
    if (mine === looked) sidebar.show(found, library.folders, chat.conversation?.id, wanted !== "");
  } catch (error) {
    failed(error);
  }
}

function entitle(conversation) {
  at("title").textContent = conversation?.title ?? "New chat";
  document.title = conversation ? `${conversation.title} – OpenCoder` : "OpenCoder";
  for (const id of ["rename", "save", "delete"]) at(id).hidden = conversation === null;
  history.replaceState(null, "", conversation ? `#${conversation.id}` : location.pathname);
}

async function open(id) {
  at("sidebar").classList.remove("open");
  at("notice").hidden = true;
  const mine = ++opened;
  let conversation = null;
  let begun;
  if (id !== null) {
    const { turns } = await routes.state(); // first, or an answer that ends now would be in neither
    conversation = await routes.conversation(id);
    if (mine !== opened) return; // another one was chosen meanwhile
    begun = turns.find((turn) => turn.conversationId === id);
  }
  fresh = {};
  chat.show(conversation, begun);
  entitle(conversation);
  chat.composer.focus();
  await list();
}

async function watch() {
  const state = await routes.state();
  defaults = state;
  at("model").textContent = state.state === "ready" ? state.model : state.message;
  if (state.state !== "ready") setTimeout(() => watch().catch(failed), POLL);
  else chat.composer.recount();
}

async function configure() {
  const { conversation } = chat;
  const own = conversation ?? fresh;
  const fields = [
    { name: "system", label: "System prompt (empty: none)", kind: "area", value: own.system ?? defaults.system },
    { name: "temperature", label: "Temperature: 0 is precise, 2 is wild", kind: "number", min: 0, max: 2, step: 0.1, value: own.temperature ?? defaults.temperature, required: true },
    { name: "folder", label: "Folder", kind: "choice", value: own.folder ?? "", choices: [["", "none"], ...library.folders.map((one) => [one.id, one.name])] },
  ];
  const chosen = await ask("Settings of this conversation", fields);
  if (chosen === null) return;
  const changes = {
    system: chosen.system === defaults.system ? null : chosen.system,
    temperature: Number(chosen.temperature) === defaults.temperature ? null : Number(chosen.temperature),
    folder: chosen.folder,
  };
  if (conversation === null) fresh = changes;
  else await doing(async () => Object.assign(conversation, await routes.change(conversation.id, changes)));
  chat.composer.recount();
}

async function rename() {
  const { id, title } = chat.conversation;
  const named = await ask("Rename", [{ name: "title", label: "Title", value: title, required: true, maxLength: 200 }]);
  if (named) await doing(async () => entitle(await routes.change(id, named)));
}

async function remove() {
  const { id, title } = chat.conversation;
  if (await sure(`Delete “${title}”?`, "Delete")) {
    await doing(async () => {
      await open(null); // first, or its tokens might be counted when it has gone
      await routes.remove(id);
    });
  }
}

async function newFolder() {
  const named = await ask("New folder", [{ name: "name", label: "Name", required: true, maxLength: 200 }]);
  if (named) await doing(async () => library.take(await routes.keepFolder(named)));
}

async function renameFolder({ id, name }) {
  const named = await ask("Rename folder", [{ name: "name", label: "Name", value: name, required: true, maxLength: 200 }]);
  if (named) await doing(async () => library.take(await routes.keepFolder({ ...named, id })));
}

async function deleteFolder({ id, name }) {
  if (await sure(`Delete the folder “${name}”? Its conversations stay.`, "Delete")) {
    await doing(async () => library.take(await routes.removeFolder(id)));
  }
}

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function exportOne() {
  const choice = [{ name: "format", label: "Format", kind: "choice", value: "markdown", choices: [["markdown", "Markdown"], ["json", "JSON"]] }];
  const chosen = await ask("Export this conversation", choice, { done: "Export" });
  if (chosen === null) return;
  await doing(async () => {
    const { title, text } = await routes.exported(chat.conversation.id, chosen.format);
    const name = title.replace(/[^\p{L}\p{N} _-]/gu, "").trim().slice(0, 60) || "conversation";
    save(`${name}.${chosen.format === "json" ? "json" : "md"}`, text);
  });
}

async function exportAll() {
  const text = JSON.stringify(await routes.archive(), null, 2);
  save(`opencoder-conversations-${new Date().toISOString().slice(0, 10)}.json`, text);
}

async function importFrom(file) {
  await doing(async () => {
    const told = await routes.takeIn(await file.text());
    await library.read();
    chat.say(`Imported ${told.added} conversations (${told.known} were here already), ${told.folders} folders, ${told.prompts} prompts.`);
  });
}

function setTheme(theme) {
  localStorage.setItem("opencoder-theme", theme);
  document.documentElement.dataset.theme = theme;
  at("theme").textContent = `Theme: ${theme}`;
}

function listen() {
  at("new").onclick = () => open(null).catch(failed);
  at("new-folder").onclick = newFolder;
  at("settings").onclick = configure;
  at("rename").onclick = rename;
  at("delete").onclick = remove;
  at("save").onclick = exportOne;
  at("export").onclick = () => doing(exportAll);
  at("import").onclick = () => at("import-from").click();
  at("import-from").onchange = async ({ target }) => {
    if (target.files[0]) await importFrom(target.files[0]);
    target.value = "";
  };
  at("prompts").onclick = () => library.manage(failed);
  at("theme").onclick = () => {
    const now = THEMES.indexOf(document.documentElement.dataset.theme);
    setTheme(THEMES[(now + 1) % THEMES.length]);
  };
  at("search").oninput = ({ target }) => {
    search = target.value.trim();
    list();
  };
  at("menu").onclick = () => at("sidebar").classList.toggle("open");
  at("chat").onclick = () => at("sidebar").classList.remove("open");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") at("sidebar").classList.remove("open");
    if (event.altKey && event.code === "KeyN") at("new").click();
  });
}

async function start() {
  setTheme(localStorage.getItem("opencoder-theme") ?? "auto");
  routes.takeSession();
  listen();
  entitle(null);
  await library.read();
  const wanted = started.replace(/^#/, "");
  const known = /^[\w-]+$/.test(wanted) && !wanted.startsWith("session");
  await open(known ? wanted : null).catch(() => open(null));
  await watch();
}

const started = location.hash;
start().catch(failed);
