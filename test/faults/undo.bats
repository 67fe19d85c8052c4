#!/usr/bin/env bats
# `kill -9` of an undo at each step of its journal: both databases stay, one of them live (pitfall 31).

load helper

setup_file() { begin_file flt-un -I 15; }
teardown_file() { end_file; }

# `saved` live, `newer` kept.
setup() {
  make_newer
  restore >/dev/null
}

# 1 maintenance, 2 swap, 3 finish, 4 the record of the previous database.
killed_before_rename() { killed_at rename "$1" - pgbackup:undo "$SERVICE" --force; }

# usage: assert_both <live> <kept>: after recovery an undo gives the other one.
assert_both() {
  assert_recovers "$1"
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
  assert_equal "$(live_hash)" "$2"
  assert_clean
}

@test "an undo killed before its first step has changed nothing" {
  killed_before_rename 1
  assert_both "$SAVED" "$NEWER"
}

@test "an undo killed in maintenance is taken back" {
  killed_before_rename 2
  assert_equal "$(maintenance)" true
  assert_both "$SAVED" "$NEWER"
}

@test "an undo killed after the databases were exchanged is finished" {
  killed_before_rename 3
  assert journal_says swap
  assert_both "$NEWER" "$SAVED"
}

@test "an undo killed before the other database is on record is finished" {
  killed_before_rename 4
  assert journal_says finish
  assert_both "$NEWER" "$SAVED"
}

@test "an undo killed when only its journal was left to be cleared is done" {
  killed_at unlink 1 "$STATE/journal.json" pgbackup:undo "$SERVICE" --force
  assert_both "$NEWER" "$SAVED"
}

@test "an undo whose live database is gone brings the previous one back, open to connections" {
  sql postgres "DROP DATABASE $DATABASE WITH (FORCE)"
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
  assert_equal "$(live_hash)" "$NEWER"
  assert_clean
  assert [ ! -e "$STATE/previous.json" ]
}

@test "an undo killed after it gave a gone live database its name back is finished" {
  sql postgres "DROP DATABASE $DATABASE WITH (FORCE)"
  killed_before_rename 3
  assert_recovers "$NEWER"
  assert [ ! -e "$STATE/previous.json" ]
}

@test "a restore where the live database is gone keeps the earlier previous one" {
  sql postgres "DROP DATABASE $DATABASE WITH (FORCE)"
  run restore
  assert_success
  assert_equal "$(live_hash)" "$SAVED"
  assert_clean
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
  assert_equal "$(live_hash)" "$NEWER"
}
