#!/usr/bin/env bash
# <plugin>:report as core plugins print it: text, JSON, or one value by its flag.

json_string() {
  local value=${1//\\/\\\\}
  printf '"%s"' "${value//\"/\\\"}"
}

# usage: parse_report_arguments <argument>...: sets REPORT_APP, REPORT_FORMAT, REPORT_FLAG.
parse_report_arguments() {
  REPORT_APP='' REPORT_FORMAT=stdout REPORT_FLAG=''
  while (($# > 0)); do
    case "$1" in
      --format) REPORT_FORMAT=$2 && shift ;;
      --quiet | --trace | --force) ;;
      --*) REPORT_FLAG=$1 ;;
      *) REPORT_APP=${REPORT_APP:-$1} ;;
    esac
    shift
  done
  [[ $REPORT_FORMAT == stdout || -z $REPORT_FLAG ]] ||
    dokku_log_fail "--format flag cannot be specified when specifying an info flag"
}

# usage: report_apps <function>: for the app of the arguments, or for every app, checked.
report_apps() {
  local app apps=("$REPORT_APP")
  [[ -n $REPORT_APP ]] || readarray -t apps < <(dokku_apps)
  for app in "${apps[@]}"; do
    verify_app_name "$app"
    "$1" "$app"
  done
}

# usage: print_report <app> <type> <prefixed|bare> key=value...
# Keys come sorted. `prefixed`: JSON repeats `type-key` as `key`, as apps, ps and cron do;
# `bare`: JSON has `key` alone, as git does.
print_report() {
  local app=$1 type=$2 style=$3 pair key width=31
  shift 3
  if [[ $REPORT_FORMAT == json ]]; then
    print_report_json "$type" "$style" "$@"
    return
  fi
  if [[ -n $REPORT_FLAG ]]; then
    for pair in "$@"; do
      [[ --${pair%%=*} != "$REPORT_FLAG" ]] || { echo "${pair#*=}" && return; }
    done
    printf -v key -- '--%s, ' "${@%%=*}"
    dokku_log_fail "Invalid flag passed, valid flags: ${key%, }"
  fi
  for pair in "$@"; do
    key=--${pair%%=*}
    ((${#key} <= width)) || width=${#key}
  done
  dokku_log_info2_quiet "$app $type information"
  for pair in "$@"; do
    key=${pair%%=*} key=${key//[-.]/ }:
    printf '       %-*s%s\n' "$width" "${key^}" "${pair#*=}"
  done
}

print_report_json() {
  local type=$1 style=$2 pair key lines=() json=''
  shift 2
  for pair in "$@"; do
    key=${pair%%=*}
    [[ $key == "$type"-* && $style == bare ]] || lines+=("$pair")
    [[ $key != "$type"-* ]] || lines+=("${pair#"$type"-}")
  done
  while IFS= read -r pair; do
    json+="${json:+,}$(json_string "${pair%%=*}"):$(json_string "${pair#*=}")"
  done < <(printf '%s\n' "${lines[@]}" | LC_ALL=C sort -t= -k1,1)
  echo "{$json}"
}
