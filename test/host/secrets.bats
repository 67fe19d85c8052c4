#!/usr/bin/env bats
# The password of a service is nowhere to be seen (pitfall 49).

load helper

setup_file() {
  begin_file
  export SECRET=pgbt-Str3ng-Geheim
  make_service pgbt-secret --password "$SECRET"
  make_items pgbt-secret 20
  make_app pgbt-spy pgbt-secret
}

teardown_file() { end_file lock-timeout; }

# usage: inspect_sidecars: writes what docker knows of them, without their own environment.
inspect_sidecars() {
  docker ps -q --filter name=^pgbackup-pgbt-secret-2 | xargs docker inspect >"$PGBT/inspected"
  python3 - "$PGBT/inspected" <<'PYTHON' >"$PGBT/without-env"
import json, os, sys
containers = json.load(open(sys.argv[1]))
assert containers, 'no sidecar is running'
for container in containers:
    environment = container['Config'].pop('Env')
    # It has it there and nowhere else: otherwise this test would look in the wrong place.
    assert any(os.environ['SECRET'] in line for line in environment), environment
json.dump(containers, sys.stdout)
PYTHON
}

# usage: assert_secret_in_none <file or directory>...
assert_secret_in_none() {
  run grep -rlF -e "$SECRET" "$@"
  assert_failure 1
}

# usage: finish <since>: ends the watch, and looks at all that was noted since.
finish() {
  rm "$PGBT/watch"
  docker events --since "$1" --until "$(date +%s)" >"$PGBT/events"
  # The watch saw what it was there for.
  run grep -cF 'pgbackup-pgbt-secret-2' "$PGBT/processes"
  assert_success
  run grep -cF 'pgbackup-pgbt-secret-2' "$PGBT/events"
  assert_success
  assert_secret_in_none "$PGBT/processes" "$PGBT/events" "$PGBT/without-env" "$PGBT/out"
}

@test "no password is seen in ps, docker inspect, docker events, output or trace of a backup" {
  since=$(date +%s)
  watch_processes
  hold_lock pgbt-secret items
  dokku pgbackup:run pgbt-secret --trace >"$PGBT/out" 2>&1 3>&- &
  backup=$!
  wait_for sql_says pgbt-secret "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
  inspect_sidecars
  assert_secret_in_none "$(spool_of pgbt-secret)"
  release_lock pgbt-secret
  wait "$backup"
  finish "$since"
  assert_secret_in_none "$PGBT/backups"
}

@test "no password is seen in ps, docker inspect, docker events, output or trace of a restore" {
  since=$(date +%s)
  watch_processes
  dokku pgbackup:restore pgbt-secret --latest --force --trace --check "$(slow_check 1.5)" >"$PGBT/out" 2>&1 3>&- &
  restore=$!
  wait_for at_slow_check pgbt-secret
  inspect_sidecars
  assert_secret_in_none "$(spool_of pgbt-secret)"
  wait "$restore"
  finish "$since"
}

@test "no password is seen in errors, however much they tell" {
  dokku pgbackup:set pgbt-secret lock-timeout 1s >/dev/null
  hold_lock pgbt-secret items
  run dokku pgbackup:run pgbt-secret --trace
  release_lock pgbt-secret
  assert_failure 9
  echo "$output" >"$PGBT/out1"
  run dokku --trace pgbackup:restore pgbt-secret --latest --force --check 'SELECT nope'
  assert_failure 8
  echo "$output" >"$PGBT/out2"
  dokku postgres:pause pgbt-secret >/dev/null
  run dokku pgbackup:run pgbt-secret --trace --format json
  assert_failure 5
  echo "$output" >"$PGBT/out3"
  dokku postgres:start pgbt-secret >/dev/null 2>&1
  assert_secret_in_none "$PGBT"/out?
}

@test "no password is kept in log, state, settings, report or backups" {
  for verb in log report list info; do
    dokku "pgbackup:$verb" pgbt-secret --format json
    dokku "pgbackup:$verb" pgbt-secret
  done >"$PGBT/told"
  data=$(spool_of pgbt-secret)
  assert_secret_in_none "$PGBT/told" "${data%/spool}" "${data%/data/pgbackup/spool}/config/pgbackup" "$PGBT/backups"
}
