#!/bin/sh
# Prints the path of a Chromium or Chrome for the browser tests. Installs Debian's where it may.
set -eu
say() { echo "find-chromium: $*" >&2; }

find_browser() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    [ -n "$name" ] && command -v "$name" && return 0
  done
  return 1
}

find_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  say "installing Debian's chromium"
  log=$(mktemp)
  if { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    chromium fonts-dejavu-core fonts-liberation; } >"$log" 2>&1; then
    rm -f "$log"
    find_browser && exit 0
  fi
  tail -n 20 "$log" >&2
fi
say "no Chromium or Chrome found. Install one (Debian/Ubuntu: apt-get install chromium; macOS: brew install --cask google-chrome) or set CHROMIUM to its path"
exit 1
