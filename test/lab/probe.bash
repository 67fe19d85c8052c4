#!/usr/bin/env bash
# A throwaway plugin that shows what Dokku hands to a plugin. The file that sources this has set
# PGBACKUP_LAB_ROOT to a lab of its own, and DEFAULT_ROOT to the one whose images it borrows.
# shellcheck disable=SC2016,SC2154 # literal $ in scripts; the sourcing file sets DEFAULT_ROOT

# usage: start_probe_lab: a lab of this file's own, the probe plugin in it.
start_probe_lab() {
  export PATH=$PGBACKUP_LAB_ROOT/bin:$PATH
  PGBACKUP_LAB_ROOT=$DEFAULT_ROOT "$BATS_TEST_DIRNAME/up" --quiet --images 18
  export PGBACKUP_LAB_NODE=$DEFAULT_ROOT/node/bin/node
  "$BATS_TEST_DIRNAME/down"
  "$BATS_TEST_DIRNAME/up" --quiet --images 18
  make_probe
  dokku plugin:install "$PROBE" probe >"$BATS_FILE_TMPDIR/install.log"
}

stop_probe_lab() {
  "$BATS_TEST_DIRNAME/down"
  rm -rf "$PGBACKUP_LAB_ROOT"
}

load_assertions() {
  load ../../node_modules/bats-support/load
  load ../../node_modules/bats-assert/load
}

# usage: probe_file <path> < script
probe_file() {
  mkdir -p "$(dirname "$PROBE/$1")"
  cat >"$PROBE/$1"
  chmod +x "$PROBE/$1"
}

make_probe() {
  export PROBE=$BATS_FILE_TMPDIR/probe
  git init -q "$PROBE"
  echo 'ignored' >"$PROBE/.gitignore"
  echo 'no part of the plugin' >"$PROBE/ignored"
  printf '[plugin]\ndescription = "probe"\nversion = "0.0.1"\n' >"$PROBE/plugin.toml"
  probe_file install <<<$'#!/bin/sh\necho "installed by $(id -un)"'
  probe_file update <<<$'#!/bin/sh\necho updated'
  probe_file say-hello <<<$'#!/bin/sh\nfor a; do echo "hello $a"; done'
  probe_file commands <<<$'#!/bin/sh
case $1 in
  help) echo "    probe:args <app>, Prints its arguments"; echo "    probe, A probe" ;;
  probe:odd) exit 7 ;;
  *) exit "$DOKKU_NOT_IMPLEMENTED_EXIT" ;;
esac'
  probe_file subcommands/default <<<$'#!/bin/sh\nprintf "default[%s]\\n" "$@"'
  probe_file subcommands/args <<<$'#!/bin/sh\nprintf "[%s]\\n" "$@"'
  probe_file subcommands/env <<<$'#!/bin/sh\nenv'
  probe_file subcommands/where <<<$'#!/bin/sh\nid -un; id -Gn; pwd'
  probe_file subcommands/cat <<<$'#!/bin/sh\ncat'
  probe_file subcommands/fail <<<$'#!/bin/sh\necho to-out; echo to-err >&2; exit "$2"'
  probe_file subcommands/nested <<<$'#!/bin/sh\nshift; dokku "$@"'
  probe_file subcommands/killed <<<$'#!/bin/sh\nkill -TERM $$'
}

as_dokku() { sudo -u dokku -H env "$@"; }
