#!/usr/bin/env bash
# What behalf is built from: whether the lock fits, licences, bans and sources (deny.toml), dependencies that nothing uses,
# and known vulnerabilities, where their database can be had. `tests/peers.sh cargo-deny` and `… cargo-machete` install what
# it takes.
set -euo pipefail
cd "$(dirname "$0")/.."
peers="$PWD/target/peers"

cargo metadata --locked --format-version 1 >/dev/null
"$peers/cargo-deny" --locked check bans licenses sources
"$peers/cargo-machete" --with-metadata .

# The database is a git repository elsewhere.
if "$peers/cargo-deny" --locked fetch db; then
    "$peers/cargo-deny" --locked check --disable-fetch advisories
else
    printf '\n== NOT CHECKED: known vulnerabilities. The RustSec database can not be had from here.\n\n' >&2
fi
