#!/usr/bin/env bash
# Puts the Neovim of a Debian suite into a folder, without root and beside whatever is installed:
#
#     tests/editors/fetch_neovim.sh trixie|forky FOLDER     makes FOLDER/nvim
#
# trixie has Neovim 0.10, forky 0.12. About 20 MB are loaded, from the archive that this machine's
# own packages come from.
set -euo pipefail
suite=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)

sources=/etc/apt/sources.list.d/debian.sources
archive=$(awk '/^URIs:/ { print $2; exit }' "$sources")
keyring=$(awk '/^Signed-By:/ { print $2; exit }' "$sources")

apt=$folder/apt
root=$folder/root
mkdir -p "$apt"/{lists,archives}/partial "$root"
echo "deb [signed-by=$keyring] $archive $suite main" > "$apt/sources.list"
: > "$apt/status" # nothing is installed, so all that Neovim needs is named
in_folder=(
  -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o Dir::State::Lists="$apt/lists" -o Dir::State::Status="$apt/status" -o Dir::Cache="$apt"
  -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o Acquire::Retries=2
  -o APT::Install-Recommends=false -o Debug::NoLocking=1 -o APT::Sandbox::User=root
)
apt-get "${in_folder[@]}" -qq update
apt-get "${in_folder[@]}" -qq -y --download-only install neovim > "$folder/apt.log"
for package in "$apt"/archives/*.deb; do
  dpkg-deb --extract "$package" "$root"
done
rm -r "$apt"

# Its own libraries for itself; the programs it starts use the machine's.
loader=$(echo "$root"/usr/lib*/ld-linux-*.so.*)
libraries=$(dirname "$(find "$root/usr/lib" -name 'libc.so.6')")
cat > "$folder/nvim" <<EOF
#!/bin/sh
export VIMRUNTIME='$root/usr/share/nvim/runtime' VIM='$root/usr/share/nvim'
exec '$loader' --library-path '$libraries' --argv0 nvim '$root/usr/bin/nvim' "\$@"
EOF
chmod +x "$folder/nvim"
"$folder/nvim" --version | head -n 1
