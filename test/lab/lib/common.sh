#!/usr/bin/env bash
# Shared by up, down and deploy-app: where the lab is, how it talks.

LAB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab}
LAB_QUIET=${LAB_QUIET:-}
export LAB_SOURCE LAB_ROOT LAB_QUIET

say() { [[ -n $LAB_QUIET ]] || printf 'lab: %s\n' "$*"; }

fail() {
  printf 'lab: %s\n' "$*" >&2
  exit 1
}

need_root() { [[ $(id -u) == 0 ]] || fail "run as root: the lab starts dockerd and makes user dokku"; }

# Hash of a directory's files, their names and contents, or of one file, for caching by content.
# Wherever the checkout lies: two of them share one engine's images.
# usage: content_hash <file or directory>
content_hash() {
  local directory=$1 name=.
  [[ -d $1 ]] || { directory=$(dirname "$1") && name=$(basename "$1"); }
  (cd "$directory" && find "$name" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) |
    sha256sum | cut -c1-12
}
