// Check that the Lua in a folder is formatted as its stylua.toml wants it: node stylua.cjs FOLDER
const fs = require("node:fs");
const path = require("node:path");
const stylua = require("@johnnymorganz/stylua/stylua_lib_node.cjs");

const folder = process.argv[2];
const wanted = fs.readFileSync(path.join(folder, "stylua.toml"), "utf8");
const setting = (name) => wanted.match(new RegExp(`^${name} = "?(\\w+)"?$`, "m"))[1];

function formatted(text) {
  const config = stylua.Config.new();
  config.column_width = Number(setting("column_width"));
  config.indent_type = stylua.IndentType[setting("indent_type")];
  config.indent_width = Number(setting("indent_width"));
  return stylua.formatCode(text, config, undefined, stylua.OutputVerification.None);
}

const files = fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".lua"));
const wrong = files.filter((name) => {
  const text = fs.readFileSync(path.join(folder, name), "utf8");
  return formatted(text) !== text;
});
for (const name of wrong) console.error(`not formatted: ${path.join(folder, name)}`);
process.exit(wrong.length || !files.length ? 1 : 0);
