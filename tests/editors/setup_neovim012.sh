#!/bin/bash
# Unpack Neovim 0.12 from Debian's next release beside the system, with a libc of its own.
# usage: setup_neovim012.sh FOLDER   → FOLDER/nvim     (11 MB to fetch, 49 MB on disk)
set -euo pipefail
folder=$(realpath -m "$1")
suite=${NEOVIM_SUITE:-forky}
triple=$(uname -m)-linux-gnu
loader=$(basename "$(ls /lib64/ld-linux-*.so.* 2>/dev/null | head -1)")
[ "$loader" ] && command -v apt-get dpkg-deb >/dev/null || { echo "no Debian on x86-64 here"; exit 1; }
# The mirror is the one that this system already uses.
mirror=$(grep -rhoE '^(URIs:|deb) .*https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list \
  /etc/apt/sources.list.d 2>/dev/null | grep -oE 'https?://[^ ]+/debian' | head -1 || true)
[ "$mirror" ] || { echo "no Debian mirror is set up here"; exit 1; }

mkdir -p "$folder"/{apt/lists/partial,apt/cache/archives/partial,debs,root}
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $suite main" >"$folder/apt/sources.list"
apt=(-o "Dir::Etc::sourcelist=$folder/apt/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State::Lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt/cache"
  -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update -qq
parser=$(apt-cache "${apt[@]}" show neovim | sed -n 's/^Depends: //p' | head -1 |
  grep -oE 'libtree-sitter[0-9.]+' | head -1)
(cd "$folder/debs" && apt-get "${apt[@]}" download -qq neovim neovim-runtime libc6 libgcc-s1 \
  libluajit-5.1-2 libluajit-5.1-common "$parser" libunibilium4 libutf8proc3 libuv1t64 lua-lpeg lua-luv)
for package in "$folder"/debs/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
rm -r "$folder/debs" "$folder/apt"

cat >"$folder/nvim" <<END
#!/bin/sh
root=\$(dirname "\$(readlink -f "\$0")")/root
export VIMRUNTIME=\$root/usr/share/nvim/runtime
export LUA_CPATH="\$root/usr/lib/$triple/lua/5.1/?.so;;"
export LUA_PATH="\$root/usr/share/luajit-2.1/?.lua;\$root/usr/share/lua/5.1/?.lua;;"
exec \$root/usr/lib/$triple/$loader --library-path \$root/usr/lib/$triple \\
  --argv0 nvim \$root/usr/bin/nvim "\$@"
END
chmod +x "$folder/nvim"
"$folder/nvim" --version | head -1
