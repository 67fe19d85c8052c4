#!/usr/bin/env bats
# A restore struck while pg_restore works, while a statement of its own runs on the server, and in the
# middle of the swap (pitfalls 5, 28, 29, 31).

load helper

setup_file() {
  export SLOW_ROWS=3000
  begin_file flt-mid
  # One that is restored fast, of the data `newer`.
  sql "$DATABASE" 'TRUNCATE slow'
  QUICK=$(dokku --quiet pgbackup:run "$SERVICE")
  export QUICK
}
teardown_file() { end_file; }
setup() {
  make_newer
  OLD=$(live_hash)
}
teardown() {
  pkill -CONT -f "^postgres: .*$DATABASE .*SELECT" || true
  sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('client', 'holder')" >/dev/null
}

# The restore is at work when this returns.
start_restore() {
  start pgbackup:restore "$SERVICE" "$BACKUP" --force "$@"
  wait_for restoring_slowly
}

# A client whose server process does not end when told to, so that the swap waits with the live database closed.
# (While it is stopped DROP DATABASE waits for it too: it is let go before a test looks at the rest.)
stubborn_client() {
  docker exec -d "dokku.postgres.$SERVICE" psql -X -q -U postgres -d "$DATABASE" -c "SET application_name = 'client'; SELECT pg_sleep(600)"
  wait_for server_says "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'client' AND query LIKE '%pg_sleep(600)%'"
  STUBBORN=$(pgrep -f "^postgres: .* $DATABASE .* SELECT")
  kill -STOP "$STUBBORN"
}

live_is_open() { server_says "SELECT datallowconn FROM pg_database WHERE datname = '$DATABASE'"; }
swap_waits() { ! live_is_open && server_says "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'DO %ALLOW_CONNECTIONS false%' AND state = 'active'"; }

start_restore_until_swap() {
  sql "$DATABASE" 'DELETE FROM items WHERE id = (SELECT min(id) FROM items)'
  OLD=$(live_hash)
  stubborn_client
  start pgbackup:restore "$SERVICE" "$QUICK" --force
  wait_for swap_waits
}

for mode in node group clients; do
  bats_test_function --description "a restore killed while pg_restore works leaves the old data ($mode)" -- killed_restoring "$mode"
done

killed_restoring() {
  start_restore
  kill_plugin "$1"
  assert_recovers "$OLD"
}

@test "a CREATE DATABASE that the server ends after the plugin was killed leaves no scratch database" {
  docker exec -d "dokku.postgres.$SERVICE" psql -X -q -U postgres -d postgres -c \
    "SET application_name = 'holder'; BEGIN; ALTER DATABASE template0 RENAME TO template0_held; SELECT pg_sleep(60)"
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for server_says "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'"
  kill_plugin clients
  wait_for no_sidecars
  release_lock
  wait_for server_says "SELECT count(*) > 0 FROM pg_database WHERE datname LIKE 'pgbackup_scratch%'"
  assert_recovers "$OLD"
}

@test "a CREATE DATABASE that still waits when the next command comes is ended by it" {
  docker exec -d "dokku.postgres.$SERVICE" psql -X -q -U postgres -d postgres -c \
    "SET application_name = 'holder'; BEGIN; ALTER DATABASE template0 RENAME TO template0_held; SELECT pg_sleep(60)"
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for server_says "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'"
  kill_plugin node
  assert_recovers "$OLD"
  release_lock
  assert_clean
}

@test "a swap that the server is at when the plugin is killed is ended by the server alone" {
  start_restore_until_swap
  kill_plugin clients
  wait_for no_sidecars
  assert swap_waits
  kill -CONT "$STUBBORN"
  wait_for live_hash
  assert_recovers "$NEWER"
}

@test "a swap that still waits when the next command comes is taken back by it" {
  start_restore_until_swap
  kill_plugin node
  start pgbackup:doctor "$SERVICE"
  wait_for live_is_open
  kill -CONT "$STUBBORN"
  finish
  assert_equal "$status" 0
  assert_equal "$(live_hash)" "$OLD"
  assert_clean
}

@test "a swap whose session is ended by somebody opens the live database again at once" {
  start_restore_until_swap
  sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'" >/dev/null
  wait_for live_is_open
  kill -CONT "$STUBBORN"
  finish
  assert_equal "$status" 9
  assert_equal "$(live_hash)" "$OLD"
  assert_clean
}

@test "a swap whose sidecar is killed opens the live database again at once" {
  start_restore_until_swap
  docker kill "$(sidecars)" >/dev/null
  wait_for live_is_open
  kill -CONT "$STUBBORN"
  finish
  assert_equal "$status" 9
  assert_equal "$(live_hash)" "$OLD"
  assert_clean
}

@test "a restore whose sidecar is killed midway fails, and has taken itself back" {
  start_restore
  docker kill "$(sidecars)" >/dev/null
  finish
  assert_equal "$status" 9
  assert_output --partial 'pg_restore failed'
  assert_clean
  assert_equal "$(live_hash)" "$OLD"
}

@test "a restore whose pg_restore is cut off by the server fails, and has taken itself back" {
  start_restore
  sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY public.slow%'" >/dev/null
  finish
  assert_equal "$status" 9
  assert_output --partial 'pg_restore failed'
  assert_clean
  assert_equal "$(live_hash)" "$OLD"
}

@test "a restore during which the service is stopped fails, and the next command after its start cleans up" {
  start_restore
  docker stop --time 5 "dokku.postgres.$SERVICE" >/dev/null
  finish
  assert_equal "$status" 9
  assert_output --partial "the next command on $SERVICE will do it"
  assert_equal "$(maintenance)" false
  dokku postgres:start "$SERVICE" >/dev/null
  wait_for live_hash
  assert_recovers "$OLD"
}

for signal in INT:130 TERM:143 HUP:129; do
  bats_test_function --description "a restore ends with ${signal#*:} on SIG${signal%:*}, all of it taken back at once" -- interrupted "${signal%:*}" "${signal#*:}"
done

interrupted() {
  start_restore
  local since=$SECONDS
  kill "-$1" "$(plugin_pid)"
  finish
  assert_equal "$status" "$2"
  assert_output --partial 'was stopped, and taken back'
  assert [ $((SECONDS - since)) -le 5 ]
  assert_clean
  assert_equal "$(live_hash)" "$OLD"
}

@test "Ctrl-C again and again, to everything on the terminal, changes nothing: it is taken back" {
  start_restore
  local group
  group=$(ps -o pgid= "$(plugin_pid)" | tr -d ' ')
  while kill -INT -- "-$group" 2>/dev/null; do sleep 0.1; done
  finish
  assert_equal "$status" 130
  assert_clean
  assert_equal "$(live_hash)" "$OLD"
}
