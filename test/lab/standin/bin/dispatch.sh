#!/usr/bin/env bash
# How an argument list becomes a plugin's subcommand. Sourced by `dokku`.

# --quiet, --force, --trace and --app count wherever they stand, and stay where they stand.
export_global_flags() {
  local argument previous='' flags=''
  for argument in "$@"; do
    if [[ $previous == --app ]]; then
      export DOKKU_APP_NAME=$argument
      flags+=" --app=$argument"
      previous=''
      continue
    fi
    case "$argument" in
      --quiet) export DOKKU_QUIET_OUTPUT=1 ;;
      --trace) export DOKKU_TRACE=1 ;;
      --force) export DOKKU_APPS_FORCE_DELETE=1 ;;
    esac
    [[ $argument != --* || $argument == --app ]] || flags+=" $argument"
    previous=$argument
  done
  [[ -n $DOKKU_GLOBAL_FLAGS ]] || export DOKKU_GLOBAL_FLAGS=${flags# }
}

# Flags before the command are dropped from the list, `--app x` with its value. `--version` is
# the exception: it is a command. Leaves the result in the array COMMAND.
strip_leading_flags() {
  while [[ ${1:-} == --* && $1 != --version ]]; do
    if [[ $1 == --app && $# -gt 1 ]]; then shift 2; else shift; fi
  done
  # shellcheck disable=SC2034 # read by `dokku`
  COMMAND=("$@")
}

# has_trigger <name>: does any enabled plugin answer it?
has_trigger() {
  local hooks=("$PLUGIN_ENABLED_PATH"/*/"$1")
  ((${#hooks[@]} > 0))
}

run_command() {
  local name=$1 plugin=${1%%:*} verb=${1#*:}
  local home=$PLUGIN_ENABLED_PATH/$plugin

  # Core plugins get the app of --app as their first argument; others read DOKKU_APP_NAME.
  if [[ -n $DOKKU_APP_NAME && $(readlink -f "$home") == *core-plugins* ]]; then
    set -- "$name" "$DOKKU_APP_NAME" "${@:2}"
  fi

  if [[ -x $home/subcommands/default && $name == "$plugin" ]]; then
    "$home/subcommands/default" "$@"
    return
  fi
  if [[ -n $verb && -x $home/subcommands/$verb ]]; then
    "$home/subcommands/$verb" "$@"
    return
  fi
  # The stand-in's own plugins: one file of functions each, in this very shell. It saves a
  # process a call, and tests make thousands.
  if [[ -e $home/standin.sh ]]; then
    # shellcheck source=/dev/null
    source "$home/standin.sh"
    if declare -F "cmd-$plugin-$verb" >/dev/null; then
      "cmd-$plugin-$verb" "${@:2}"
      return
    fi
  fi
  ask_every_plugin "$@"
}

# Nobody's subcommand: every plugin's `commands` is asked, and says 10 for "not mine".
ask_every_plugin() {
  local script status implemented=''
  for script in "$PLUGIN_ENABLED_PATH"/*/commands; do
    status=0
    "$script" "$@" || status=$?
    [[ $status == "$DOKKU_NOT_IMPLEMENTED_EXIT" ]] && continue
    implemented=1
    [[ $status == "$DOKKU_VALID_EXIT" ]] || exit "$status"
  done
  [[ -z $implemented ]] || return 0
  dokku_log_warn "\`$*\` is not a dokku command."
  dokku_log_warn "See \`dokku help\` for a list of available commands."
  exit 1
}

# usage: help_lines <core|community>
help_lines() {
  local script core
  for script in "$PLUGIN_ENABLED_PATH"/*/commands; do
    core=community
    [[ $(readlink -f "$script") != *core-plugins* ]] || core=core
    [[ $core != "$1" ]] || "$script" help
  done | LC_ALL=C sort
}

print_help() {
  # Without a terminal the frame is left out. Never exported: nested calls would go quiet too.
  local quiet=$DOKKU_QUIET_OUTPUT
  has_tty || quiet=1
  [[ -n $quiet ]] || printf '%s\n' 'Usage: dokku [--quiet|--trace|--force] COMMAND <app> [command-specific-options]' '' \
    'Primary help options, type "dokku COMMAND:help" for more details, or dokku help --all to see all commands.' '' 'Commands:' ''
  if [[ ${1:-} == --all ]]; then
    help_lines core | column -c2 -t -s,
  else
    # One line a plugin: lines with a colon are the plugins' subcommands.
    help_lines core | sed -e '/^.*:/d' -e 's/\s[\[\<\-\(].*,/,/' | column -c2 -t -s,
  fi
  [[ -n $quiet ]] || printf '%s\n' '' 'Community plugin commands:' ''
  help_lines community | column -c2 -t -s,
}
