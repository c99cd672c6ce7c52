#!/bin/sh
# Puts the Yarn that package.json names into a folder, as yarn.js; from the root of the repository:
#   sh scripts/install-yarn.sh <folder> <npm, as one or more words>
# npm fetches it, since npm knows the user's registry; what comes is compared with the hash below.
set -eu
folder=$1; shift
version=$(sed -n 's/.*"packageManager": "yarn@\([^"]*\)".*/\1/p' package.json)
sha256=730e0619753d39754c9e7613c7e57f084ea18b3244f5ba9a5a60bd3da048450b # of yarn.js of 4.13.0

[ "$(cat "$folder/version" 2>/dev/null || true)" != "$version" ] || exit 0
rm -rf "$folder" "$folder.partial" && mkdir -p "$folder.partial"
"$@" pack --silent --pack-destination "$folder.partial" "@yarnpkg/cli-dist@$version" >/dev/null
tar -xzf "$folder.partial"/*.tgz -C "$folder.partial" package/bin/yarn.js
found=$(node -p 'require("crypto").hash("sha256", fs.readFileSync(process.argv[1]))' "$folder.partial/package/bin/yarn.js")
[ "$found" = "$sha256" ] || {
  echo "install-yarn: Yarn $version has the hash $found, expected was $sha256" >&2
  exit 1
}
mv "$folder.partial/package/bin/yarn.js" "$folder.partial/yarn.js"
rm -rf "$folder.partial/package" "$folder.partial"/*.tgz
echo "$version" > "$folder.partial/version"
mv "$folder.partial" "$folder"
