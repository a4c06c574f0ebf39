// Folders and prompts, and the dialogs for prompts.

import { button, make } from "./chat/dom.js";
import { ask, sure } from "./dialogs.js";
import * as routes from "./routes.js";

const VARIABLE = /\{\{\s*([^{}]+?)\s*\}\}/g;

export class Library {
  constructor() {
    this.folders = [];
    this.prompts = [];
  }

  async read() {
    this.take(await routes.library());
  }

  take({ folders, prompts }) {
    this.folders = folders.filter((folder) => folder.kind === "chat");
    this.promptFolders = folders.filter((folder) => folder.kind === "prompt");
    this.prompts = prompts;
  }

  /** Return a prompt's text, its variables asked for; null if that was given up. */
  async fill(prompt) {
    const names = [...new Set([...prompt.content.matchAll(VARIABLE)].map((match) => match[1]))];
    if (names.length === 0) return prompt.content;
    const fields = names.map((name) => ({ name, label: name, kind: "area" }));
    const values = await ask(prompt.name, fields, { done: "Use" });
    return values && prompt.content.replace(VARIABLE, (_, name) => values[name]);
  }

  /** Show all prompts, to add, change and delete them; resolves when that is done. */
  manage(failed) {
    return new Promise((resolve) => {
      const list = make("ul");
      const dialog = make("dialog", { "aria-label": "Prompts" });
      const does = async (work) => {
        try {
          this.take(await work());
          show();
        } catch (error) {
          failed(error);
        }
      };
      const edit = async (prompt) => {
        const fields = [
          { name: "name", label: "Name", value: prompt.name, required: true, maxLength: 200 },
          { name: "description", label: "Description", value: prompt.description },
          { name: "content", label: "Text, with {{variables}}", kind: "area", value: prompt.content, required: true },
        ];
        const changed = await ask("Prompt", fields);
        if (changed) await does(() => routes.keepPrompt({ folder: prompt.folder, ...changed, ...(prompt.id ? { id: prompt.id } : {}) }));
      };
      const drop = async (prompt) => {
        if (await sure(`Delete the prompt “${prompt.name}”?`, "Delete")) {
          await does(() => routes.removePrompt(prompt.id));
        }
      };
      const folderOf = (prompt) => this.promptFolders.find((folder) => folder.id === prompt.folder)?.name;
      const show = () =>
        list.replaceChildren(
          ...this.prompts.map((prompt) =>
            make(
              "li",
              {},
              make("span", {}, [folderOf(prompt), prompt.name].filter(Boolean).join(" / ")),
              button("Edit", `Edit ${prompt.name}`, () => edit(prompt)),
              button("Delete", `Delete ${prompt.name}`, () => drop(prompt)),
            ),
          ),
        );
      const fresh = { name: "", description: "", content: "", folder: "" };
      const buttons = make(
        "div",
        { className: "row" },
        button("New prompt", "New prompt", () => edit(fresh), "primary"),
        button("Close", "Close", () => dialog.close()),
      );
      dialog.append(make("form", { method: "dialog" }, make("h2", {}, "Prompts"), list, buttons));
      dialog.onclose = () => {
        dialog.remove();
        resolve();
      };
      show();
      document.body.append(dialog);
      dialog.showModal();
    });
  }
}
