#!/usr/bin/env bats
# Pins the stand-in to the recording of a real host: same text, same stream, same exit code, one
# test a recorded command, in the recording's order, since each answers the state left by those
# before. Uses a lab of its own and names of its own.

bats_require_minimum_version 1.13.0
source "$BATS_TEST_DIRNAME/recording.bash"
# bats reads this file anew for every test, and the variable is in its environment by then.
DEFAULT_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab}
DEFAULT_ROOT=${DEFAULT_ROOT%-conformance}
export PGBACKUP_LAB_ROOT=$DEFAULT_ROOT-conformance

# Recorded commands that the stand-in does not answer, and why. Everything else must be.
NOT_COVERED=(
  'dokku trace:on|sets the whole host to tracing; --trace, its one-command form, is in dispatch.bats'
  'dokku builds:list web|no builds in the lab: apps start from images'
)

not_covered() {
  local entry
  for entry in "${NOT_COVERED[@]}"; do
    [[ ${entry%%|*} != "$1" ]] || return 0
  done
  return 1
}

setup_file() {
  export PATH=$PGBACKUP_LAB_ROOT/bin:$PATH
  # The engine and the images belong to the default lab; this one only borrows them.
  PGBACKUP_LAB_ROOT=$DEFAULT_ROOT "$BATS_TEST_DIRNAME/up" --quiet --images 17,18,busybox
  export PGBACKUP_LAB_NODE=$DEFAULT_ROOT/node/bin/node
  "$BATS_TEST_DIRNAME/down"
  "$BATS_TEST_DIRNAME/up" --quiet --images 18
  make_world >/dev/null 2>&1
}

teardown_file() {
  "$BATS_TEST_DIRNAME/down"
  rm -rf "$PGBACKUP_LAB_ROOT"
}

setup() {
  load ../../node_modules/bats-support/load
  load ../../node_modules/bats-assert/load
  cd "$BATS_FILE_TMPDIR" || return
}

# What the recording's host held when it began: an app deployed from `main` and linked, an app
# never deployed, a service nobody is linked to.
make_world() {
  dokku apps:create wez
  dokku apps:create blanq
  dokku postgres:create shoq
  dokku postgres:create lonelz
  dokku postgres:link shoq wez
  dokku postgres:connect shoq <<<"CREATE TABLE ticks AS SELECT n, md5(n::text) AS mark FROM generate_series(1, 598) n"
  "$BATS_TEST_DIRNAME/deploy-app" --sha 273c289c47047bea84ff9cd1ab2d4334ea74b838 wez pgbackup-lab/busybox
  echo 1795187121 >"$PGBACKUP_LAB_ROOT/lib/config/git/wez/last-updated-at"
  echo 1795187078 >"$PGBACKUP_LAB_ROOT/lib/config/apps/wez/created-at"
  make_probe
  dokku plugin:install "$BATS_FILE_TMPDIR/probe" probe
  dokku plugin:disable probe
  dokku postgres:export shoq >"$BATS_FILE_TMPDIR/shoq.dump"
}

# A plugin with one scheduled task, as the recording's host had when it destroyed an app.
make_probe() {
  git init -q "$BATS_FILE_TMPDIR/probe"
  printf '[plugin]\ndescription = "probe"\nversion = "0.0.1"\n' >"$BATS_FILE_TMPDIR/probe/plugin.toml"
  printf '#!/bin/sh\necho "@daily;dokku probe:run"\n' >"$BATS_FILE_TMPDIR/probe/cron-entries"
  chmod +x "$BATS_FILE_TMPDIR/probe/cron-entries"
}

# What happened on the recording's host between two recorded commands.
before() {
  case "$1" in
    'dokku postgres:info lonely --status') dokku postgres:pause lonelz ;;
    'dokku maintenance:report')
      dokku apps:create blanq2
      dokku apps:create legacz
      ;;
    'dokku apps:create rec-app')
      dokku plugin:enable probe
      # Their names are all that is asked of them.
      local service
      for service in biq biq2 regresz; do
        install -d -o dokku -g dokku "$PGBACKUP_LAB_ROOT/lib/services/postgres/$service"
        install -o dokku -g dokku /dev/null "$PGBACKUP_LAB_ROOT/lib/services/postgres/$service/LINKS"
      done
      ;;
  esac >/dev/null 2>&1
}

# usage: replay <command>: writes stdout and stderr beside each other, returns its exit code.
replay() {
  local ours words
  ours=$(to_ours <<<"$1")
  case "$ours" in
    'bash -c '*) bash -c "${ours#bash -c }" ;;
    *'bad name!') dokku postgres:create 'bad name!' ;;
    *)
      read -ra words <<<"$ours"
      "${words[@]}" </dev/null
      ;;
  esac >stdout 2>stderr
}

# usage: compare <command> <out|err> <file>
compare() {
  local expected actual
  expected=$(recorded "$NUMBER" "$2" | normalise && echo .)
  actual=$(to_theirs <"$3" | normalise && echo .)
  case "$1" in
    *'postgres:export shop | wc -c')
      # Its size depends on the data: here, only that it is some.
      [[ $2 == err ]] || assert [ "$(<"$3")" -gt 3000 ]
      return 0
      ;;
    'dokku plugin:list')
      # The host had more plugins than the lab; of those in the lab, every line.
      expected=$(printf '%s\n' "$expected" | grep -xF -- "$actual")
      ;;
    'dokku ps:start web')
      # The deploy's log is the scheduler's: what we print of it must be lines of it, in order.
      expected=$(printf '%s\n' "$expected" | grep -xF -- "$actual")
      [[ $2 == err ]] || assert [ "$(grep -c . "$3")" -ge 3 ]
      ;;
  esac
  assert_equal "$actual" "$expected"
}

answers_as_recorded() {
  local command=$2 status=0
  NUMBER=$1
  before "$command"
  replay "$command" || status=$?
  compare "$command" out stdout
  compare "$command" err stderr
  assert_equal "$status" "$(recorded "$NUMBER" exit)"
}

listed_commands_exist() {
  local entry
  assert [ "$(recorded_commands | wc -l)" -gt 100 ]
  for entry in "${NOT_COVERED[@]}"; do
    run -0 grep -cxF -- "${entry%%|*}" <(recorded_commands)
  done
}

bats_test_function --description 'every command listed as not covered is in the recording' -- listed_commands_exist
number=0
while IFS= read -r recorded_command; do
  number=$((number + 1))
  not_covered "$recorded_command" ||
    bats_test_function --description "$recorded_command answers as recorded" -- \
      answers_as_recorded "$number" "$recorded_command"
done < <(recorded_commands)
