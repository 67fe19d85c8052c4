#!/usr/bin/env bash
# What a link is: a line in LINKS and a variable in the app's environment.

# shellcheck source=../../core-plugins/config/functions
source "$PLUGIN_CORE_AVAILABLE_PATH/config/functions"

# usage: link_variables <service> <app>: names of the app's variables that point at the service.
link_variables() {
  local url key value
  url=$(service_url "$1" "$2")
  while IFS='=' read -r key value; do
    [[ $value != "$url"* ]] || echo "$key"
  done < <(app_config_all "$2")
}

# DATABASE_URL, or when that is taken a name with a colour in it.
free_variable() {
  local app=$1 colour
  if [[ -n $ALIAS ]]; then
    ! app_config_get "$app" "${ALIAS%_URL}_URL" >/dev/null || dokku_log_fail "Specified alias ${ALIAS%_URL} already in use"
    echo "${ALIAS%_URL}_URL"
    return
  fi
  for colour in DATABASE DOKKU_POSTGRES_{AQUA,BLACK,BLUE,FUCHSIA,GRAY,GREEN,LIME,MAROON,NAVY,OLIVE}; do
    app_config_get "$app" "${colour}_URL" >/dev/null || { echo "${colour}_URL" && return; }
  done
  dokku_log_fail "Unable to use default or generated URL alias"
}

forget_link() {
  local rest
  rest=$(grep -vxF -- "$2" "$SERVICES/$1/LINKS" || true)
  printf '%s' "${rest:+$rest$'\n'}" >"$SERVICES/$1/LINKS"
}

# usage: change_config <set|unset> <app> <argument>...
change_config() {
  if [[ -n $NO_RESTART || $DOKKU_GLOBAL_FLAGS == *--no-restart* ]]; then
    "app_config_$1" "$2" "${@:3}"
    dokku_log_verbose "Skipping restart of linked app"
  else
    "app_config_$1" "$2" "${@:3}"
    restart_if_deployed "$2"
  fi
}
