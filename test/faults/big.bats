#!/usr/bin/env bats
# Strikes in the middle of a database of some 150 MB, where the bytes flow, and at moments left to chance.

load helper

setup_file() {
  export ROWS=1000000
  begin_file flt-big
}
teardown_file() { end_file; }
setup() {
  BEFORE=$(backups)
  make_newer
}

dump_flows() {
  local partial
  partial=$(find "$DATA/backups" -path "*/$SERVICE/*" -name archive.dump.partial -size +4M)
  [[ -n $partial ]]
}
copying() { server_says "SELECT count(*) > 0 FROM pg_stat_progress_copy WHERE command = 'COPY FROM' AND tuples_processed > 100000"; }

assert_none_taken() {
  assert_clean
  assert_equal "$(backups)" "$BEFORE"
  assert_equal "$(live_hash)" "$NEWER"
}

@test "a backup killed in the middle of its dump leaves nothing to be listed" {
  start pgbackup:run "$SERVICE"
  wait_for dump_flows
  kill_plugin node
  assert_equal "$(backups)" "$BEFORE"
  assert_recovers "$NEWER"
  assert_none_taken
}

@test "a backup whose pg_dump is cut off in the middle of its dump is not listed (pitfalls 1, 20)" {
  start pgbackup:run "$SERVICE"
  wait_for dump_flows
  sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY public.items%'" >/dev/null
  finish
  assert_equal "$status" 9
  assert_output --partial 'pg_dump failed'
  assert_none_taken
}

@test "a backup interrupted in the middle of its dump leaves nothing" {
  start pgbackup:run "$SERVICE"
  wait_for dump_flows
  kill -INT "$(plugin_pid)"
  finish
  assert_equal "$status" 130
  assert_none_taken
}

@test "a restore killed in the middle of its rows leaves the old data" {
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for copying
  kill_plugin clients
  assert_recovers "$NEWER"
}

@test "a restore killed at any moment leaves the old data or the new, whole" {
  local delay hash
  for _ in 1 2 3 4; do
    make_newer
    printf -v delay "%d.%03d" $((SRANDOM % 4)) $((SRANDOM % 1000))
    echo "killed after $delay s" >&2
    start pgbackup:restore "$SERVICE" "$BACKUP" --force
    sleep "$delay"
    kill_plugin clients
    # The server ends by itself what it is at: the exchange, or an import for which nobody waits.
    wait_for live_hash
    hash=$(live_hash)
    [[ $hash == "$SAVED" ]] || assert_equal "$hash" "$NEWER"
    assert_recovers "$hash"
  done
}

@test "a restore interrupted in the middle of its rows is taken back at once" {
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for copying
  kill -TERM "$(plugin_pid)"
  finish
  assert_equal "$status" 143
  assert_none_taken
}
