#!/usr/bin/env bats
# pgbackup:status, for monitoring systems (pitfall 45)

load helper

setup_file() {
  begin_file
  make_service pgbt-watch
  make_items pgbt-watch 20
  make_app pgbt-watcher pgbt-watch
  install -d -m 0777 "$PGBT/textfile"
  # The value for all that is there before is put back at the end.
  TEXTFILE_BEFORE=$(dokku pgbackup:report pgbt-watch --format json | json '[s for s in d["settings"] if s["key"] == "textfile-dir"][0]["global"]')
  export TEXTFILE_BEFORE
}

teardown_file() {
  dokku pgbackup:unschedule pgbt-watch --all >/dev/null 2>&1 || true
  dokku pgbackup:set --global textfile-dir "$TEXTFILE_BEFORE" >/dev/null
  end_file overdue-grace webhook-url
}

# usage: status_of <expression>, the status as JSON being d.
status_of() {
  dokku pgbackup:status pgbt-watch --format json 2>/dev/null | json "$1"
}

# As if the schedule had been there for years: a test does not wait for cron.
age_schedules() {
  local data
  data=$(spool_of pgbt-watch)
  grep -rl '"service":"pgbt-watch"' "${data%/spool}/schedules" | xargs sed -i -E 's/"createdAt":"20[0-9]{2}/"createdAt":"2020/'
}

@test "status tells of a service that has neither backup nor schedule, with exit 3" {
  run dokku pgbackup:status pgbt-watch
  assert_failure 3
  assert_line '=====> pgbt-watch: not well'
  assert_output --partial 'There is no backup, and no schedule'
}

@test "status exits 3 while a schedule lacks its backup, and 0 when it has it" {
  dokku pgbackup:schedule pgbt-watch '@yearly' >/dev/null
  run dokku pgbackup:status pgbt-watcher
  assert_success
  assert_line '=====> pgbt-watch: all is well'
  age_schedules
  run dokku pgbackup:status pgbt-watch
  assert_failure 3
  assert_output --partial '("@yearly") lacks a backup since 202'
  assert_equal "$(status_of '[d["well"], [s["state"] for s in d["schedules"]]]')" '[false, ["never"]]'
  id=$(take_backup pgbt-watch)
  run dokku pgbackup:status pgbt-watch
  assert_success
  assert_equal "$(status_of '[d["well"], d["newest"]["id"], d["backups"], d["schedules"][0]["state"]]')" "[true, \"$id\", 1, \"ok\"]"
  assert [ "$(status_of 'd["newest"]["ageSeconds"]')" -lt 300 ]
}

@test "status shows the last failure, the previous database, and what is cut off" {
  run dokku pgbackup:run pgbt-watch --schema nope
  assert_failure 4
  run dokku pgbackup:status pgbt-watch
  assert_failure 3
  assert_output --partial 'has no schema "nope"'
  take_backup pgbt-watch
  dokku pgbackup:restore pgbt-watch --latest --force >/dev/null
  run dokku pgbackup:status pgbt-watch
  assert_success
  assert_line --regexp '^ +Last failure: +20.* has no schema "nope"$'
  assert_line --regexp '^ +Previous: +pgbackup_previous_[a-z0-9_]+, kept until 20'
}

@test "status without a target looks at every service that has a schedule or backups" {
  run dokku pgbackup:status --format json
  assert_equal "$(json '[s["service"] for s in d if s["service"] == "pgbt-watch"]' <<<"$output")" '["pgbt-watch"]'
}

@test "status says under way while a backup runs, and not that it was cut off" {
  hold_lock pgbt-watch items
  dokku pgbackup:run pgbt-watch >/dev/null 2>&1 3>&- &
  backup=$!
  wait_for sql_says pgbt-watch "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
  run dokku pgbackup:status pgbt-watch
  release_lock pgbt-watch
  wait "$backup"
  assert_success
  assert_line --regexp '^ +Under way: +pgbt-watch-2'
}

@test "a textfile for Prometheus is written by operations and by status" {
  run dokku pgbackup:set pgbt-watch textfile-dir "$PGBT/textfile"
  assert_failure 2
  run dokku pgbackup:set --global textfile-dir "$PGBT/missing"
  assert_failure 7
  dokku pgbackup:set --global textfile-dir "$PGBT/textfile" >/dev/null
  id=$(take_backup pgbt-watch)
  file=$PGBT/textfile/pgbackup.prom
  assert_equal "$(stat -c %a "$file")" 644
  size=$(stat -c %s "$(archive_of pgbt-watch "$id")")
  run cat "$file"
  assert_line "pgbackup_last_size_bytes{service=\"pgbt-watch\"} $size"
  assert_line --regexp '^pgbackup_last_success_timestamp_seconds\{service="pgbt-watch"\} [0-9]{10}'
  assert_line --regexp '^pgbackup_overdue\{service="pgbt-watch",schedule="[a-z0-9]{4}"\} 0$'
  assert_equal "$(ls "$PGBT/textfile")" pgbackup.prom
  rm "$file"
  chmod 755 "$PGBT/textfile"
  run dokku pgbackup:run pgbt-watch
  assert_success
  assert_output --partial 'The textfile for Prometheus was not written'
}

@test "status tells of a storage that cannot be read" {
  dokku pgbackup:set pgbt-watch backup-dir "$PGBT/backups" >/dev/null
  mv "$PGBT/backups" "$PGBT/away"
  run dokku pgbackup:status pgbt-watch
  mv "$PGBT/away" "$PGBT/backups"
  assert_failure 3
  assert_output --partial "$PGBT/backups"
}

@test "status refuses what is unknown" {
  run dokku pgbackup:status pgbt-nope
  assert_failure 4
  run dokku pgbackup:status pgbt-watch --notify
  assert_failure 2
}
