#!/usr/bin/env bats
# Full disks, one after the other: of the storage, of the spool, of the state, of Postgres itself; and a log that
# cannot be written (pitfalls 21, 30, 44). Each is a small file system of its own.

load helper

setup_file() {
  export ROWS=60000
  begin_file flt-dk
}
teardown_file() {
  umount "$PGBACKUP_LAB_ROOT/lib/services/postgres/$SERVICE/data" 2>/dev/null || true
  end_file
}
setup() { BEFORE=$(backups); }
teardown() { umount "$FILES/small" "$DATA/spool" "$DATA/state" 2>/dev/null || true; }

# usage: small_disk <folder> <size>: until `umount <folder>`.
small_disk() {
  mkdir -p "$1"
  mount -t tmpfs -o "size=$2,mode=755,uid=$(id -u dokku),gid=$(id -g dokku)" tmpfs "$1"
}

# A small disk for the state, with what is in it but the locks and journals.
small_state() {
  rm -rf "$FILES/state" && mkdir "$FILES/state"
  find "$DATA/state" -maxdepth 1 -type f -exec cp -a {} "$FILES/state" \;
  small_disk "$DATA/state" 64k
  cp -a "$FILES/state/"* "$DATA/state"
}

# usage: fill <folder>: to the last byte.
fill() { dd if=/dev/zero of="$1/filler" bs=4k status=none 2>/dev/null || true; }

@test "a backup that fills the disk of its storage fails, says so and leaves nothing there" {
  small_disk "$FILES/small" 1m
  dokku pgbackup:set "$SERVICE" backup-dir "$FILES/small" >/dev/null
  run dokku pgbackup:run "$SERVICE"
  dokku pgbackup:set "$SERVICE" backup-dir >/dev/null
  assert_failure 7
  assert_output --partial "The disk of $FILES/small is full"
  assert_equal "$(find "$FILES/small" -mindepth 1)" ''
  umount "$FILES/small"
  assert_clean
  assert_equal "$(backups)" "$BEFORE"
}

@test "a backup whose disk has no room for the manifest is none" {
  small_disk "$FILES/small" 64m
  dokku pgbackup:set "$SERVICE" backup-dir "$FILES/small" >/dev/null
  # As the archive gets its name, the rest of the disk is taken by somebody else.
  start pgbackup:run "$SERVICE"
  wait_for compgen -G "$FILES/small/*/*/*/archive.dump.partial"
  kill -STOP "$(plugin_pid)"
  fill "$FILES/small"
  kill -CONT "$(plugin_pid)"
  finish
  dokku pgbackup:set "$SERVICE" backup-dir >/dev/null
  assert_equal "$status" 7
  assert_equal "$(find "$FILES/small" -mindepth 1 ! -name filler)" ''
  umount "$FILES/small"
  assert_clean
}

@test "a restore from standard input that fills the spool is refused before anything is touched" {
  local archive
  archive=$(find "$DATA/backups" -path "*/$BACKUP/archive.dump")
  small_disk "$DATA/spool" 1m
  run dokku pgbackup:restore "$SERVICE" - --force <"$archive"
  umount "$DATA/spool"
  assert_failure 7
  assert_output --partial 'Standard input could not be kept'
  assert_output --partial 'room on the disk'
  refute_output --partial 'Maintenance'
  assert_clean
  assert_equal "$(live_hash)" "$NEWER"
}

@test "with a full disk of the state nothing is begun: a journal must be written first" {
  small_state
  fill "$DATA/state"
  local command
  for command in "run $SERVICE" "restore $SERVICE $BACKUP --force"; do
    # shellcheck disable=SC2086 # words
    run dokku pgbackup:${command%% *} ${command#* }
    assert_failure 7
    assert_output --partial "Cannot write $STATE/journal.json"
    assert_output --partial 'The disk is full'
    refute_output --partial 'Maintenance'
    assert_clean
  done
  umount "$DATA/state"
  assert_equal "$(backups)" "$BEFORE"
  assert_equal "$(live_hash)" "$NEWER"
}

@test "with a disk of the state that fills up during a restore the restore is taken back" {
  small_state
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for journal_says scratch
  kill -STOP "$(plugin_pid)"
  fill "$DATA/state"
  kill -CONT "$(plugin_pid)"
  finish
  umount "$DATA/state"
  assert_equal "$status" 7
  assert_output --partial 'The disk is full'
  assert_clean
  assert_equal "$(live_hash)" "$NEWER"
}

@test "a log that cannot be written fails no backup" {
  mv "$DATA/state/log.jsonl" "$FILES/log.jsonl"
  mkdir "$DATA/state/log.jsonl"
  run dokku pgbackup:run "$SERVICE"
  rmdir "$DATA/state/log.jsonl"
  mv "$FILES/log.jsonl" "$DATA/state/log.jsonl"
  assert_success
  assert_clean
}

@test "a restore that fills the disk of Postgres is taken back, and the live database goes on (pitfall 30)" {
  local root=$PGBACKUP_LAB_ROOT/lib/services/postgres/$SERVICE
  dokku postgres:stop "$SERVICE" >/dev/null
  cp -a "$root/data" "$FILES/data"
  # Enough for the guard, which looks at this disk.
  mount -t tmpfs -o "size=$(($(du -sm "$FILES/data" | cut -f1) + 100))m" tmpfs "$root/data"
  cp -a "$FILES/data/." "$root/data"
  dokku postgres:start "$SERVICE" >/dev/null
  wait_for live_hash
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for journal_says scratch
  # Somebody else takes all but a little of it.
  kill -STOP "$(plugin_pid)"
  fallocate -l $(($(df --output=avail -B1 "$root/data" | tail -n 1) - 9 * 1024 * 1024)) "$root/data/filler"
  kill -CONT "$(plugin_pid)"
  finish
  # Who notices first is a matter of luck: the server, or we, who look at its disk four times a second.
  case $status in
    5) assert_output --partial "the disk of service $SERVICE was filling up" ;;
    *)
      assert_equal "$status" 9
      assert_output --partial 'No space left on device'
      ;;
  esac
  assert_clean
  assert_equal "$(live_hash)" "$NEWER"
  dokku postgres:stop "$SERVICE" >/dev/null
  umount "$root/data"
}
