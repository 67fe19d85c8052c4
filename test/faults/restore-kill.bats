#!/usr/bin/env bats
# `kill -9` of a restore just before and after each step of its journal (pitfall 31): the live database
# is the old one or the new one, whole, and the next command puts the rest right.

load helper

setup_file() { begin_file flt-rk; }
teardown_file() { end_file; }
setup() { make_newer; }

# The program writes previous.json and journal.json by renaming: 1 maintenance, 2 scratch, 3 swap, 4 finish, 5 previous.
killed_before_rename() { killed_at rename "$1" - pgbackup:restore "$SERVICE" "$BACKUP" --force "${@:2}"; }

@test "a restore killed before its first step has changed nothing" {
  killed_before_rename 1
  assert [ ! -e "$STATE/journal.json" ]
  assert_equal "$(maintenance)" false
  assert_recovers "$NEWER"
}

@test "a restore killed between maintenance and scratch leaves the old data, and the app serves again" {
  killed_before_rename 2
  assert journal_says maintenance
  assert_equal "$(maintenance)" true
  assert_recovers "$NEWER"
}

@test "a restore killed with its scratch database ready leaves the old data, and no scratch database" {
  killed_before_rename 3
  assert journal_says scratch
  assert [ -n "$(sql postgres "SELECT datname FROM pg_database WHERE datname LIKE 'pgbackup_scratch%'")" ]
  assert_recovers "$NEWER"
}

@test "a restore killed when the databases were exchanged, and its journal does not know, is finished" {
  killed_before_rename 4
  assert journal_says swap
  assert_recovers "$SAVED"
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
  assert_equal "$(live_hash)" "$NEWER"
  assert_clean
}

@test "a restore killed before the previous database is on record keeps that database for undo" {
  killed_before_rename 5
  assert journal_says finish
  assert_recovers "$SAVED"
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
  assert_equal "$(live_hash)" "$NEWER"
}

@test "a restore killed when only its journal was left to be cleared is done" {
  killed_at unlink 1 "$STATE/journal.json" pgbackup:restore "$SERVICE" "$BACKUP" --force
  assert_recovers "$SAVED"
}

@test "an online restore killed before its app went into maintenance leaves it serving" {
  killed_before_rename 2 --online
  assert journal_says scratch
  assert_equal "$(maintenance)" false
  assert_recovers "$NEWER"
}

@test "an online restore killed in maintenance puts the app back (pitfall 42)" {
  killed_before_rename 3 --online
  assert_equal "$(maintenance)" true
  assert_recovers "$NEWER"
}

@test "an app that was in maintenance before stays there after a kill and its recovery (pitfall 42)" {
  dokku maintenance:enable "$APP" >/dev/null 2>&1
  killed_before_rename 3
  assert_recovers "$NEWER" true
  dokku maintenance:disable "$APP" >/dev/null 2>&1
}

@test "an app that the killed restore had stopped runs again" {
  "$BATS_TEST_DIRNAME/../lab/deploy-app" "$APP" pgbackup-lab/busybox sleep 1000 >/dev/null 2>&1
  killed_before_rename 3 --stop-app
  assert_equal "$(docker inspect -f '{{.State.Status}}' "$APP.web.1")" exited
  assert_recovers "$NEWER"
  assert_equal "$(docker inspect -f '{{.State.Status}}' "$APP.web.1")" running
}

@test "the recovery itself may be killed anywhere, and again" {
  killed_before_rename 4
  killed_at rename 1 - pgbackup:doctor "$SERVICE"
  killed_at unlink 1 "$STATE/journal.json" pgbackup:doctor "$SERVICE"
  assert_recovers "$SAVED"
}

@test "two restores in a row, each after a crash, end with one previous database" {
  killed_before_rename 4
  killed_before_rename 5
  run restore
  assert_success
  assert_output --partial 'Cleaning up after'
  assert_equal "$(live_hash)" "$SAVED"
  assert_clean
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
  assert_equal "$(live_hash)" "$SAVED"
}

@test "a backup is the next command too: it cleans up, then does its own work" {
  killed_before_rename 3
  run dokku pgbackup:run "$SERVICE"
  assert_success
  assert_output --partial 'Cleaning up after'
  assert_clean
}

@test "recovery waits for a stopped service and says so, and a later command does it" {
  killed_before_rename 3
  dokku postgres:stop "$SERVICE" >/dev/null
  run dokku pgbackup:doctor "$SERVICE"
  assert_failure 5
  assert_output --partial 'was cut off, and what it left can be put right only while the service runs'
  assert_output --partial "dokku postgres:start $SERVICE"
  assert [ -e "$STATE/journal.json" ]
  dokku postgres:start "$SERVICE" >/dev/null
  assert_recovers "$NEWER"
}

@test "a dokku command that the killed restore had begun is waited for before its app is put back" {
  local switch=$PGBACKUP_LAB_ROOT/home/$APP/nginx.conf.d/maintenance.conf
  # Writing to it waits for a reader, and so does maintenance:enable.
  install -d -o dokku -g dokku "${switch%/*}"
  mkfifo -m 666 "$switch"
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for pgrep -f "maintenance:enable $APP"
  kill_plugin node
  run dokku pgbackup:doctor "$SERVICE"
  assert_failure 6
  assert_output --partial 'a dokku command that it began still runs'
  mv "$switch" "$FILES/gate"
  install -o dokku -g dokku -m 644 /dev/null "$switch"
  cat "$FILES/gate" >/dev/null
  while pgrep -f "maintenance:enable $APP"; do sleep 0.02; done
  assert_equal "$(maintenance)" true
  assert_recovers "$NEWER"
}

@test "what recovery did is in the log" {
  run dokku pgbackup:log "$SERVICE"
  assert_success
  assert_output --partial recovered
}
