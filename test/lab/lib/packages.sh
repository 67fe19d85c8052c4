#!/usr/bin/env bash
# Debian packages, installed when a command is missing and never otherwise.

# usage: need_package <command or absolute path> <package>...
need_package() {
  local wanted=$1
  shift
  [[ -e $wanted ]] || type -P "$wanted" >/dev/null && return 0
  say "installing $* (for $wanted)"
  with_fresh_lists apt-get install -y --no-install-recommends "$@"
}

# usage: unpack_package <package> <directory>: its files, without installing it.
unpack_package() {
  mkdir -p "$2"
  (cd "$2" && with_fresh_lists apt-get download "$1")
  dpkg-deb --extract "$2/$1"_*.deb "$2"
}

# usage: with_fresh_lists <apt-get command>...
# Lists may be missing (fresh image) or stale (404 on a superseded version): refreshed once.
with_fresh_lists() {
  local log=$LAB_ROOT/log/apt.log
  export DEBIAN_FRONTEND=noninteractive
  "$@" >>"$log" 2>&1 ||
    { apt-get update >>"$log" 2>&1 && "$@" >>"$log" 2>&1; } ||
    { tail -n 5 "$log" >&2 && fail "failed: $*; see $log"; }
}
