#!/usr/bin/env bats
# install (and update), uninstall and report, besides the private Node.

load helpers

setup() {
  make_host
  make_node "$common/node" v24.19.0
  data=$lib/data/pgbackup
}

install() { run_apart "$plugin/install"; }

@test "install makes the directories, for dokku alone" {
  umask 000
  install
  assert_success
  assert_equal "$output$stderr" ''
  run stat -c '%n %a %U:%G' "$data" "$data/backups" "$data/state" "$data/spool" "$data/cache" "$lib/config/pgbackup"
  assert_output "$data 750 nobody:$DOKKU_SYSTEM_GROUP
$data/backups 750 nobody:$DOKKU_SYSTEM_GROUP
$data/state 700 nobody:$DOKKU_SYSTEM_GROUP
$data/spool 700 nobody:$DOKKU_SYSTEM_GROUP
$data/cache 700 nobody:$DOKKU_SYSTEM_GROUP
$lib/config/pgbackup 700 nobody:$DOKKU_SYSTEM_GROUP"
}

@test "install makes a log that dokku can write, or cron would never run the command (pitfall 44)" {
  install
  run stat -c '%a %U' "$DOKKU_LOGS_DIR/pgbackup.log"
  assert_output '640 nobody'
  run setpriv --reuid=nobody --regid="$DOKKU_SYSTEM_GROUP" --clear-groups bash -c 'echo line >>"$1"' - "$DOKKU_LOGS_DIR/pgbackup.log"
  assert_success
}

@test "a log that root made first is handed to dokku, and keeps its lines (pitfall 44)" {
  mkdir "$DOKKU_LOGS_DIR"
  echo kept >"$DOKKU_LOGS_DIR/pgbackup.log"
  chmod 600 "$DOKKU_LOGS_DIR/pgbackup.log"
  install
  run stat -c %U "$DOKKU_LOGS_DIR/pgbackup.log"
  assert_output nobody
  assert_equal "$(<"$DOKKU_LOGS_DIR/pgbackup.log")" kept
}

@test "the second install changes nothing and says nothing" {
  install
  local before
  before=$(find "$lib" "$DOKKU_LOGS_DIR" -printf '%p %i %m %u %g %C@\n' | sort)
  install
  assert_success
  assert_equal "$output$stderr" ''
  assert_equal "$(find "$lib" "$DOKKU_LOGS_DIR" -printf '%p %i %m %u %g %C@\n' | sort)" "$before"
}

@test "install takes directories back from root and from others, and keeps what a group was given" {
  install
  echo backup >"$data/backups/one"
  chown root "$data/backups"
  chmod 775 "$data/backups"
  install
  run stat -c '%a %U' "$data/backups"
  assert_output '770 nobody'
  assert_equal "$(<"$data/backups/one")" backup
}

@test "a backups directory that is a link to another disk, mounted or not, is left alone" {
  mkdir -p "$data" "$BATS_TEST_TMPDIR/disk"
  chmod 755 "$BATS_TEST_TMPDIR/disk"
  ln -s "$BATS_TEST_TMPDIR/disk" "$data/backups"
  install
  assert_equal "$output$stderr" ''
  run stat -c '%a %U' "$BATS_TEST_TMPDIR/disk"
  assert_output '755 root'
  rmdir "$BATS_TEST_TMPDIR/disk"
  install
  assert_success
  assert_equal "$output$stderr" ''
}

@test "install that cannot make its directories says so, and still lets the other plugins install" {
  echo 'in the way' >"$data"
  install
  assert_success
  assert_equal "${stderr_lines[-1]}" ' !     pgbackup could not prepare its directories. Mend that, then, as root: dokku plugin:install'
  assert_equal "$(<"$data")" 'in the way'
}

@test "update does as install does" {
  run_apart "$plugin/update"
  assert_success
  assert_equal "$output$stderr" ''
  assert_dir_exists "$data/backups"
}

assert_dir_exists() { [[ -d $1 ]] || fail "no directory $1"; }

@test "uninstall removes the private Node, spool and cache; backups, settings and state stay" {
  install
  make_private_node v24.19.0
  mkdir "$data/node-v24.19.0-linux-x64.killed"
  echo dump >"$data/backups/archive.dump"
  echo journal >"$data/state/journal"
  echo key >"$lib/config/pgbackup/setting"
  mkfifo "$data/spool/fifo"
  run_apart "$plugin/uninstall" pgbackup
  assert_success
  assert_equal "$stderr" ''
  assert_line "-----> Your backups stay in $data/backups"
  run ls "$data"
  assert_output $'backups\nstate'
  assert_equal "$(cat "$data/backups/archive.dump" "$data/state/journal" "$lib/config/pgbackup/setting")" $'dump\njournal\nkey'
}

# Dokku's crontab, in short: what cron-entries prints.
make_cron() {
  printf '#!/bin/bash\nexec "%s/cron-entries" docker-local >"%s"\n' "$plugin" "$BATS_TEST_TMPDIR/crontab" >"$common/plugn"
  printf '#!/bin/bash\nexec cat "%s"\n' "$BATS_TEST_TMPDIR/crontab" >"$common/crontab"
  chmod 755 "$common"/{plugn,crontab}
  PATH=$common:$PATH
}

@test "uninstall takes the schedules from the crontab, and a new install brings them back" {
  install
  make_cron
  mkdir "$data/schedules"
  echo '@daily;dokku pgbackup:run shop --schedule k3f9' >"$data/schedules/crontab"
  chown -R nobody "$data/schedules"
  install
  assert_equal "$(<"$BATS_TEST_TMPDIR/crontab")" "@daily;dokku pgbackup:run shop --schedule k3f9;$DOKKU_LOGS_DIR/pgbackup.log"
  run_apart "$plugin/uninstall" pgbackup
  assert_success
  assert_equal "$(<"$BATS_TEST_TMPDIR/crontab")" ''
  install
  assert_equal "$output$stderr" ''
  assert_equal "$(<"$BATS_TEST_TMPDIR/crontab")" "@daily;dokku pgbackup:run shop --schedule k3f9;$DOKKU_LOGS_DIR/pgbackup.log"
  # An install of some other plugin finds them there, and leaves the crontab alone.
  rm "$common/plugn"
  install
  assert_success
  assert_equal "$output$stderr" ''
}

@test "uninstall of another plugin touches nothing" {
  install
  make_private_node v24.19.0
  local before other
  before=$(find "$lib" -printf '%p %i\n' | sort)
  for other in postgres pgbackup2 ''; do
    run_apart "$plugin/uninstall" "$other"
    assert_success
    assert_equal "$output$stderr" ''
  done
  assert_equal "$(find "$lib" -printf '%p %i\n' | sort)" "$before"
}

@test "report adds the program's report of the app" {
  PATH=$common:$PATH run_apart "$plugin/report" web
  assert_success
  assert_output '["pgbackup:report","web"]'
  assert_equal "$stderr" ''
}

@test "a report that fails, hangs, is empty or finds no Node is left out, and never fails dokku report" {
  PATH=$common:$PATH
  EXIT=4 COMPLAIN=' !     no service' run_apart "$plugin/report" web
  assert_success
  assert_equal "$output$stderr" ''
  DO=hang PGBACKUP_REPORT_SECONDS=1 run_apart "$plugin/report" web
  assert_success
  assert_equal "$output$stderr" ''
  DO=nothing run_apart "$plugin/report" web
  assert_success
  assert_equal "$output$stderr" ''
  PGBACKUP_NODE=/nowhere/node run_apart "$plugin/report" web
  assert_success
  assert_equal "$output$stderr" ''
  run_apart "$plugin/report"
  assert_success
  assert_equal "$output$stderr" ''
}
