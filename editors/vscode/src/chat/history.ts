// Earlier conversations, to look at, rename, export or delete.

import * as vscode from "vscode";
import { reasonOf, type Server } from "../server/server";
import type { ChatHost } from "./host";

interface Summary {
  id: string;
  title: string;
  workspace: string;
  updated: number; // seconds
  messages: number;
}

interface Item extends vscode.QuickPickItem {
  id: string | null; // null: those of all folders
}

const RENAME = { iconPath: new vscode.ThemeIcon("edit"), tooltip: "Rename" };
const EXPORT = { iconPath: new vscode.ThemeIcon("export"), tooltip: "Export as Markdown" };
const DELETE = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Delete" };

export class History {
  constructor(
    private readonly server: Server,
    private readonly chat: ChatHost,
  ) {}

  /** Let the user choose a conversation of this workspace's, or of all. */
  async choose(all = false): Promise<void> {
    const picker = vscode.window.createQuickPick<Item>();
    picker.title = all ? "All chats" : "Chats of this workspace";
    picker.placeholder = "Open an earlier chat";
    picker.matchOnDescription = true;
    picker.onDidHide(() => picker.dispose());
    picker.onDidTriggerItemButton(({ item, button }) => void this.doing(picker, item, button, all));
    picker.onDidAccept(() => {
      const chosen = picker.selectedItems[0];
      picker.hide();
      if (chosen?.id === null) void this.choose(true);
      else if (chosen) void this.chat.show(chosen.id);
    });
    picker.show();
    await this.fill(picker, all);
  }

  private async fill(picker: vscode.QuickPick<Item>, all: boolean): Promise<void> {
    picker.busy = true;
    try {
      const found = await this.server.execute<Summary[]>("opencoder.conversations", { all });
      const more: Item[] = all ? [] : [{ id: null, label: "$(list-unordered) Chats of all workspaces" }];
      picker.items = [...found.map(itemOf), ...more];
    } catch (error) {
      picker.hide();
      void vscode.window.showErrorMessage(`OpenCoder: ${reasonOf(error)}`);
    }
    picker.busy = false;
  }

  private async doing(picker: vscode.QuickPick<Item>, item: Item, button: vscode.QuickInputButton, all: boolean): Promise<void> {
    const conversationId = item.id;
    if (conversationId === null) return;
    try {
      if (button === EXPORT) {
        const { text } = await this.server.execute<{ text: string }>("opencoder.conversation.export", { conversationId });
        await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ content: text, language: "markdown" }));
        return;
      }
      if (button === RENAME) {
        const title = await vscode.window.showInputBox({ title: "Rename", value: item.label });
        if (title?.trim()) await this.server.execute("opencoder.conversation.rename", { conversationId, title });
        return;
      }
      const modal = { modal: true };
      if ((await vscode.window.showWarningMessage(`Delete “${item.label}”?`, modal, "Delete")) !== "Delete") return;
      await this.server.execute("opencoder.conversation.delete", { conversationId });
      await this.chat.deleted(conversationId);
      await this.fill(picker, all);
    } catch (error) {
      void vscode.window.showErrorMessage(`OpenCoder: ${reasonOf(error)}`);
    }
  }
}

function itemOf({ id, title, updated, messages }: Summary): Item {
  const time = new Date(updated * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return { id, label: title, description: `${time} · ${messages} messages`, buttons: [RENAME, EXPORT, DELETE] };
}
