#!/usr/bin/env bash
# The schedules that the program keeps: a file a service, and the lines of all in `crontab`. Sourced by triggers, which
# must answer also where no Node runs any more.
# shellcheck disable=SC2154 # data comes from lib/host.bash

schedules=$data/schedules

# As the program does: one change at a time. Whoever holds the lock for longer must not hold up Dokku.
lock_schedules() {
  exec 9>>"$schedules/.lock" && flock -w 20 9
}

# Replaces file $1 by what comes on stdin, which must be all of it.
replace_file() {
  local new=$1.partial
  (umask 077 && cat >"$new") && if ((EUID == 0)); then chown --reference="$1" -- "$new"; fi && mv -f -- "$new" "$1"
}

write_crontab() {
  plugn trigger scheduler-cron-write </dev/null >/dev/null 2>&1 9>&-
}
