#!/usr/bin/env bash
# Runs once before the host suite. Where no `dokku` is on PATH, the stand-in takes its place, with
# the plugin installed from this working tree; a real one is taken as it is, with its own plugin.

setup_suite() {
  [[ $(id -u) == 0 ]] || {
    echo 'The host suite installs and removes services: run it as root.' >&2
    return 1
  }
  local repository
  repository=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  if ! type -P dokku >/dev/null; then
    export PGBACKUP_LAB_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab-suite}
    "$repository/test/lab/up" --quiet --images 15,17,18
    export PATH=$PGBACKUP_LAB_ROOT/bin:$PATH
    export PGBACKUP_NODE=${PGBACKUP_NODE:-$PGBACKUP_LAB_ROOT/node/bin/node}
    dokku plugin:uninstall pgbackup >/dev/null 2>&1 || true
    dokku plugin:install "$repository" pgbackup >/dev/null
  fi
  dokku pgbackup:list >/dev/null || {
    echo 'dokku is here, but pgbackup is not, or not in order: dokku plugin:install <url> pgbackup' >&2
    return 1
  }
}

teardown_suite() { :; }
