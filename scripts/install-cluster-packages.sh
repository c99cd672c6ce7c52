#!/bin/sh
# Installs what the test cluster takes from Debian or Ubuntu. Without root it only names what is missing;
# the cluster itself then says what it can do without (see tests/cluster/README.md).
set -eu
say() { echo "cluster: $*" >&2; }

missing=
need() { # need PROGRAM-OR-FILE PACKAGE
  command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"
}
need git git
need redis-server redis-server
if [ "$(id -u)" = 0 ] && [ "$(uname)" = Linux ]; then
  need containerd containerd
  need runc runc
  need /usr/lib/cni/bridge containernetworking-plugins
  need ip iproute2
  need nft nftables
  need iptables iptables
  need conntrack conntrack
  need mmdebstrap mmdebstrap
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  say "installing Debian's$missing"
  log=$(mktemp)
  # shellcheck disable=SC2086 # one argument a package
  if { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    rm -f "$log"
    exit 0
  fi
  tail -n 20 "$log" >&2
fi
say "missing:$missing. Install them (Debian/Ubuntu: apt-get install --no-install-recommends$missing)"
exit 1
