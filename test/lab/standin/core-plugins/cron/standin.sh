#!/usr/bin/env bash
# cron:* as `dokku` answers it. Apps of the lab have no app.json, and so no tasks of their own.

# shellcheck source=../common/report.sh
source "$PLUGIN_CORE_AVAILABLE_PATH/common/report.sh"
# shellcheck source=functions
source "$PLUGIN_CORE_AVAILABLE_PATH/cron/functions"

# usage: cron:list <app>|--global [--format json]
cmd-cron-list() {
  local target='' format=stdout entries=() entry schedule command
  while (($# > 0)); do
    case "$1" in
      --format) format=$2 && shift ;;
      *) target=$1 ;;
    esac
    shift
  done
  if [[ $target == --global ]]; then
    readarray -t entries < <(injected_entries)
  else
    verify_app_name "$target"
  fi
  if [[ $format == json ]]; then
    print_tasks_json "${entries[@]}"
    return
  fi
  {
    echo 'ID|Schedule|Concurrency|Maintenance|Command'
    for entry in "${entries[@]}"; do
      IFS=';' read -r schedule command _ <<<"$entry"
      echo "$(task_id "$entry")|$schedule||false|$command"
    done
  } | column -t -s '|' -o '  ' | sed 's/ *$//'
}

task_id() { sha1sum <<<"$1" | cut -c1-32; }

print_tasks_json() {
  local entry schedule command json=''
  for entry in "$@"; do
    IFS=';' read -r schedule command _ <<<"$entry"
    json+="${json:+,}{\"id\":\"$(task_id "$entry")\",\"command\":$(json_string "$command"),\"global\":true"
    json+=",\"schedule\":$(json_string "$schedule"),\"concurrency_policy\":\"\""
    json+=",\"app-in-maintenance\":false,\"task-in-maintenance\":false,\"maintenance\":false}"
  done
  echo "[$json]"
}

cron_report() {
  print_report "$1" cron prefixed \
    "cron-computed-mailfrom=" "cron-computed-mailto=" "cron-computed-maintenance=false" \
    "cron-global-mailfrom=" "cron-global-mailto=" "cron-global-maintenance=" \
    "cron-maintenance=" "cron-task-count=0"
}

cmd-cron-report() {
  parse_report_arguments "$@"
  report_apps cron_report
}
