#!/usr/bin/env bash
# Whether the API document breaks clients of the last release: compares openapi/openapi.json with that of the last git tag
# before HEAD, and fails where a change is a breaking one. `tests/peers.sh oasdiff` installs what compares them.
#
#   openapi/breaking.sh             in the repository that it lies in
#   openapi/breaking.sh REPOSITORY  in another
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"
repository="${1:-$here}"
document=openapi/openapi.json
oasdiff="$here/target/peers/oasdiff/node_modules/@invariant-app/oasdiff-linux-x64/bin/oasdiff"

# A copy without a history (an archive of the sources) has no tags either.
tag="$(git -C "$repository" describe --tags --abbrev=0 2>/dev/null || true)"
if [ -z "$tag" ]; then
    echo "breaking: there is no tag yet, so nothing to compare $document with"
    exit 0
fi
if ! git -C "$repository" cat-file -e "$tag:$document" 2>/dev/null; then
    echo "breaking: $tag has no $document to compare with"
    exit 0
fi
[ -x "$oasdiff" ] || "$here/tests/peers.sh" oasdiff
before="$(mktemp)"
trap 'rm -f "$before"' EXIT
git -C "$repository" show "$tag:$document" >"$before"
if ! "$oasdiff" breaking --fail-on ERR "$before" "$repository/$document"; then
    echo "breaking: clients of $tag break, see above" >&2
    exit 1
fi
echo "breaking: nothing that breaks clients of $tag"
