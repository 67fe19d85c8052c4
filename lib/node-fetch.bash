#!/usr/bin/env bash
# Fetches the private Node that node.lock pins. Each copy has a directory of its own; the link
# $data/node is renamed onto the new one once that has answered. So a kill at any moment leaves
# the old copy or the new one in use, and never half of either.

# shellcheck source-path=SCRIPTDIR source=host.bash
source "${BASH_SOURCE[0]%/*}/host.bash"
# shellcheck source-path=SCRIPTDIR source=node.bash
source "${BASH_SOURCE[0]%/*}/node.bash"

# What stop_fetching must clear away.
fresh='' fetcher=''

# Reads node.lock ($1) into version, room and, for this machine, architecture and sha256.
read_node_lock() {
  local key value machine=${PGBACKUP_NODE_ARCH:-$(uname -m)}
  version='' room='' sha256=''
  case $machine in
    x86_64) architecture=x64 ;;
    aarch64) architecture=arm64 ;;
    *) architecture=$machine ;;
  esac
  while read -r key value; do
    case $key in
      version) version=$value ;;
      room) room=$value ;;
      "$architecture") sha256=$value ;;
    esac
  done <"$1"
}

version_as_dokku() {
  as_dokku env -u NODE_OPTIONS PATH="$common_path" "$1" --version 2>/dev/null </dev/null
}

private_node_is_current() {
  private_node_version "$data/node" && [[ $REPLY == "$version" ]] &&
    [[ $(version_as_dokku "$data/node/bin/node") == "$version" ]]
}

# Removes copies that are not in use: replaced ones, and what a killed run left.
sweep_node_copies() {
  local copy current=
  [[ ! -L $data/node ]] || current=$(readlink "$data/node")
  for copy in "$data"/node-v*; do
    [[ ! -d $copy || ${copy##*/} == "$current" ]] || rm -rf -- "$copy"
  done
  rm -f -- "$data/node.new"
}

stop_fetching() {
  [[ ! $fetcher ]] || kill "$fetcher" 2>/dev/null || true
  [[ ! $fresh ]] || rm -rf -- "$fresh"
  rm -f -- "$data/node.new"
}

free_kilobytes() {
  local free
  { read -r _ && read -r free; } < <(df --output=avail -k -- "$data") || free=0
  printf '%s\n' "$free"
}

# To be asked before the half file is removed: programs word a full disk in many ways, or not at all.
told_if_disk_is_full() {
  (($(free_kilobytes) >= 1024)) || printf ' (the disk of %s is full)' "$data"
}

# Fetches $1 into file $2, or sets problem. The URL goes through stdin: it may carry a
# password, which argv would show to everybody (pitfall 49).
download() {
  local url=$1 into=$2 status=0 tool
  if command -v curl >/dev/null; then
    tool=(curl --config - --output "$into" --fail --location --silent --show-error
      --connect-timeout 20 --speed-limit 1000 --speed-time 60 --retry 2 --globoff)
    url="url = \"$url\""
  elif command -v wget >/dev/null; then
    tool=(wget --input-file=- --output-document="$into" --no-verbose --tries=3 --timeout=60)
  else
    problem='neither curl nor wget is installed'
    return 1
  fi
  # In the background, since bash hears a signal at once only while it waits itself; without the
  # lock, which an orphan would otherwise keep from the next run.
  "${tool[@]}" <<<"$url" >/dev/null 2>"$into.problem" 9<&- &
  fetcher=$!
  wait "$fetcher" || status=$?
  fetcher=
  problem=$(tail -n 1 "$into.problem")
  problem=${problem:-${tool[0]} ended with exit code $status}
  return "$status"
}

fetch_node() {
  local mirror=${PGBACKUP_NODE_MIRROR:-https://nodejs.org/dist} name shown archive got
  name=node-$version-linux-$architecture
  mirror=${mirror%/}
  if [[ $mirror != http?(s)://* || $mirror == *[[:space:]\"\\]* ]]; then
    problem='PGBACKUP_NODE_MIRROR must be an http or https address'
    return 1
  fi
  shown=$mirror/$version/$name.tar.gz
  [[ ! $shown =~ ^(https?://)[^/]*@(.*)$ ]] || shown=${BASH_REMATCH[1]}${BASH_REMATCH[2]}

  if (($(free_kilobytes) < room * 1024)); then
    problem="$data has $(($(free_kilobytes) / 1024)) MB free, and $room MB are needed"
    return 1
  fi

  inform "Fetching Node $version for pgbackup: $shown"
  fresh=$(mktemp -d -- "$data/$name.XXXXXX") || return 1
  archive=$fresh/download.tar.gz
  if ! download "$mirror/$version/$name.tar.gz" "$archive"; then
    problem="$shown did not arrive: $problem$(told_if_disk_is_full)"
    return 1
  fi
  got=$(sha256sum <"$archive") || return 1
  if [[ ${got%% *} != "$sha256" ]]; then
    problem="$shown is not what was pinned: $(stat -c %s "$archive") bytes with SHA-256 ${got%% *}, not $sha256. It was not unpacked"
    return 1
  fi
  if ! problem=$(tar -xzf "$archive" -C "$fresh" --strip-components=1 --no-same-owner "$name/bin/node" "$name/LICENSE" 2>&1); then
    problem="could not unpack it into $data: ${problem%%$'\n'*}$(told_if_disk_is_full)"
    return 1
  fi
  rm -f -- "$archive" "$archive.problem"
  adopt_node "$fresh"
}

# Puts the unpacked copy $1 to use, if it runs.
adopt_node() {
  local got
  printf '%s\n' "$version" >"$1/VERSION" &&
    chmod -R u=rwX,go=rX -- "$1" &&
    { ((EUID != 0)) || chown -R -- "$owner:$group" "$1"; } || return 1
  got=$(as_dokku env -u NODE_OPTIONS "$1/bin/node" --version 2>&1 </dev/null) || true
  if [[ $got != "$version" ]]; then
    problem="Node's official build does not run on this system (${got##*$'\n'}). It needs glibc 2.28, and a file system not mounted noexec"
    return 1
  fi
  # The launcher believes VERSION: the bytes must be on the disk before the name is.
  sync -- "$1/bin/node" "$1/VERSION"
  if [[ -e $data/node && ! -L $data/node ]]; then
    problem="$data/node was not made by this plugin: move it away"
    return 1
  fi
  ln -s -- "${1##*/}" "$data/node.new" && mv -T -- "$data/node.new" "$data/node" || return 1
  fresh=
  sweep_node_copies
  inform "Node $version is ready"
}

# Makes sure that dokku has a Node that suits. Fails, having said why and what to do, if not.
ensure_node() {
  local - found
  set +x # the mirror's address may carry a password (pitfall 49)
  local version room architecture sha256 problem=''
  # From cron and over SSH a command has no more of a PATH than this, whatever root has now.
  local common_path=${PGBACKUP_COMMON_PATH:-/usr/local/bin:/usr/bin:/bin}

  found=$(version_as_dokku "${PGBACKUP_NODE:-node}") || found=
  ! node_version_suits "$found" || return 0
  if [[ ${PGBACKUP_NODE:-} ]]; then
    warn "PGBACKUP_NODE is $PGBACKUP_NODE, ${found:-which user $owner cannot run}; it must be Node 22.15 or newer. Correct it or unset it."
    return 1
  fi
  read_node_lock "${BASH_SOURCE[0]%/*}/../node.lock"
  ! private_node_is_current || return 0

  trap stop_fetching EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [[ ! $sha256 ]]; then
    problem="Node has no official build for $architecture"
  else
    exec 9<"$data"
    if ! flock -w 900 9; then
      problem="another installation has held $data for 15 minutes"
    elif private_node_is_current; then
      return 0
    else
      sweep_node_copies
      ! fetch_node || return 0
    fi
  fi

  warn "pgbackup could not get its private Node: ${problem:-see above}."
  if private_node_version "$data/node" && node_version_suits "$REPLY"; then
    warn "Node $REPLY, fetched before, stays in use."
  else
    warn 'Until there is one, dokku pgbackup:* does not work.'
  fi
  warn "Install Node 22.15 or newer in /usr/local/bin or /usr/bin, or set PGBACKUP_NODE_MIRROR to a mirror of https://nodejs.org/dist; then, as root: dokku plugin:install"
  return 1
}
