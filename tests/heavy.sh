#!/usr/bin/env bash
# Which parts of `./check --full` are due: those whose files are not the ones with which they passed last.
# tests/heavy.sha256 remembers these, a line for each part.
#
#   tests/heavy.sh parts         names all parts
#   tests/heavy.sh due           names those that are due
#   tests/heavy.sh passed PART   remembers the part's files as they are now
set -euo pipefail
cd "$(dirname "$0")/.."
remembered=tests/heavy.sha256
parts=(redis directories browser generated supply)

# What only the peers of a part cover.
files_of() {
    case "$1" in
        # Other Redis servers.
        redis) echo src/adapters/store/redis src/adapters/store/redis.rs src/ports/store.rs tests/it/contract tests/it/redis \
            tests/it/support tests/redis-servers.txt ;;
        # 389-DS, Samba, canaille.
        directories) echo src/adapters/directory src/ports/directory.rs tests/it/contract tests/it/scim tests/it/directory \
            tests/it/support tests/it/fixtures/ldap tests/canaille.txt ;;
        # Chromium.
        browser) echo examples/client tests/it/client ;;
        # Clients that are made of the API document.
        generated) echo openapi tests/it/openapi.rs tests/it/openapi tests/openapi-generator.txt ;;
        # Those who look at the dependencies.
        supply) echo Cargo.toml Cargo.lock deny.toml tests/supply-chain.sh ;;
        *) echo "heavy: there is no part $1; there are ${parts[*]}" >&2; return 2 ;;
    esac
}

now() {
    local files
    files="$(files_of "$1")"
    # By name, not by the order of a locale.
    # shellcheck disable=SC2086 # a list of names without blanks
    git ls-files -- $files tests/peers.sh | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -d' ' -f1
}

remembered_of() { sed -n "s/^$1 //p" "$remembered" 2>/dev/null || true; }

case "${1:-}" in
    parts) echo "${parts[*]}" ;;
    due) for part in "${parts[@]}"; do [ "$(remembered_of "$part")" = "$(now "$part")" ] || echo "$part"; done ;;
    passed)
        hash="$(now "${2:?which part}")"
        { grep -v "^$2 " "$remembered" 2>/dev/null || true; echo "$2 $hash"; } | LC_ALL=C sort >"$remembered.new"
        mv "$remembered.new" "$remembered"
        ;;
    *) echo "usage: tests/heavy.sh parts | due | passed PART" >&2; exit 2 ;;
esac
