#!/usr/bin/env bash
# Runs once before the suite: a lab of its own, with the plugin of this working tree, and strace,
# which ends a process at a chosen system call. No fault is built into the program itself.

setup_suite() {
  [[ $(id -u) == 0 ]] || {
    echo 'The fault suite starts and kills other users'\'' processes: run it as root.' >&2
    return 1
  }
  local repository
  repository=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  export PGBACKUP_LAB_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab}-faults
  # Without the descriptors of bats: with them, the numbers that mmdebstrap gets are too high for its shell.
  "$repository/test/lab/up" --quiet --images 15,18,busybox 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
  # shellcheck source=/dev/null
  (source "$repository/test/lab/lib/common.sh" && source "$repository/test/lab/lib/packages.sh" && need_package strace strace)
  export PATH=$PGBACKUP_LAB_ROOT/bin:$PATH
  export REAL_NODE=$PGBACKUP_LAB_ROOT/node/bin/node
  install -m 755 "$BATS_TEST_DIRNAME/node-under-strace" "$PGBACKUP_LAB_ROOT/node/bin/node-under-strace"
  export PGBACKUP_NODE=$REAL_NODE
  dokku plugin:uninstall pgbackup >/dev/null 2>&1 || true
  dokku plugin:install "$repository" pgbackup >/dev/null
}

teardown_suite() {
  "$BATS_TEST_DIRNAME/../lab/down"
}
