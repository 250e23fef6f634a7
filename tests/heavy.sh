#!/usr/bin/env bash
# Whether `./check --full` is due: the files that only its peers cover (other Redis servers, 389-DS, Samba, canaille, Chromium)
# are not those with which it passed last. tests/heavy.sha256 remembers these.
#
#   tests/heavy.sh due       succeeds if it is
#   tests/heavy.sh passed    remembers the files as they are now
set -euo pipefail
cd "$(dirname "$0")/.."
covered=(
    src/adapters/directory src/adapters/store/redis src/adapters/store/redis.rs src/ports/directory.rs src/ports/store.rs
    tests/it/contract tests/it/redis tests/it/scim tests/it/directory tests/it/support tests/it/fixtures/ldap
    examples/client tests/it/client
    tests/peers.sh tests/redis-servers.txt tests/canaille.txt check
)
# By name, not by the order of a locale.
now="$(git ls-files -- "${covered[@]}" | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -d' ' -f1)"

case "${1:-}" in
    due) [ "$(cat tests/heavy.sha256 2>/dev/null)" != "$now" ] ;;
    passed) echo "$now" >tests/heavy.sha256 ;;
    *) echo "usage: tests/heavy.sh due|passed" >&2; exit 2 ;;
esac
