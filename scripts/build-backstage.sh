#!/bin/sh
# Builds the portal into backstage/build, from where start-backstage.sh runs it.
# Does nothing when no source changed since the last build; what was built from the same sources in
# another clone is taken from the cache.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
PATH="$root/.tools/bin:$PATH"; export PATH
build=$root/backstage/build

sources() {
  ls package.json yarn.lock .yarnrc.yml tsconfig.json scripts/build-backstage.sh backstage/app-config.yaml
  find backstage \( -name node_modules -o -name dist -o -name dev -o -path 'backstage/build*' \) -prune -o \
    -type f ! -name '*.test.ts' ! -name '*.test.tsx' ! -name '*.md' ! -name '*.yaml' -print
}
fingerprint() { sources | LC_ALL=C sort | xargs cksum | git hash-object --stdin; }

wanted=$(fingerprint)
if [ -f "$build/.stamp" ] && [ "$(cat "$build/.stamp")" = "$wanted" ]; then
  exit 0
fi
[ -x .tools/bin/yarn ] || { echo "build-backstage: run scripts/setup-node.sh first" >&2; exit 1; }

. scripts/cache-folder.sh
kept=$cache/portal/$wanted
rm -rf "$build.partial"
# Whatever is wrong with the copy in the cache, the portal can be built.
if [ "$(cat "$kept/.stamp" 2>/dev/null)" = "$wanted" ] && cp -R -P "$kept" "$build.partial"; then
  # The backend finds the pages as the workspace's package `app`, where a build leaves them.
  pages=backstage/packages/app/dist
  rm -rf "$build" "$pages"
  cp -R "$build.partial/$pages" "$pages"
  mv "$build.partial" "$build"
  touch "$kept" 2>/dev/null || true
  exit 0
fi

echo "build-backstage: building the portal, about a minute" >&2
log=.tools/build-backstage.log
if ! yarn workspace backend build > "$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "build-backstage: the build failed, see $log" >&2
  exit 1
fi

rm -rf "$build.partial"
mkdir -p "$build.partial/node_modules/@internal"
for archive in skeleton bundle; do
  tar -xzf "backstage/packages/backend/dist/$archive.tar.gz" -C "$build.partial"
done
# Dependencies come from the workspace's node_modules, which lies further up; only our own
# packages must be found here, since there they are links to TypeScript sources.
for package in "$build.partial"/backstage/packages/* "$build.partial"/backstage/plugins/*; do
  folder=${package#"$build.partial/"}
  name=$(node -p 'require(process.argv[1]).name' "$package/package.json")
  case "$name" in */*) up=../.. ;; *) up=.. ;; esac
  ln -s "$up/$folder" "$build.partial/node_modules/$name"
  [ ! -d "$folder/node_modules" ] || ln -s "../../../../../$folder/node_modules" "$package/node_modules"
done
echo "$wanted" > "$build.partial/.stamp"
rm -rf "$build"
mv "$build.partial" "$build"

keep() {
  mkdir -p "$cache/portal" && part=$(mktemp -d "$cache/portal/partial.XXXXXX") || return
  cp -R -P "$build" "$part/build" && rm -rf "$kept" && mv "$part/build" "$kept"
  outcome=$?
  rm -rf "$part"
  # The last few, since branches come and go; a part is another clone's that is at it, or was ended.
  ls -t "$cache/portal" | tail -n +4 | while read -r old; do rm -rf "$cache/portal/$old"; done
  return "$outcome"
}
# Sources that were edited while they were built have another name the next time.
if [ "$(fingerprint)" = "$wanted" ]; then
  keep || echo "build-backstage: could not be kept in $cache/portal, which changes nothing here" >&2
fi
echo "build-backstage: ready" >&2
