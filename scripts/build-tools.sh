#!/bin/sh
# Builds the programs of the test cluster from the Go modules pinned in tools/<name>/, into a cache outside the tree.
#   sh scripts/build-tools.sh                   all of them
#   sh scripts/build-tools.sh kustomize         only what is named
# Prints the folder of each tool on stdout: programs in bin/, files of its module in module/.
# A folder's name holds a hash of everything that went into it, so that a warm run builds nothing.
set -eu
cd "$(dirname "$0")/../tools"
. ../scripts/cache-folder.sh
cache=$cache/tools
say() { echo "build-tools: $*" >&2; }

command -v go >/dev/null 2>&1 || {
  say "Go is missing. Install 1.24 or newer (https://go.dev/dl, Debian: golang, macOS: brew install go)"
  exit 1
}
# Outside a module and local: the Go that is installed, not the one that a go.mod asks for.
go_version=$(cd / && GOTOOLCHAIN=local go version)
case $go_version in
  *" go1."[0-9]" "* | *" go1."[0-9].* | *" go1.1"[0-9]* | *" go1.2"[0-3]*)
    say "$go_version is too old. Install 1.24 or newer (https://go.dev/dl)"
    exit 1
    ;;
esac

# The same flags for all: Go's own cache is shared only then. Argo CD asks for a newer Go, which `auto` fetches.
CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto
export CGO_ENABLED GOFLAGS GOTOOLCHAIN
# What debuggers read is not worth a tenth of the time, as the linker leaves it out anyway.
compiler=all=-dwarf=false

checksum() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi; }

folder_of() { # folder_of NAME
  case $1 in
    k8s | kueue | kwok) shared="kubernetes.work* k8s/go.* kueue/go.* kwok/go.*" ;; # versions of one workspace
    *) shared="" ;;
  esac
  # shellcheck disable=SC2086  # a list of patterns
  hash=$({ cat "$1"/* $shared; echo "$go_version $compiler"; } | checksum | cut -c 1-16)
  echo "$cache/$1-$hash"
}

# What a tools/<name>/build.sh may say; it runs in its own folder, $part is the folder in the making.
program() { # program NAME PACKAGE [LINKER FLAGS]
  [ -x "$part/bin/$1" ] && return
  say "building $1"
  # Under another name first: an interrupted copy must not be taken for a program.
  nice go build -trimpath -gcflags "$compiler" -ldflags "-s -w ${3:-}" -o "$part/unfinished" "$2"
  mv "$part/unfinished" "$part/bin/$1"
}
module_file() { # module_file MODULE PATH...: copies files or folders of a module
  go mod download "$1"
  module=$(go list -m -f '{{.Dir}}' "$1")
  shift
  for path in "$@"; do
    mkdir -p "$part/module/$(dirname "$path")"
    cp -R "$module/$path" "$part/module/$(dirname "$path")/"
  done
  chmod -R u+w "$part/module"
}

build() { # build NAME
  folder=$(folder_of "$1")
  if [ ! -d "$folder" ]; then
    mkdir -p "$cache"
    lock=$folder.lock
    until mkdir "$lock" 2>/dev/null; do
      holder=$(cat "$lock/pid" 2>/dev/null || echo 0)
      # A lock without a pid is being taken right now; one of a dead process was left by an interrupted build.
      if [ "$holder" != 0 ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$lock"; else sleep 1; fi
    done
    echo $$ >"$lock/pid"
    trap 'rm -rf "$lock"' EXIT
    part=$folder.part
    if [ ! -d "$folder" ]; then
      mkdir -p "$part/bin"
      (cd "$1"; . ./build.sh) >&2
      mv "$part" "$folder"
    fi
    rm -rf "$lock"
    trap - EXIT
  fi
  echo "$folder"
}

[ $# -gt 0 ] || set -- etcd k8s kuberay kueue argocd kwok coredns kustomize
for name in "$@"; do
  [ -f "$name/build.sh" ] || {
    say "no such tool: $name; there are: $(echo *)"
    exit 1
  }
  build "$name"
done
