#!/usr/bin/env bash
# Daemons in the foreground of a container: it lives as long as all of them do.

daemons=()
# The same everywhere: an engine may allow a billion open files, and some daemons walk through all.
ulimit -S -n 4096 2>/dev/null || true

# usage: start <command>...
start() {
  "$@" &
  daemons+=($!)
}

# usage: wait_for <command>...: until it succeeds; the container ends after two minutes, or with any daemon.
# It takes a second or two, unless others have all of the machine.
wait_for() {
  local deadline=$((SECONDS + 120)) pid
  until "$@" >/dev/null 2>&1; do
    for pid in "${daemons[@]}"; do
      kill -0 "$pid" 2>/dev/null || give_up "a daemon ended while waiting for: $*"
    done
    ((SECONDS < deadline)) || give_up "waited 120 s in vain for: $*"
    sleep 0.1
  done
}

give_up() {
  echo "s3: $*" >&2
  exit 1
}

# Until the first of them ends, or docker stops the container.
stay() {
  trap 'kill "${daemons[@]}" 2>/dev/null; wait; exit 0' TERM INT
  local status=0
  wait -n || status=$?
  give_up "a daemon ended (exit $status)"
}

# usage: listens <port>
listens() { (: <>"/dev/tcp/127.0.0.1/$1"); }
