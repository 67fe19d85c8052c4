#!/usr/bin/env bash
# config:* as `dokku` answers it.

# shellcheck source=functions
source "$PLUGIN_CORE_AVAILABLE_PATH/config/functions"

# Splits flags from the rest: sets ARGUMENTS and NO_RESTART.
parse_config_flags() {
  ARGUMENTS=() NO_RESTART=''
  local argument
  for argument in "$@"; do
    case "$argument" in
      --no-restart) NO_RESTART=1 ;;
      --quiet | --force | --trace) ;;
      *) ARGUMENTS+=("$argument") ;;
    esac
  done
}

cmd-config-set() {
  parse_config_flags "$@"
  verify_app_name "${ARGUMENTS[0]}"
  ((${#ARGUMENTS[@]} > 1)) || dokku_log_fail "At least one env pair must be given"
  app_config_set "${ARGUMENTS[@]}"
  [[ -n $NO_RESTART ]] || restart_if_deployed "${ARGUMENTS[0]}"
}

cmd-config-unset() {
  parse_config_flags "$@"
  verify_app_name "${ARGUMENTS[0]}"
  ((${#ARGUMENTS[@]} > 1)) || dokku_log_fail "At least one key must be given"
  app_config_unset "${ARGUMENTS[@]}"
  [[ -n $NO_RESTART ]] || restart_if_deployed "${ARGUMENTS[0]}"
}

cmd-config-get() {
  parse_config_flags "$@"
  verify_app_name "${ARGUMENTS[0]}"
  [[ -n ${ARGUMENTS[1]} ]] || dokku_log_fail "Expected: key"
  app_config_get "${ARGUMENTS[0]}" "${ARGUMENTS[1]}"
}

cmd-config-show() {
  parse_config_flags "$@"
  local pairs
  verify_app_name "${ARGUMENTS[0]}"
  readarray -t pairs < <(app_config_all "${ARGUMENTS[0]}")
  dokku_log_info2_quiet "${ARGUMENTS[0]} env vars"
  print_aligned '' "${pairs[@]}"
}
