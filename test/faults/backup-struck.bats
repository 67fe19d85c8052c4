#!/usr/bin/env bats
# A backup struck from outside: by signals, by Docker, by the server. It fails with its reason, lists
# nothing and leaves nothing (pitfalls 1, 2, 3, 5, 6, 9, 20).

load helper

setup_file() { begin_file flt-bs; }
teardown_file() { end_file; }
setup() { BEFORE=$(backups); }
teardown() {
  release_lock
  rm -f "$PGBACKUP_LAB_ROOT/bin/docker"
}

start_waiting_backup() {
  hold_lock
  start pgbackup:run "$SERVICE"
  wait_for dump_waits
}

# usage: assert_failed <exit code>: what `finish` or `run` saw.
assert_failed() {
  assert_equal "$status" "$1"
  release_lock
  assert_clean
  assert_equal "$(backups)" "$BEFORE"
  assert_equal "$(live_hash)" "$NEWER"
}

for signal in INT:130 TERM:143 HUP:129; do
  bats_test_function --description "a backup that waits for a lock ends with ${signal#*:} on SIG${signal%:*}, and leaves nothing" -- interrupted "${signal%:*}" "${signal#*:}"
done

interrupted() {
  start_waiting_backup
  local since=$SECONDS
  kill "-$1" "$(plugin_pid)"
  finish
  assert [ $((SECONDS - since)) -le 4 ]
  assert_output --partial 'was stopped, and taken back'
  assert_failed "$2"
}

@test "a backup whose sidecar is killed midway is not listed" {
  start_waiting_backup
  docker kill "$(sidecars)" >/dev/null
  finish
  assert_failed 9
}

@test "a backup whose pg_dump is cut off by the server is not listed (pitfall 1)" {
  start_waiting_backup
  sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LOCK TABLE%' AND application_name LIKE 'pgbackup%'" >/dev/null
  finish
  assert_output --partial 'pg_dump failed'
  assert_failed 9
}

@test "a backup during which the service is stopped is not listed, and one after its start is (pitfall 9)" {
  start_waiting_backup
  docker stop --time 5 "dokku.postgres.$SERVICE" >/dev/null
  finish
  assert_equal "$status" 9
  assert_equal "$(backups)" "$BEFORE"
  dokku postgres:start "$SERVICE" >/dev/null
  wait_for live_hash
  assert_clean
  run dokku pgbackup:run "$SERVICE"
  assert_success
}

@test "a backup that meets a table locked for longer than lock-timeout fails and says so (pitfall 6)" {
  dokku pgbackup:set "$SERVICE" lock-timeout 1s >/dev/null
  hold_lock
  run dokku pgbackup:run "$SERVICE"
  dokku pgbackup:set "$SERVICE" lock-timeout >/dev/null
  assert_output --regexp 'lock timeout|canceling statement due to lock'
  assert_failed 9
}

# --- Docker answers with an error -----------------------------------------------------------------

# usage: instead_of_docker <pattern of an argument list> <commands>: the plugin finds this docker first.
instead_of_docker() {
  local docker
  docker=$(type -aP docker | grep -v "$PGBACKUP_LAB_ROOT" | head -n 1)
  printf '#!/usr/bin/env bash\ndocker=%s\ncase " $* " in\n  %s)\n    %s\n    ;;\nesac\nexec "$docker" "$@"\n' \
    "$docker" "$1" "$2" >"$PGBACKUP_LAB_ROOT/bin/docker"
  chmod 755 "$PGBACKUP_LAB_ROOT/bin/docker"
}

docker_refuses() { instead_of_docker "$1" 'echo "Error response from daemon: no room left in the harbour" >&2 && exit 125'; }

@test "a pg_dump that fails after its last byte is not listed (pitfalls 1, 20)" {
  # shellcheck disable=SC2016 # expanded by what is written
  instead_of_docker '*" exec "*pg_dump*' '"$docker" "$@"; exit 1'
  run dokku pgbackup:run "$SERVICE"
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_output --partial 'pg_dump failed'
  assert_failed 9
}

@test "a pg_dump that says nothing and exits 0 is not listed (pitfall 3)" {
  instead_of_docker '*" exec "*pg_dump*' 'exit 0'
  start pgbackup:run "$SERVICE"
  finish
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_failed 8
}

@test "an archive that cannot be decoded is not listed, though pg_dump exits 0 (pitfall 2)" {
  # shellcheck disable=SC2016
  instead_of_docker '*" exec "*pg_dump*' 'exec "$docker" "${@/exec pg_dump \"\$@\"/pg_dump \"\$@\" | head -c 1000}"'
  run dokku pgbackup:run "$SERVICE"
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_output --partial 'cannot be decoded'
  assert_failed 8
}

@test "a backup for which Docker starts no sidecar fails with what Docker says" {
  docker_refuses '*" run "*pgbackup-*'
  run dokku pgbackup:run "$SERVICE"
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_output --partial 'no room left in the harbour'
  assert_failed 9
}

@test "a backup for which Docker does not start pg_dump fails with what Docker says" {
  docker_refuses '*" exec "*pg_dump*'
  run dokku pgbackup:run "$SERVICE"
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_output --partial 'no room left in the harbour'
  assert_failed 9
}

@test "a backup whose decoder Docker does not start is not listed" {
  docker_refuses '*" exec "*pg_restore*'
  run dokku pgbackup:run "$SERVICE"
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_output --partial 'no room left in the harbour'
  assert_failed 8
}

@test "a restore for which Docker does not start pg_restore is taken back" {
  docker_refuses '*" exec "*pg_restore*--exit-on-error*'
  run restore
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_output --partial 'no room left in the harbour'
  assert_failed 9
}

@test "a sidecar that Docker does not kill when asked ends all the same" {
  docker_refuses '*" kill "*'
  run dokku pgbackup:run "$SERVICE"
  assert_success
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_clean
}

@test "a recovery that Docker refuses leaves the journal for the next command" {
  killed_at rename 3 - pgbackup:restore "$SERVICE" "$BACKUP" --force
  docker_refuses '*" run "*pgbackup-*'
  run dokku pgbackup:doctor "$SERVICE"
  rm "$PGBACKUP_LAB_ROOT/bin/docker"
  assert_failure 9
  assert [ -e "$STATE/journal.json" ]
  assert_recovers "$NEWER"
}
