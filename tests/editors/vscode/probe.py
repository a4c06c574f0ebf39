"""Another extension, which asks for a language model and runs commands, as anybody's may."""

import json
import zipfile
from pathlib import Path

_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="probe" Version="0.0.1" Publisher="tests"/>
    <DisplayName>Probe</DisplayName>
    <Description/>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json"/>
  </Assets>
</PackageManifest>
"""
_PACKAGE = {
    "name": "probe",
    "publisher": "tests",
    "version": "0.0.1",
    "engines": {"vscode": "^1.104.0"},
    "main": "./main.js",
    "contributes": {
        "commands": [
            {"command": "probe.ask", "title": "Probe: Ask a Language Model"},
            {"command": "probe.offer", "title": "Probe: Turn the Built-in Chat On or Off"},
            {"command": "probe.restart", "title": "Probe: Restart Five Times at Once"},
        ]
    },
}
_MAIN = """\
const vscode = require("vscode");

async function ask() {
  const [model] = await vscode.lm.selectChatModels({ vendor: "opencoder" });
  if (!model) return vscode.window.showInformationMessage("there is no model");
  const answer = await model.sendRequest([
    vscode.LanguageModelChatMessage.User("Remember 42."),
    vscode.LanguageModelChatMessage.Assistant("I do."),
    vscode.LanguageModelChatMessage.User("What was it?"),
  ]);
  const pieces = [];
  for await (const piece of answer.text) pieces.push(piece);
  vscode.window.showInformationMessage(`${model.name} says ${JSON.stringify(pieces)}`);
}

async function offer() {
  const settings = vscode.workspace.getConfiguration("opencoder");
  const name = "builtinChat.enabled";
  const on = !settings.get(name);
  await settings.update(name, on, vscode.ConfigurationTarget.Global);
  const find = () => vscode.lm.selectChatModels({ vendor: "opencoder" });
  while ((await find()).length > 0 !== on) await new Promise((resolve) => setTimeout(resolve, 50));
  vscode.window.showInformationMessage(`the built-in chat is ${on ? "on" : "off"}`);
}

async function restart() {
  const once = () => vscode.commands.executeCommand("opencoder.restart");
  await Promise.all([once(), once(), once(), once(), once()]);
  vscode.window.showInformationMessage("all five are done");
}

exports.activate = (context) => {
  for (const command of [ask, offer, restart]) {
    context.subscriptions.push(vscode.commands.registerCommand(`probe.${command.name}`, command));
  }
};
"""


def probe(folder: Path) -> Path:
    """Write the extension's package into a folder, and return it."""
    package = folder / "probe.vsix"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("extension.vsixmanifest", _MANIFEST)
        archive.writestr("extension/package.json", json.dumps(_PACKAGE))
        archive.writestr("extension/main.js", _MAIN)
    return package
