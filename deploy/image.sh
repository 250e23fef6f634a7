#!/bin/sh
# The image, without a Docker daemon: buildah builds it, and what is in it is looked at without starting anything of it but
# the binary.
#
#   deploy/image.sh build TAG [ARGUMENTS]   builds it from the last commit; arguments are those of `buildah build`, such as
#                                           --build-arg RUST_IMAGE=…@sha256:… or --build-arg CARGO_BUILD_JOBS=1
#   deploy/image.sh look TAG                its size, user and files, its papers against Cargo.lock, and the program
#   deploy/image.sh twice TAG [ARGUMENTS]   compiles the program twice from nothing and compares the two
#
# RUNTIME=runc in place of crun where that doesn't start (it wants one version of cgroups). Needs buildah, cargo, git, jq.
set -eu
cd "$(dirname "$0")/.."
what="${1:-}" tag="${2:-}"
[ -n "$tag" ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
shift 2
work="$(mktemp -d)" from=
trap '[ -z "$from" ] || buildah rm "$from" >"$work/log"; rm -rf "$work"' EXIT

built() { # NAME ARGUMENTS: from the last commit, so that nothing of this folder's own gets in
    name="$1"; shift
    mkdir -p "$work/source"
    git archive HEAD | tar -x -C "$work/source"
    (cd "$work/source" && buildah build ${RUNTIME:+--runtime "$RUNTIME"} --build-arg "REVISION=$(git -C "$OLDPWD" rev-parse HEAD)" \
        -f deploy/Dockerfile -t "$name" "$@" .)
}

# Everything below works on the image's files, mounted.
mounted() { # TAG COMMAND
    from="$(buildah from "$1")"
    root="$(buildah mount "$from")"
    "$2"
    buildah rm "$from" >"$work/log"
    from=
}

wrong() { echo "image.sh: $*" >&2; exit 1; }

look() {
    user="$(buildah inspect --type image --format '{{.OCIv1.Config.User}}' "$tag")"
    [ "$user" = 65532:65532 ] || wrong "its user is $user"
    for shell in bin/sh bin/bash bin/dash bin/busybox usr/bin/sh usr/bin/bash usr/bin/dash usr/bin/apt usr/bin/dpkg; do
        [ ! -e "$root/$shell" ] || wrong "there is $shell"
    done
    for path in $(find "$root" -xdev -perm /6000 -type f); do wrong "set-user-id: ${path#"$root"}"; done
    papers="$root/usr/share/doc/behalf"
    for paper in LICENSE licences.txt sbom.cdx.json; do [ -s "$papers/$paper" ] || wrong "there is no $paper"; done
    jq -e '.bomFormat == "CycloneDX" and .specVersion == "1.5"' "$papers/sbom.cdx.json" >"$work/log" || wrong "the SBOM isn't CycloneDX 1.5"
    jq -r '.components[] | .name + " v" + .version' "$papers/sbom.cdx.json" | sort -u >"$work/sbom"
    cargo tree --locked --package behalf --edges normal,build --prefix none --no-dedupe --format '{p}' \
        | sed 's/ (.*//' | grep -v '^behalf v' | sort -u >"$work/crates"
    missing="$(comm -23 "$work/crates" "$work/sbom")"
    [ -z "$missing" ] || wrong "the SBOM lacks: $missing"
    unnamed="$(while read -r crate; do grep -q "^$crate: " "$papers/licences.txt" || echo "$crate"; done <"$work/crates")"
    [ -z "$unnamed" ] || wrong "licences.txt lacks: $unnamed"
    version="$(chroot --userspec=65532:65532 "$root" /behalf --version)"
    echo "$version: user $user, no shell, $(wc -l <"$work/crates") packages in SBOM and licences"
    echo "all files $(du -sh --apparent-size "$root" | cut -f1), of these the program $(du -h --apparent-size "$root/behalf" | cut -f1)"
}

hash() { sha256sum "$root/src/target/release/behalf" | cut -d' ' -f1; }

case "$what" in
build) built "$tag" "$@" ;;
look) mounted "$tag" look ;;
twice)
    for time in one two; do
        built "$tag-$time" --target build --no-cache "$@"
        mounted "$tag-$time" hash >"$work/$time"
    done
    cmp "$work/one" "$work/two" || wrong "two builds differ: $(cat "$work/one" "$work/two")"
    echo "twice the same: $(cat "$work/one")"
    ;;
*) wrong "$what: build, look or twice" ;;
esac
