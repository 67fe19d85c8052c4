#!/usr/bin/env bats
# pgbackup:report

load helper

setup_file() {
  begin_file
  make_service pgbt-state
  make_app pgbt-stater pgbt-state
}

teardown_file() { end_file; }

@test "report shows the settings and the state of a service, in Dokku's form" {
  run dokku pgbackup:report pgbt-state
  assert_success
  assert_line --index 0 '=====> pgbt-state pgbackup information'
  assert_line --regexp '^       Pgbackup keep previous: +24h$'
  assert_line --regexp '^       Pgbackup lock timeout: +60s$'
  assert_line --regexp "^       Pgbackup storage local: +$PGBT/backups \\(0 backups\\)$"
  assert_line --regexp '^       Pgbackup backups: +0$'
  assert_line --regexp '^       Pgbackup newest backup:$'
}

@test "report counts backups, and names the newest and the previous database" {
  id=$(take_backup pgbt-state)
  dokku pgbackup:restore pgbt-state --latest --force >/dev/null
  run dokku pgbackup:report pgbt-stater
  assert_success
  assert_line --regexp '^ +Pgbackup backups: +1$'
  assert_line --regexp "^ +Pgbackup newest backup: +$id$"
  assert_line --regexp '^ +Pgbackup previous database: +pgbackup_previous_[a-z0-9_]+ until 20'
  run dokku pgbackup:report pgbt-state --format json
  assert_success
  assert_equal "$(json '[d["service"], d["backups"], d["newest"], d["unfinished"], d["previous"]["live"]]' <<<"$output")" "[\"pgbt-state\", 1, \"$id\", null, \"pgbt_state\"]"
  assert_equal "$(json 'd["storedBytes"]' <<<"$output")" "$(stat -c %s "$(archive_of pgbt-state "$id")")"
}

@test "report without a target shows every service that has backups in the common storage" {
  dokku pgbackup:set pgbt-state backup-dir >/dev/null
  id=$(take_backup pgbt-state)
  run dokku pgbackup:report
  assert_success
  assert_line '=====> pgbt-state pgbackup information'
  run dokku pgbackup:report --format json
  assert_success
  assert_equal "$(json '[r["newest"] for r in d if r["service"] == "pgbt-state"]' <<<"$output")" "[\"$id\"]"
  dokku --force pgbackup:delete pgbt-state "$id" >/dev/null
  dokku pgbackup:set pgbt-state backup-dir "$PGBT/backups" >/dev/null
}

@test "report works for a service that is stopped" {
  dokku postgres:stop pgbt-state >/dev/null 2>&1
  run dokku pgbackup:report pgbt-state
  dokku postgres:start pgbt-state >/dev/null 2>&1
  assert_success
  assert_line --regexp '^ +Pgbackup backups: +1$'
}

@test "report refuses what is unknown" {
  run dokku pgbackup:report pgbt-nope
  assert_failure 4
  run dokku pgbackup:report pgbt-state --format yaml
  assert_failure 2
  assert_output --partial '--format takes text or json, not "yaml"'
}
