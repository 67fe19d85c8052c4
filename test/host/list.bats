#!/usr/bin/env bats
# pgbackup:list

load helper

setup_file() {
  begin_file
  make_service pgbt-list
  make_app pgbt-lister pgbt-list
  dokku config:set --no-restart pgbt-lister GIT_REV=82eeec6fe1c8d1a5b0e1f2a3b4c5d6e7f8091a2b >/dev/null
}

teardown_file() { end_file; }

@test "list says how to take the first backup" {
  run dokku pgbackup:list pgbt-list
  assert_success
  assert_output --partial "No backups in $PGBT/backups. Take one: dokku pgbackup:run pgbt-list"
  run dokku pgbackup:list pgbt-list --format json
  assert_success
  assert_output '[]'
}

@test "list shows every backup, the oldest first, with size, rows, code and labels" {
  first=$(take_backup pgbt-list --label level=1)
  make_items pgbt-list 1234
  second=$(take_backup pgbt-list --label level=2 --label stage=qa)
  run dokku pgbackup:list pgbt-list
  assert_success
  assert_equal "${#lines[@]}" 3
  assert_line --index 0 --regexp '^ID +TAKEN +SIZE +ROWS +CODE +LABELS$'
  assert_line --index 1 --regexp "^$first +20[0-9-]+ [0-9:]+ UTC +[0-9]+ B +0 +82eeec6fe1 +level=1$"
  assert_line --index 2 --regexp "^$second +20[0-9-]+ [0-9:]+ UTC +[0-9.]+ kB +1,234 +82eeec6fe1 +level=2, stage=qa$"
  run dokku --quiet pgbackup:list pgbt-list
  assert_equal "${#lines[@]}" 2
  run dokku pgbackup:list pgbt-lister --format json
  assert_equal "$(json '[b["id"] for b in d]' <<<"$output")" "[\"$first\", \"$second\"]"
}

@test "list without a target shows the backups of every service in the storage set for all" {
  dokku pgbackup:set pgbt-list backup-dir >/dev/null
  id=$(take_backup pgbt-list)
  run dokku pgbackup:list
  assert_success
  assert_output --partial "$id"
  run dokku --force pgbackup:delete pgbt-list "$id"
  assert_success
  dokku pgbackup:set pgbt-list backup-dir "$PGBT/backups" >/dev/null
}

@test "list never shows an archive without its manifest, and warns of a manifest that cannot be read" {
  id=$(take_backup pgbt-list)
  folder=$(dirname "$(archive_of pgbt-list "$id")")
  mv "$folder/manifest.json" "$folder/elsewhere"
  run_apart dokku pgbackup:list pgbt-list
  assert_success
  assert_equal "$errors" ''
  refute_output --partial "$id"
  head -c 50 "$folder/elsewhere" >"$folder/manifest.json"
  chown dokku: "$folder/manifest.json"
  run_apart dokku pgbackup:list pgbt-list
  refute_output --partial "$id"
  assert_regex "$errors" "^ !     The manifest .*$id/manifest.json is not JSON$"
  rm -r "$folder"
}

@test "list reads the catalog of a service that is stopped, or gone" {
  dokku postgres:stop pgbt-list >/dev/null 2>&1
  run dokku pgbackup:list pgbt-list
  dokku postgres:start pgbt-list >/dev/null 2>&1
  assert_success
  assert_equal "${#lines[@]}" 3
  make_service pgbt-gone
  id=$(take_backup pgbt-gone)
  dokku --force postgres:destroy pgbt-gone >/dev/null
  run dokku pgbackup:list pgbt-gone
  assert_success
  assert_output --partial "$id"
}

@test "list refuses a service that is unknown" {
  run dokku pgbackup:list pgbt-nope
  assert_failure 4
}
