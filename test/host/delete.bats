#!/usr/bin/env bats
# pgbackup:delete

load helper

setup_file() {
  begin_file
  make_service pgbt-rid
  for n in 1 2 3; do take_backup pgbt-rid >"$PGBT/id$n"; done
}

teardown_file() { end_file; }

@test "delete refuses without a confirmation where there is no terminal, or with a wrong one" {
  id=$(<"$PGBT/id1")
  run dokku pgbackup:delete pgbt-rid "$id" </dev/null
  assert_failure 5
  assert_line --partial 'Delete refused: '
  assert_line --partial -- "--confirm $id"
  run dokku pgbackup:delete pgbt-rid "$id" --confirm pgbt-rid
  assert_failure 5
  assert_line --partial "--confirm says \"pgbt-rid\", and the backup is $id"
  assert_equal "$(backups_of pgbt-rid)" 3
}

@test "delete removes the backup that is named, with all its files" {
  id=$(<"$PGBT/id1")
  folder=$(dirname "$(archive_of pgbt-rid "$id")")
  run dokku pgbackup:delete pgbt-rid "$id" --confirm "$id"
  assert_success
  assert_output "=====> Backup $id is deleted"
  assert_equal "$(backups_of pgbt-rid)" 2
  assert_equal "$(find "$folder" 2>/dev/null)" ''
}

@test "delete refuses the newest backup without --force, whatever the confirmation (pitfall 48)" {
  id=$(<"$PGBT/id3")
  run dokku pgbackup:delete pgbt-rid "$id" --confirm "$id"
  assert_failure 5
  assert_line --partial "Delete refused: $id is the newest proven backup of pgbt-rid"
  assert_line --partial 'add: --force'
  run dokku --force pgbackup:delete pgbt-rid "$id" --format json
  assert_success
  assert_equal "$(json 'd["deleted"]' <<<"$output")" "$id"
  assert_equal "$(backups_of pgbt-rid)" 1
}

@test "delete waits for nobody: while an operation runs it fails with exit 6" {
  id=$(<"$PGBT/id2")
  make_items pgbt-rid 3
  hold_lock pgbt-rid items
  dokku --quiet pgbackup:run pgbt-rid >"$PGBT/busy" 2>&1 3>&- &
  busy=$!
  wait_for sql_says pgbt-rid "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
  run dokku --force pgbackup:delete pgbt-rid "$id"
  release_lock pgbt-rid
  wait "$busy"
  assert_failure 6
  assert_line --partial 'Service pgbt-rid is busy: backup since'
  run dokku pgbackup:info pgbt-rid "$id"
  assert_success
}

@test "delete of an unknown backup fails with exit 4, of none with exit 2" {
  run dokku --force pgbackup:delete pgbt-rid pgbt-rid-20200101T000000Z-abcd
  assert_failure 4
  run dokku --force pgbackup:delete pgbt-rid
  assert_failure 2
  run dokku --force pgbackup:delete pgbt-rid ../../..
  assert_failure
  assert_equal "$(backups_of pgbt-rid)" 2
}
