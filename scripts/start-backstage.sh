#!/bin/sh
# Runs the built portal in the foreground, on the loopback interface only.
#   BACKSTAGE_PORT    port of the portal                    7007
#   ML_PLATFORM_URL   address of the platform service       http://127.0.0.1:7008
#   ML_PLATFORM_HOME  folder for the portal's databases     <repository>/.ml-platform
# Arguments are passed on, for example: --config my-app-config.yaml (an absolute path).
set -eu
cd "$(dirname "$0")/.."
root=$PWD
[ -f backstage/build/.stamp ] || { echo "start-backstage: run scripts/build-backstage.sh first" >&2; exit 1; }

export BACKSTAGE_PORT="${BACKSTAGE_PORT:-7007}"
export ML_PLATFORM_URL="${ML_PLATFORM_URL:-http://127.0.0.1:7008}"
case "${ML_PLATFORM_HOME:=$root/.ml-platform}" in
  /*) ;;
  *) ML_PLATFORM_HOME=$root/$ML_PLATFORM_HOME ;;
esac
export ML_PLATFORM_HOME
export NODE_ENV=production
mkdir -p "$ML_PLATFORM_HOME/backstage"

# Locations in app-config.yaml are relative to this folder, as they are under `yarn start`.
cd backstage/packages/backend
exec "$root/.tools/bin/node" "$root/backstage/build/backstage/packages/backend" \
  --config "$root/backstage/app-config.yaml" \
  --config "$root/backstage/app-config.local-machine.yaml" "$@"
