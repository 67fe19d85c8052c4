#!/usr/bin/env bats
# pgbackup:schedule, :unschedule, :schedules, and the runs that cron starts.

load helper

setup_file() {
  begin_file
  make_service pgbt-sched
  make_items pgbt-sched
  make_app pgbt-scheduled pgbt-sched
}

teardown_file() {
  local name
  for name in $(dokku --quiet postgres:list 2>/dev/null | grep '^pgbt-sched'); do
    dokku pgbackup:unschedule "$name" --all >/dev/null 2>&1 || true
  done
  dokku pgbackup:set --global max-concurrent >/dev/null 2>&1 || true
  end_file schedule-wait schedule-jitter lock-timeout
}

setup() { dokku pgbackup:unschedule pgbt-sched --all >/dev/null 2>&1 || true; }

# The lines of user dokku's crontab that are ours.
table() { as_cron 'crontab -l' 2>/dev/null | grep -E '^[@0-9*].* dokku pgbackup:run pgbt-sched' || true; }

# usage: schedule_of <service>: the id of its only schedule.
schedule_of() { dokku pgbackup:schedules "$1" --format json | json 'd[0]["id"]'; }

# usage: command_of <service>: what cron types for it, without the log.
command_of() { table | grep " pgbackup:run $1 " | sed -E 's/^(@[a-z]+|([^ ]+ ){5})//; s/ *&>>.*//'; }

@test "every six hours: a line in the crontab of user dokku, the next times, and the backup that cron takes" {
  run dokku pgbackup:schedule pgbt-sched "0 */6 * * *" --label kind=six-hourly
  assert_success
  assert_line '=====> pgbt-sched is backed up at "0 */6 * * *"'
  assert_line --regexp '^ +Next: +20[0-9-]{8} (00|06|12|18):00 [^ ]+$'
  id=$(schedule_of pgbt-sched)
  assert_regex "$(table)" "^0 \*/6 \* \* \* dokku pgbackup:run pgbt-sched --schedule $id( &>> .*/pgbackup\.log)?$"
  run as_cron "$(command_of pgbt-sched)"
  assert_success
  assert_line --partial "Schedule $id of pgbt-sched (\"0 */6 * * *\") is due"
  assert_equal "$(dokku pgbackup:info pgbt-sched --format json | json 'd["labels"]')" '{"kind": "six-hourly"}'
  run dokku pgbackup:log pgbt-sched --last 1
  assert_line --partial "scheduled ($id): "
}

@test "a schedule goes off and on again, and the settings stay (pitfall 43)" {
  dokku pgbackup:set pgbt-sched schedule-jitter 1s
  dokku pgbackup:schedule pgbt-sched @daily
  run dokku pgbackup:unschedule pgbt-sched
  assert_success
  assert_output --regexp '^=====> pgbt-sched is no longer backed up at "@daily" \([a-z0-9]{4}\)$'
  assert_equal "$(table)" ''
  dokku pgbackup:schedule pgbt-sched @daily
  assert_equal "$(table | wc -l)" 1
  assert_equal "$(dokku pgbackup:report pgbt-sched --format json | json '[s["own"] for s in d["settings"] if s["key"] == "schedule-jitter"][0]')" 1s
  dokku pgbackup:set pgbt-sched schedule-jitter
}

@test "schedules lists id, times and labels, of an app too" {
  dokku pgbackup:schedule pgbt-scheduled "30 2 * * mon-fri" --label kind=nightly >/dev/null
  run dokku pgbackup:schedules pgbt-scheduled
  assert_success
  assert_line --regexp '^ID +SERVICE +SCHEDULE +NEXT +THEN +STORAGES +LABELS$'
  assert_line --regexp '^[a-z0-9]{4} +pgbt-sched +30 2 \* \* 1-5 +20[0-9-]{8} 02:30 [^ ]+ +20[0-9-]{8} 02:30 [^ ]+ +- +kind=nightly$'
  assert_equal "$(dokku pgbackup:schedules pgbt-sched --format json | json '[(e["namedAs"], e["installed"], e["serviceExists"]) for e in d]')" '[["pgbt-scheduled", true, true]]'
}

@test "what cron does not take is refused with the line to type, and the crontab stays as it is (pitfall 43)" {
  dokku pgbackup:schedule pgbt-sched @weekly >/dev/null
  before=$(as_cron 'crontab -l')
  while read -r text; do
    run dokku pgbackup:schedule pgbt-sched "$text"
    assert_failure 2
    assert_output --partial 'dokku pgbackup:schedule pgbt-sched "'
  done <<'TEXTS'
every 6h
6h
hourly
@every 6h
0 */6 * * * *
5/15 * * * *
TEXTS
  for text in '0 0 30 2 *' '61 * * * *' '*/0 * * * *' '0 0 * * *; id' '@reboot' ''; do
    run dokku pgbackup:schedule pgbt-sched "$text"
    assert_failure 2
  done
  assert_equal "$(as_cron 'crontab -l')" "$before"
}

@test "of fifty schedules each has its line, and a rename and a destroy change those that they should; another plugin's entry stays" {
  make_service pgbt-sched-gone
  # Another plugin.
  mkdir "$PGBT/probe"
  git -C "$PGBT/probe" init -q
  printf '[plugin]\ndescription = "probe"\nversion = "0.0.1"\n' >"$PGBT/probe/plugin.toml"
  printf '#!/bin/sh\necho "7 7 * * *;dokku pgbt-probe:run"\n' >"$PGBT/probe/cron-entries"
  chmod -R go+rX "$PGBT/probe"
  chmod 755 "$PGBT/probe/cron-entries"
  dokku plugin:install "$PGBT/probe" pgbt-probe >/dev/null 2>&1
  for i in {0..24}; do
    dokku --quiet pgbackup:schedule pgbt-scheduled "$i 3 * * *"
    dokku --quiet pgbackup:schedule pgbt-sched-gone "$i 4 * * *"
  done >"$PGBT/ids"
  assert_equal "$(sort -u "$PGBT/ids" | wc -l)" 50
  assert_equal "$(table | wc -l)" 50
  run as_cron 'crontab -l'
  assert_line '7 7 * * * dokku pgbt-probe:run'
  before=$(table | grep ' pgbt-sched ')
  # The schedules are of the service: those lines stay, and the name that was given follows the app.
  dokku apps:rename pgbt-scheduled pgbt-renamed >/dev/null 2>&1
  assert_equal "$(dokku pgbackup:schedules pgbt-renamed --format json | json '{e["namedAs"] for e in d} == {"pgbt-renamed"}')" true
  assert_equal "$(table | grep ' pgbt-sched ')" "$before"
  dokku --force postgres:destroy pgbt-sched-gone >/dev/null 2>&1
  assert_equal "$(table)" "$before"
  # Unlinked from its app, the service is still there, and so are its schedules.
  dokku postgres:unlink pgbt-sched pgbt-renamed --no-restart >/dev/null 2>&1
  dokku --force apps:destroy pgbt-renamed >/dev/null 2>&1
  make_app pgbt-scheduled pgbt-sched
  assert_equal "$(table)" "$before"
  run dokku pgbackup:unschedule pgbt-sched --all
  assert_success
  assert_equal "$(table)" ''
  run as_cron 'crontab -l'
  assert_line '7 7 * * * dokku pgbt-probe:run'
  dokku plugin:uninstall pgbt-probe >/dev/null 2>&1
}

@test "a schedule that another plugin's bad line keeps out of the crontab is undone, and that is said (pitfall 43)" {
  dokku pgbackup:schedule pgbt-sched @weekly >/dev/null
  before=$(table)
  mkdir "$PGBT/bad"
  git -C "$PGBT/bad" init -q
  printf '[plugin]\ndescription = "bad"\nversion = "0.0.1"\n' >"$PGBT/bad/plugin.toml"
  printf '#!/bin/sh\necho "one;two;three;four"\n' >"$PGBT/bad/cron-entries"
  chmod -R go+rX "$PGBT/bad"
  chmod 755 "$PGBT/bad/cron-entries"
  dokku plugin:install "$PGBT/bad" pgbt-bad >/dev/null 2>&1
  run dokku pgbackup:schedule pgbt-sched @monthly
  dokku plugin:uninstall pgbt-bad >/dev/null 2>&1
  assert_failure 9
  assert_line --partial 'The schedules of pgbt-sched are what they were before'
  assert_line --partial 'dokku plugin:trigger cron-entries docker-local'
  assert_equal "$(table)" "$before"
  assert_equal "$(dokku pgbackup:schedules pgbt-sched --format json | json 'len(d)')" 1
}

@test "a scheduled run that comes due while a backup runs waits its turn (pitfall 8)" {
  dokku pgbackup:schedule pgbt-sched "0 */6 * * *" >/dev/null
  hold_lock pgbt-sched items
  dokku --quiet pgbackup:run pgbt-sched >"$PGBT/first" 2>&1 3>&- &
  first=$!
  wait_for sql_says pgbt-sched "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
  as_cron "$(command_of pgbt-sched)" >"$PGBT/second" 2>&1 &
  second=$!
  wait_for grep -q 'Service pgbt-sched is busy: backup since .* It waits, until' "$PGBT/second"
  release_lock pgbt-sched
  wait "$first"
  wait "$second"
  # Its time is that of its own snapshot, not that at which it began to wait.
  run dokku pgbackup:list pgbt-sched --format json
  assert_equal "$(json 'd[-2]["finishedAt"] <= d[-1]["startedAt"]' <<<"$output")" true
  assert_equal "$(json 'd[-2]["id"]' <<<"$output")" "$(<"$PGBT/first")"
}

@test "a scheduled run that waits in vain says why, ends with exit 6, and is in the log (pitfall 8)" {
  dokku pgbackup:schedule pgbt-sched "0 */6 * * *" >/dev/null
  dokku pgbackup:set pgbt-sched schedule-wait 1s >/dev/null
  hold_lock pgbt-sched items
  dokku --quiet pgbackup:run pgbt-sched >"$PGBT/first" 2>&1 3>&- &
  first=$!
  wait_for sql_says pgbt-sched "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
  run as_cron "$(command_of pgbt-sched)"
  release_lock pgbt-sched
  dokku pgbackup:set pgbt-sched schedule-wait >/dev/null
  wait "$first"
  assert_failure 6
  assert_line --regexp 'The scheduled backup of pgbt-sched \(schedule [a-z0-9]{4}\) did not get its turn: Service pgbt-sched is busy: backup since'
  run dokku pgbackup:log pgbt-sched
  assert_line --regexp ' failed .* scheduled \([a-z0-9]{4}\): The scheduled backup of pgbt-sched'
}

@test "a scheduled run gives way: its sidecar has fewer CPU shares" {
  dokku pgbackup:schedule pgbt-sched "0 */6 * * *" >/dev/null
  hold_lock pgbt-sched items
  as_cron "$(command_of pgbt-sched)" >"$PGBT/run" 2>&1 &
  running=$!
  wait_for sql_says pgbt-sched "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
  shares=$(docker ps -q --filter name=^pgbackup-pgbt-sched-2 | xargs docker inspect -f '{{.HostConfig.CpuShares}}')
  release_lock pgbt-sched
  wait "$running"
  assert_equal "$shares" 256
}

@test "a scheduled run of a schedule or a service that is gone says so with exit 4 (pitfall 9)" {
  run as_cron 'dokku pgbackup:run pgbt-sched --schedule zzzz'
  assert_failure 4
  assert_line --partial 'has no schedule zzzz'
}
