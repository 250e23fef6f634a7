#!/bin/sh
# Writes the licences of everything that is built into behalf, with their texts, each once, to standard output.
# Reads the sources that Cargo fetched; run it after `cargo fetch --locked`.
set -eu
cd "$(dirname "$0")/.."
sources="${CARGO_HOME:-$HOME/.cargo}/registry/src"
texts="$(mktemp)"
trap 'rm -f "$texts"' EXIT
# With what is used at build time: some of it brings along what is put into the binary, such as the pages at /docs.
tree="$(cargo tree --locked --package behalf --edges normal,build --prefix none --no-dedupe --format '{p}|{l}')"
packages="$(echo "$tree" | sed 's/ (.*)|/|/' | sort -u)"

missing=
for package in $(echo "$packages" | sed 's/|.*//; s/ v/-/'); do
    case "$package" in behalf-*) continue ;; esac
    folder="$(find "$sources" -mindepth 2 -maxdepth 2 -type d -name "$package" | head -n 1)"
    [ -n "$folder" ] || missing="$missing $package"
    [ -z "$folder" ] || find "$folder" -maxdepth 1 -type f \
        \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'unlicense*' \) \
        -exec sha256sum {} + | sed "s|^\\([0-9a-f]*\\)  |\\1 $package |" >>"$texts"
done
if [ -n "$missing" ]; then
    echo "licences.sh: there are no sources of:$missing" >&2
    exit 1
fi

echo "behalf is licensed under Apache-2.0, see LICENSE. It is built from these packages as well:"
echo
echo "$packages" | sed '/^behalf /d; s/|/: /'
cut -d' ' -f1 "$texts" | sort -u | while read -r hash; do
    printf '\n======== %s\n\n' "$(grep "^$hash " "$texts" | cut -d' ' -f2 | sort -u | paste -sd' ')"
    cat "$(grep -m 1 "^$hash " "$texts" | cut -d' ' -f3-)"
done
