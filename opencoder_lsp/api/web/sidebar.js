// The list of conversations, in their folders.

import { button, make } from "./chat/dom.js";

const KIND = "application/x-opencoder-conversation";

export class Sidebar {
  /** `does` has open(id), move(id, folder), renameFolder(folder), deleteFolder(folder). */
  constructor(root, does) {
    this.root = root;
    this.does = does;
    this.closed = new Set();
    this.looks = "";
  }

  show(conversations, folders, current, searching) {
    const entries = conversations.map(({ id, title, folder, workspace }) => [id, title, folder, workspace]);
    const looks = JSON.stringify([entries, folders, current, searching]);
    if (looks === this.looks) return; // or what somebody drags just now would be gone
    this.looks = looks;
    const parts = folders.map((folder) => {
      const inside = conversations.filter((one) => one.folder === folder.id);
      return this.#folder(folder, inside, current, searching);
    });
    const known = new Set(folders.map((folder) => folder.id));
    const loose = conversations.filter((one) => !known.has(one.folder));
    const list = this.#list(loose, current);
    this.#takes(list, "");
    if (loose.length === 0 && conversations.length === 0) {
      list.append(make("li", {}, make("small", {}, searching ? "Nothing found." : "No conversations yet.")));
    }
    this.root.replaceChildren(...parts, list);
  }

  #folder(folder, conversations, current, searching) {
    const tools = [
      button("✎", `Rename folder ${folder.name}`, (event) => {
        event.preventDefault();
        this.does.renameFolder(folder);
      }),
      button("✕", `Delete folder ${folder.name}`, (event) => {
        event.preventDefault();
        this.does.deleteFolder(folder);
      }),
    ];
    const details = make(
      "details",
      { open: searching || !this.closed.has(folder.id) },
      make("summary", {}, `${folder.name} (${conversations.length}) `, ...tools),
      this.#list(conversations, current),
    );
    details.ontoggle = () => (details.open ? this.closed.delete(folder.id) : this.closed.add(folder.id));
    this.#takes(details, folder.id);
    return details;
  }

  #list(conversations, current) {
    return make("ul", {}, ...conversations.map((one) => make("li", {}, this.#entry(one, current))));
  }

  #entry(one, current) {
    const where = one.workspace ? make("small", {}, ` ${one.workspace.split("/").at(-1)}`) : "";
    const entry = make("button", { type: "button", title: one.title, draggable: true }, one.title, where);
    if (one.id === current) entry.setAttribute("aria-current", "true");
    entry.onclick = () => this.does.open(one.id);
    entry.ondragstart = (event) => event.dataTransfer.setData(KIND, one.id);
    return entry;
  }

  #takes(element, folder) {
    element.ondragover = (event) => {
      if (!event.dataTransfer.types.includes(KIND)) return;
      event.preventDefault();
      element.classList.add("over");
    };
    element.ondragleave = () => element.classList.remove("over");
    element.ondrop = (event) => {
      event.preventDefault();
      element.classList.remove("over");
      const id = event.dataTransfer.getData(KIND);
      if (id) this.does.move(id, folder);
    };
  }
}
