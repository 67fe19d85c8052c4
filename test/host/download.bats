#!/usr/bin/env bats
# pgbackup:download

load helper

setup_file() {
  begin_file
  make_service pgbt-load
  make_items pgbt-load 500
  FIRST=$(take_backup pgbt-load)
  make_items pgbt-load 5
  SECOND=$(take_backup pgbt-load)
  export FIRST SECOND
}

teardown_file() { end_file; }

@test "download writes the archive, byte for byte and nothing else" {
  run_apart bash -c "dokku pgbackup:download pgbt-load $FIRST >'$PGBT/out'"
  assert_success
  assert_equal "$errors" ''
  run cmp "$PGBT/out" "$(archive_of pgbt-load "$FIRST")"
  assert_success
}

@test "download without an id writes the newest one" {
  dokku pgbackup:download pgbt-load >"$PGBT/out"
  run cmp "$PGBT/out" "$(archive_of pgbt-load "$SECOND")"
  assert_success
}

@test "what download writes is restored by pg_restore alone, without this plugin" {
  dokku pgbackup:download pgbt-load "$FIRST" | docker exec -i dokku.postgres.pgbt-load sh -c 'createdb -U postgres pgbt_plain && pg_restore -U postgres -d pgbt_plain'
  assert_equal "$(psql_in pgbt-load pgbt_plain -c 'SELECT count(*) FROM items')" 500
  psql_in pgbt-load postgres -c 'DROP DATABASE pgbt_plain'
}

@test "download goes straight into a restore" {
  dokku pgbackup:download pgbt-load "$FIRST" | dokku pgbackup:restore pgbt-load - --force >"$PGBT/log"
  assert_equal "$(sql pgbt-load 'SELECT count(*) FROM items')" 500
}

@test "download refuses a terminal, which would mangle the bytes (pitfall 51)" {
  run script -qec 'dokku pgbackup:download pgbt-load' /dev/null
  assert_failure 2
  assert_output --partial 'The archive is not for a terminal'
  assert_output --partial 'dokku pgbackup:download pgbt-load >'
  refute_output --partial PGDMP
}

@test "download fails with exit 8 after the last byte when the archive is damaged" {
  archive=$(archive_of pgbt-load "$SECOND")
  printf x >>"$archive"
  run bash -c "dokku pgbackup:download pgbt-load $SECOND 2>&1 >/dev/null"
  assert_failure 8
  assert_output --partial "Backup $SECOND is damaged"
  truncate -s -1 "$archive"
}

@test "download that nobody reads to its end fails, and does not hang" {
  run timeout 20 bash -c "set -o pipefail; dokku pgbackup:download pgbt-load $FIRST | head -c 1 >/dev/null"
  [[ $status != 124 ]] || fail 'it hangs'
}

@test "download of an unknown backup writes nothing to stdout" {
  run_apart dokku pgbackup:download pgbt-load pgbt-load-20200101T000000Z-abcd
  assert_failure 4
  assert_output ''
}
