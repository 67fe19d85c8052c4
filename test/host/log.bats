#!/usr/bin/env bats
# pgbackup:log and pgbackup:doctor

load helper

setup_file() {
  begin_file
  make_service pgbt-told
  make_items pgbt-told 12
  ID=$(take_backup pgbt-told)
  export ID
}

teardown_file() { end_file; }

# usage: last_entries <n>: operation and outcome of each.
last_entries() { dokku pgbackup:log pgbt-told --last "$1" --format json | json '[[e["operation"], e["outcome"]] for e in d]'; }

@test "log tells of a backup, with its id" {
  run dokku pgbackup:log pgbt-told --last 1
  assert_success
  assert_line --index 0 --regexp '^TIME +SERVICE +OPERATION +OUTCOME +TOOK +ID +MESSAGE$'
  assert_line --index 1 --regexp "^20[0-9-]+ [0-9:]+ UTC +pgbt-told +backup +ok +[0-9.]+ s +$ID +.*1 tables?"
}

@test "log tells how each operation ended, and why it failed" {
  run dokku pgbackup:restore pgbt-told --latest --force --check 'SELECT false'
  assert_failure 8
  dokku pgbackup:restore pgbt-told --latest --force >/dev/null
  dokku pgbackup:undo pgbt-told --force >/dev/null
  assert_equal "$(last_entries 4)" '[["backup", "ok"], ["restore", "failed"], ["restore", "ok"], ["undo", "ok"]]'
  run dokku pgbackup:log pgbt-told --last 3
  assert_line --index 1 --partial 'The check "SELECT false" fails'
}

@test "log tells of a restore that was refused: somebody tried" {
  run dokku pgbackup:restore pgbt-told --latest </dev/null
  assert_failure 5
  assert_equal "$(last_entries 1)" '[["restore", "failed"]]'
}

@test "log of a service tells of no other, and of all without a name" {
  assert_equal "$(dokku pgbackup:log pgbt-told --last 1000 --format json | json 'sorted({e["service"] for e in d})')" '["pgbt-told"]'
  run dokku pgbackup:log --last 1000 --format json
  assert_success
  assert_equal "$(json 'any(e["service"] == "pgbt-told" for e in d)' <<<"$output")" true
  run dokku pgbackup:log pgbt-never
  assert_failure 4
}

@test "log refuses an odd --last" {
  for number in 0 -1 many; do
    run dokku pgbackup:log pgbt-told --last "$number"
    assert_failure 2
  done
}

@test "doctor says so when there is nothing to do" {
  run dokku pgbackup:doctor pgbt-told
  assert_success
  assert_output '=====> Nothing was left undone on pgbt-told'
}

@test "doctor puts right what a killed restore left, and says so in the log (pitfall 31)" {
  make_app pgbt-cut pgbt-told
  make_items pgbt-told 5
  oid=$(database_oid pgbt-told)
  dokku pgbackup:restore pgbt-told "$ID" --force --check "$(slow_check 30)" >/dev/null 2>&1 3>&- &
  wait_for at_slow_check pgbt-told
  # The lock tells who it is; nobody else is called so.
  holder=$(dokku pgbackup:run pgbt-told 2>&1 | sed -n 's/.*(process \([0-9]*\)).*/\1/p')
  kill -9 "$holder"
  wait || true
  assert_equal "$(maintenance_of pgbt-cut)" true
  run dokku pgbackup:doctor pgbt-told
  assert_success
  assert_line --partial 'is cleaned up'
  assert_equal "$(maintenance_of pgbt-cut) $(database_oid pgbt-told) $(sql pgbt-told 'SELECT count(*) FROM items')" "false $oid 5"
  assert_equal "$(dokku pgbackup:log pgbt-told --last 2 --format json | json '[e["outcome"] for e in d]')" '["recovered", "ok"]'
  assert_nothing_left pgbt-told
}
