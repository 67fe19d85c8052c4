#!/usr/bin/env bats
# What is refused before the service is touched: damaged backups, a second command, a journal that cannot be
# read (pitfalls 2, 3, 8, 31).

load helper

setup_file() {
  export ROWS=20000
  begin_file flt-rf
  ARCHIVE=$(find "$DATA/backups" -path "*/$BACKUP/archive.dump")
  export ARCHIVE
  cp -a "$ARCHIVE" "$FILES/whole"
}
teardown_file() { end_file; }
setup() { make_newer; }

oids() { sql postgres 'SELECT string_agg(oid::text, $$ $$ ORDER BY oid) FROM pg_database'; }

# usage: assert_refused: the archive as it lies now. Nothing of the server or the app may have been asked to change.
assert_refused() {
  local before
  before=$(oids)
  run restore
  assert_failure 5
  assert_output --partial "The archive of backup $BACKUP is damaged"
  refute_output --partial 'Maintenance'
  assert_equal "$(oids)" "$before"
  run dokku pgbackup:verify "$SERVICE" "$BACKUP"
  assert_failure 8
  cp -a "$FILES/whole" "$ARCHIVE"
}

@test "a backup with one byte cut off is refused before the service is touched (pitfall 2)" {
  truncate --size=-1 "$ARCHIVE"
  assert_refused
}

@test "a backup with one byte cut out of its middle is refused" {
  local half=$(($(stat -c %s "$FILES/whole") / 2))
  { head -c $half "$FILES/whole" && tail -c +$((half + 2)) "$FILES/whole"; } >"$ARCHIVE"
  assert_refused
}

@test "an empty backup is refused (pitfall 3)" {
  : >"$ARCHIVE"
  assert_refused
}

@test "a backup with any one bit flipped is refused (pitfall 2)" {
  local size offset bit byte
  size=$(stat -c %s "$FILES/whole")
  for offset in 0 $((SRANDOM % size)) $((SRANDOM % size)) $((size - 1)); do
    bit=$((SRANDOM % 8))
    echo "bit $bit of byte $offset of $size" >&2
    byte=$(od -An -tu1 -j "$offset" -N 1 "$FILES/whole")
    # shellcheck disable=SC2059 # an escape made here
    printf "\\x$(printf %x $((byte ^ (1 << bit))))" | dd of="$ARCHIVE" bs=1 seek="$offset" conv=notrunc status=none
    assert_refused
  done
}

@test "a backup whose archive is gone is refused" {
  rm "$ARCHIVE"
  run restore
  cp -a "$FILES/whole" "$ARCHIVE"
  assert_failure
  refute_output --partial 'Maintenance'
  assert_clean
}

@test "after all this the whole archive restores" {
  run restore
  assert_success
  assert_equal "$(live_hash)" "$SAVED"
  assert_clean
}

# --- locks ------------------------------------------------------------------------------------

@test "a second command on the service is told who is at it, and since when, and exits 6 (pitfall 8)" {
  hold_lock
  start pgbackup:run "$SERVICE"
  wait_for dump_waits
  local command
  for command in run 'restore --latest' undo doctor; do
    # shellcheck disable=SC2086 # a verb and its option
    run dokku pgbackup:$command "$SERVICE"
    assert_failure 6
    assert_output --partial "Service $SERVICE is busy: backup since 20"
    assert_output --partial "(process $(plugin_pid))"
  done
  release_lock
  finish
  assert_equal "$status" 0
}

@test "a lock whose holder was killed is free at once" {
  hold_lock
  start pgbackup:run "$SERVICE"
  wait_for dump_waits
  kill_plugin node
  release_lock
  run dokku pgbackup:run "$SERVICE"
  assert_success
  assert_clean
}

@test "a lock that names a process which is somebody else by now is free" {
  printf '{"pid":1,"purpose":"backup","since":"2026-11-20T00:00:00.000Z"}' >"$STATE/lock"
  run dokku pgbackup:doctor "$SERVICE"
  assert_success
}

# --- journals ---------------------------------------------------------------------------------

@test "a journal that is cut off or no journal stops every command with what to look at, and is not removed" {
  killed_at rename 3 - pgbackup:restore "$SERVICE" "$BACKUP" --force
  cp -a "$STATE/journal.json" "$FILES/journal.json"
  local text
  for text in "$(head -c 60 "$FILES/journal.json")" '' 'no json' '{"kind":"other"}' \
    "$(sed 's/"scratch":"pgbackup_[^"]*"/"scratch":"postgres"/' "$FILES/journal.json")"; do
    printf %s "$text" >"$STATE/journal.json"
    run dokku pgbackup:run "$SERVICE"
    assert_failure 5
    assert_output --partial "its journal cannot be read: $STATE/journal.json"
    assert_output --partial 'dokku maintenance:report'
    assert_equal "$(<"$STATE/journal.json")" "$text"
  done
  cp -a "$FILES/journal.json" "$STATE/journal.json"
  assert_recovers "$NEWER"
}

@test "a record of the previous database that cannot be read is not guessed at" {
  restore >/dev/null
  cp -a "$STATE/previous.json" "$FILES/previous.json"
  sed -i 's/"database":"pgbackup_[^"]*"/"database":"postgres"/' "$STATE/previous.json"
  run dokku pgbackup:undo "$SERVICE" --force
  assert_failure 5
  assert_output --partial 'The record of the previous database cannot be read'
  cp -a "$FILES/previous.json" "$STATE/previous.json"
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
}
