#!/usr/bin/env bats
# `kill -9` of a backup in each of its phases: nothing is listed that cannot be restored, and the next
# command removes the rest (pitfalls 1, 3, 5, 20, 21).

load helper

setup_file() { begin_file flt-bk -I 15; }
teardown_file() { end_file; }
setup() { BEFORE=$(backups); }
teardown() { release_lock; }

# usage: assert_taken <number>: so many more are listed than before, now and after the recovery.
assert_taken() {
  assert_equal "$(backups)" $((BEFORE + $1))
  assert_recovers "$NEWER"
  assert_equal "$(backups)" $((BEFORE + $1))
}

for mode in node group clients; do
  bats_test_function --description "a backup killed while its sidecar starts leaves nothing ($mode)" -- killed_starting "$mode"
  bats_test_function --description "a backup killed while pg_dump waits for a lock leaves no backend behind (pitfall 5; $mode)" -- killed_dumping "$mode"
done

killed_starting() {
  start pgbackup:run "$SERVICE"
  wait_for has_sidecar
  kill_plugin "$1"
  assert_taken 0
}

killed_dumping() {
  hold_lock
  start pgbackup:run "$SERVICE"
  wait_for dump_waits
  kill_plugin "$1"
  wait_for no_sidecars
  wait_for server_says "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'pgbackup-%'"
  release_lock
  assert_taken 0
}

@test "a backup killed when it has but its journal leaves nothing" {
  # 1 is of the clearing of a journal that is not there, 2 of the journal itself.
  killed_at fsync 2 "$STATE" pgbackup:run "$SERVICE"
  assert journal_says backup
  assert_taken 0
}

@test "a backup killed when its archive is stored and its manifest is not leaves no orphan" {
  # 1 is the journal, 1 of the thread for files the archive, and its 2 the manifest.
  killed_at rename 2 - pgbackup:run "$SERVICE"
  assert [ -n "$(find "$DATA/backups" -path "*/$SERVICE/*" -name 'manifest.json.partial')" ]
  assert_taken 0
}

@test "a backup killed after its manifest, before its journal is cleared, is a backup" {
  killed_at unlink 1 "$STATE/journal.json" pgbackup:run "$SERVICE"
  assert_taken 1
}

@test "all that is listed after these kills is whole" {
  run dokku pgbackup:verify "$SERVICE" --all
  assert_success
}
