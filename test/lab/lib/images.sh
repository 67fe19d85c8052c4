#!/usr/bin/env bash
# Images from Debian packages alone, rebuilt only when their recipe changed.

# One log for all that is built; apt's own words are in it when a mirror fails.
IMAGES_LOG=$LAB_ROOT/log/images.log

# usage: show_log: what went wrong, on stderr.
show_log() { grep -aE '^(E|W|Err):? |rror' "$IMAGES_LOG" | tail -n 15 >&2 || tail -n 15 "$IMAGES_LOG" >&2; }

# usage: use_image <name:tag> <recipe's hash>
# Every build is kept as name:tag-hash; name:tag is the one this checkout asks for.
use_image() {
  local ids
  readarray -t ids < <(docker image inspect -f '{{.Id}}' "$1-$2" "$1" 2>/dev/null)
  case ${#ids[@]} in
    2) [[ ${ids[0]} == "${ids[1]}" ]] || docker tag "$1-$2" "$1" ;;
    # Only one of them: tagging fails when it is not the build.
    1) docker tag "$1-$2" "$1" 2>/dev/null ;;
    *) return 1 ;;
  esac
}

# usage: build <name:tag> <recipe's hash> <context> [docker build argument]...
# The legacy builder is used: BuildKit needs a plugin that Debian's docker.io does not bring.
build() {
  local name=$1 hash=$2 context=$3
  shift 3
  DOCKER_BUILDKIT=0 docker build --quiet --force-rm --tag "$name-$hash" "$@" "$context" >>"$IMAGES_LOG" 2>&1 ||
    { show_log && fail "building $name failed; see $IMAGES_LOG"; }
  use_image "$name" "$hash"
}

# The engine's images belong to every lab on it: one builds at a time, whatever its root. The lock
# is held by what a killed run left behind, too.
lock_images() {
  [[ -z ${IMAGES_LOCKED:-} ]] || return 0
  exec 8>>/run/pgbackup-lab-images.lock
  flock -n 8 || { say "waiting for another lab's images" && flock 8; }
  IMAGES_LOCKED=1
}

# usage: ensure_base <tag> <bootstrap> [argument]...
# A root file system; it depends on nothing but its bootstrap script, and is kept by that hash.
ensure_base() {
  local tag=$1
  docker image inspect "$tag" >/dev/null 2>&1 && return 0
  need_package mmdebstrap mmdebstrap
  need_package /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
  say "making $tag from Debian packages"
  # Once more, should a mirror have had a bad moment. In a process of its own, which ends its work
  # and then lets go of the lock, should this one be killed.
  (import_base "$@") || (sleep 5 && import_base "$@") ||
    { show_log && fail "bootstrapping $tag failed; see $IMAGES_LOG"; }
}

# usage: import_base <tag> <bootstrap> [argument]...
import_base() {
  local tag=$1 id status=0
  shift
  rm -rf "$LAB_ROOT/tmp" && mkdir -p "$LAB_ROOT/tmp"
  # In a mount namespace of its own: the /proc and /dev of a build that is killed go with it, and
  # the next one does not stumble over them here.
  id=$(TMPDIR="$LAB_ROOT/tmp" unshare --mount "$@" 2>>"$IMAGES_LOG" |
    docker import - 2>>"$IMAGES_LOG") || status=$?
  rm -rf "$LAB_ROOT/tmp"
  # The import of a broken stream succeeds all the same: the name comes after bootstrap's exit 0.
  if ((status != 0)); then
    [[ -z $id ]] || docker image rm "$id" >/dev/null 2>&1 || true
    return "$status"
  fi
  docker tag "$id" "$tag"
}

# usage: ensure_postgres <15|17|18|17ext>
ensure_postgres() {
  local wanted=$1 major=${1%ext} name=pgbackup-lab/postgres packages=()
  if [[ $wanted == *ext ]]; then
    name=pgbackup-lab/postgres-ext
    packages=("postgresql-$major-pgvector" "postgresql-$major-postgis-3")
  fi
  local base recipe data=/var/lib/postgresql/data
  base=pgbackup-lab/base:$wanted-$(content_hash "$LAB_SOURCE/postgres/bootstrap")
  recipe=$(content_hash "$LAB_SOURCE/postgres")
  # From 18 on the official image keeps its data one level deeper, under a volume for all majors.
  ((major < 18)) || data=/var/lib/postgresql/$major/docker
  use_image "$name:$major" "$recipe" && return 0
  lock_images
  use_image "$name:$major" "$recipe" && return 0
  ensure_base "$base" "$LAB_SOURCE/postgres/bootstrap" "$major" "${packages[@]}"
  say "making $name:$major"
  build "$name:$major" "$recipe" "$LAB_SOURCE/postgres" \
    --build-arg "BASE=$base" --build-arg "MAJOR=$major" --build-arg "DATA=$data"
}

ensure_busybox() {
  local recipe context
  recipe=$(content_hash "$LAB_SOURCE/busybox")
  use_image pgbackup-lab/busybox:latest "$recipe" && return 0
  lock_images
  use_image pgbackup-lab/busybox:latest "$recipe" && return 0
  say "making pgbackup-lab/busybox"
  context=$LAB_ROOT/tmp
  rm -rf "$context" && mkdir -p "$context"
  # Unpacked, not installed: busybox-static would push the host's own busybox out.
  unpack_package busybox-static "$context/package"
  cp "$LAB_SOURCE/busybox/Dockerfile" "$(find "$context/package" -name busybox -type f -perm -u+x -print -quit)" "$context"
  rm -rf "$context/package"
  build pgbackup-lab/busybox:latest "$recipe" "$context"
  rm -rf "$context"
}

ensure_s3() {
  local base recipe
  base=pgbackup-lab/base:s3-$(content_hash "$LAB_SOURCE/s3/bootstrap")
  recipe=$(content_hash "$LAB_SOURCE/s3")
  use_image pgbackup-lab/s3:latest "$recipe" && return 0
  lock_images
  use_image pgbackup-lab/s3:latest "$recipe" && return 0
  ensure_base "$base" "$LAB_SOURCE/s3/bootstrap"
  say "making pgbackup-lab/s3"
  build pgbackup-lab/s3:latest "$recipe" "$LAB_SOURCE/s3" --build-arg "BASE=$base"
}

# usage: ensure_images <18,17ext,busybox,s3>
ensure_images() {
  local image images
  IFS=, read -ra images <<<"$1"
  for image in "${images[@]}"; do
    case "$image" in
      15 | 17 | 18 | 17ext) ensure_postgres "$image" ;;
      busybox) ensure_busybox ;;
      s3) ensure_s3 ;;
      *) fail "unknown image $image (known: 15, 17, 18, 17ext, busybox, s3)" ;;
    esac
  done
}
