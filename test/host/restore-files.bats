#!/usr/bin/env bats
# pgbackup:restore of dumps that this program did not take: every kind, every name, by every way in.

load helper

setup_file() {
  begin_file
  make_service pgbt-files
  make_items pgbt-files 300
  sql pgbt-files 'CREATE SCHEMA "Ä b"; CREATE TABLE "Ä b"."ta ble" (t text); INSERT INTO "Ä b"."ta ble" VALUES ($$back\slash, tab	, \.$$), (NULL)' >/dev/null
  local dump=(docker exec dokku.postgres.pgbt-files pg_dump -U postgres)
  "${dump[@]}" -Fc pgbt_files >"$PGBT/custom"
  "${dump[@]}" -Ft pgbt_files >"$PGBT/tar"
  "${dump[@]}" pgbt_files >"$PGBT/plain.sql"
  "${dump[@]}" -c pgbt_files >"$PGBT/clean.sql"
  "${dump[@]}" -c --if-exists -C pgbt_files >"$PGBT/create.sql"
  "${dump[@]}" --inserts -C pgbt_files >"$PGBT/inserts.sql"
  gzip -k "$PGBT/plain.sql" "$PGBT/clean.sql"
  docker exec -i dokku.postgres.pgbt-files zstd -q -c <"$PGBT/plain.sql" >"$PGBT/plain.sql.zst"
  chmod 644 "$PGBT"/*
  export FIXTURE=$BATS_TEST_DIRNAME/fixtures/dokku-postgres-1.48.0-postgres-18.tgz
}

teardown_file() { end_file; }

setup() { sql pgbt-files 'DROP TABLE IF EXISTS "Ä b"."ta ble"; DROP TABLE IF EXISTS items, public.ticks; CREATE TABLE items (id int); INSERT INTO items VALUES (1)' 2>/dev/null; }

teardown() { assert_nothing_left pgbt-files; }

# The whole of what was dumped is there, and nothing else.
assert_restored() {
  assert_equal "$(sql pgbt-files 'SELECT count(*), min(id), max(name) FROM items')" '300|1|item 99'
  assert_equal "$(sql pgbt-files 'SELECT count(*), max(t) FROM "Ä b"."ta ble"')" '2|back\slash, tab	, \.'
  assert_equal "$(sql pgbt-files "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'Ä b')")" 2
}

@test "restore takes pg_dump's custom and tar archives" {
  for kind in custom tar; do
    setup
    run dokku pgbackup:restore pgbt-files "$PGBT/$kind" --force
    assert_success
    assert_line --partial "$kind dump"
    assert_line --partial 'This file carries no checksum'
    assert_line --partial '(no manifest to compare with)'
    assert_restored
  done
}

@test "restore takes plain SQL, also in gzip and zstd" {
  for name in plain.sql plain.sql.gz plain.sql.zst; do
    setup
    run dokku pgbackup:restore pgbt-files "$PGBT/$name" --force
    assert_success
    assert_line --partial 'sql dump'
    assert_restored
  done
}

@test "restore takes plain SQL that begins by dropping everything (-c), over a database that has it" {
  for name in clean.sql clean.sql.gz; do
    setup
    run dokku pgbackup:restore pgbt-files "$PGBT/$name" --force
    assert_success
    assert_restored
  done
}

@test "restore keeps plain SQL with CREATE DATABASE and \connect (-C) inside the scratch database" {
  oid=$(database_oid pgbt-files)
  for name in create.sql inserts.sql; do
    setup
    run dokku pgbackup:restore pgbt-files "$PGBT/$name" --force
    assert_success
    assert_line --partial 'Left out, since it would leave the scratch database'
    assert_restored
  done
  refute [ "$(database_oid pgbt-files)" = "$oid" ]
}

@test "restore takes the .tgz of dokku postgres:backup" {
  run dokku pgbackup:restore pgbt-files - --force <"$FIXTURE"
  assert_success
  assert_line --partial 'custom dump in gzip, tar'
  assert_equal "$(sql pgbt-files 'SELECT count(*) FROM public.ticks')" 598
}

@test "restore takes any of them from standard input" {
  for name in custom plain.sql.gz; do
    setup
    run dokku pgbackup:restore pgbt-files - --confirm pgbt-files <"$PGBT/$name"
    assert_success
    assert_line "=====> Restored standard input into pgbt-files"
    assert_restored
  done
}

@test "restore says what to type for a file that only root can read" {
  install -m 0600 "$PGBT/custom" "$PGBT/root only"
  run dokku pgbackup:restore pgbt-files "$PGBT/root only" --force
  assert_failure 5
  assert_line --partial 'permission denied'
  assert_line --partial "dokku pgbackup:restore pgbt-files - --confirm pgbt-files < '$PGBT/root only'"
  assert_equal "$(sql pgbt-files 'SELECT count(*) FROM items')" 1
}

@test "restore finds files of odd names, and files beside the caller" {
  for name in 'a b.dump' "it's.dump" 'colon:comma,"quote".dump' 'ünïcode $HOME.dump'; do
    setup
    install -m 0644 "$PGBT/custom" "$PGBT/$name"
    run dokku pgbackup:restore pgbt-files "$PGBT/$name" --force
    assert_success
    assert_restored
  done
  setup
  cd "$PGBT"
  run dokku pgbackup:restore pgbt-files ./custom --force
  assert_success
  assert_restored
}

@test "restore takes a file's checksum with --sha256, and refuses a wrong one" {
  sum=$(sha256sum "$PGBT/custom" | cut -d' ' -f1)
  run dokku pgbackup:restore pgbt-files "$PGBT/custom" --force --sha256 "${sum/?/f}"
  [[ $sum != f* ]] || run dokku pgbackup:restore pgbt-files "$PGBT/custom" --force --sha256 "${sum/?/0}"
  assert_failure 5
  assert_line --partial "has SHA-256 $sum, not the one given"
  run dokku pgbackup:restore pgbt-files "$PGBT/custom" --force --sha256 "${sum^^}"
  assert_success
  refute_output --partial 'carries no checksum'
  assert_restored
}

@test "restore of a hand-written SQL file needs its checksum, since nothing tells its end" {
  printf 'CREATE TABLE items (id int);\nINSERT INTO items VALUES (7);\n' >"$PGBT/hand.sql"
  chmod 644 "$PGBT/hand.sql"
  run dokku pgbackup:restore pgbt-files "$PGBT/hand.sql" --force
  assert_failure 5
  assert_line --partial 'cannot be shown to be complete'
  sum=$(sha256sum "$PGBT/hand.sql" | cut -d' ' -f1)
  assert_line --partial "--sha256 $sum"
  run dokku pgbackup:restore pgbt-files "$PGBT/hand.sql" --force --sha256 "$sum"
  assert_success
  assert_equal "$(sql pgbt-files 'SELECT id FROM items')" 7
}

@test "restore reads the kind of a file from its bytes, not from its name" {
  install -m 0644 "$PGBT/custom" "$PGBT/really-custom.sql.gz"
  run dokku pgbackup:restore pgbt-files "$PGBT/really-custom.sql.gz" --force
  assert_success
  assert_restored
}

@test "restore of a file that is not there, or is a directory, says so" {
  run dokku pgbackup:restore pgbt-files "$PGBT/nothing" --force
  assert_failure 4
  assert_line --partial "$PGBT/nothing"
  run dokku pgbackup:restore pgbt-files "$PGBT/backups" --force
  assert_failure 5
  assert_line --partial 'is a directory'
}
