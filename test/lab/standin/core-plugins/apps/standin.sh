#!/usr/bin/env bash
# apps:* as `dokku` answers it.

# shellcheck source=../config/functions
source "$PLUGIN_CORE_AVAILABLE_PATH/config/functions"

cmd-apps-create() {
  local app=$1 root=$DOKKU_ROOT/$1
  [[ -n $app ]] || dokku_log_fail "Please specify an app to run the command on"
  [[ $app =~ ^[a-z0-9][a-z0-9.-]*$ ]] || dokku_log_fail \
    "App name must begin with lowercase alphanumeric character, and may only contain lowercase alphanumerics, dots, and hyphens"
  [[ ! -d $root ]] || dokku_log_fail "Name is already taken"
  dokku_log_info1_quiet "Creating $app..."
  mkdir -p "$root"
  echo "export NO_VHOST='1'" >"$root/ENV"
  property_set apps "$app" created-at "$EPOCHSECONDS"
  dokku_log_info1_quiet "Global server virtual host not set, disabling app vhost..."
  dokku_log_info1_quiet "No port set, setting to random open high port"
  dokku_log_info1_quiet "Random port $((30000 + RANDOM))"
  local round
  for round in 1 2; do
    dokku_log_warn "No web listeners specified for $app"
    dokku_log_info1 "Creating http nginx.conf"
    dokku_log_verbose "Reloading nginx"
    nginx_notice
  done
  : "$round"
  plugn trigger post-create "$app"
}

cmd-apps-destroy() {
  local app=$1 typed
  verify_app_name "$app"
  [[ $2 != --force ]] || DOKKU_APPS_FORCE_DELETE=1
  if [[ $DOKKU_APPS_FORCE_DELETE != 1 ]]; then
    dokku_log_warn "WARNING: Potentially Destructive Action"
    dokku_log_warn "This command will destroy app $app."
    dokku_log_warn "To proceed, type \"$app\""
    printf '> '
    read -r typed || true
    if [[ $typed != "$app" ]]; then
      echo "Confirmation did not match test. Aborted." >&2
      exit 1
    fi
  fi
  dokku_log_info1 "Destroying $app (including all add-ons)"
  plugn trigger pre-delete "$app" latest
  docker container rm --force "$app.web.1" >/dev/null 2>&1 || true
  nginx_notice
  # Twice, as recorded: the scheduler and the cron plugin each rewrite the crontab.
  plugn trigger scheduler-cron-write
  plugn trigger post-delete "$app" latest
  plugn trigger scheduler-cron-write
  dokku_log_info1 "Cleaning up..."
  dokku_log_info1 "Retiring old containers and images"
  rm -rf "${DOKKU_ROOT:?}/$app" "$DOKKU_LIB_ROOT"/config/*/"$app" "$DOKKU_LIB_ROOT/data/apps/$app"
}

cmd-apps-exists() { verify_app_name "$1"; }

cmd-apps-list() {
  local apps
  readarray -t apps < <(dokku_apps)
  ((${#apps[@]} > 0)) || dokku_log_warn "You haven't deployed any applications yet"
  ((${#apps[@]} > 0)) || return 0
  dokku_log_info2_quiet "My Apps"
  printf '%s\n' "${apps[@]}"
}

apps_report() {
  local app=$1 locked=false
  [[ ! -e $(lock_file "$app") ]] || locked=true
  print_report "$app" app prefixed \
    "app-created-at=$(property_get apps "$app" created-at)" \
    "app-deploy-source=$(property_get apps "$app" deploy-source)" \
    "app-deploy-source-metadata=$(property_get apps "$app" deploy-source-metadata)" \
    "app-dir=$DOKKU_ROOT/$app" "app-global-disable-autocreation=" "app-locked=$locked"
}

cmd-apps-report() {
  # shellcheck source=../common/report.sh
  source "$PLUGIN_CORE_AVAILABLE_PATH/common/report.sh"
  parse_report_arguments "$@"
  report_apps apps_report
}

lock_file() { echo "$DOKKU_LIB_ROOT/data/apps/$1/.deploy.lock"; }

cmd-apps-lock() {
  verify_app_name "$1"
  mkdir -p "$DOKKU_LIB_ROOT/data/apps/$1"
  : >"$(lock_file "$1")"
  dokku_log_info1 "Deploy lock created"
}

cmd-apps-locked() {
  verify_app_name "$1"
  [[ -e $(lock_file "$1") ]] || dokku_log_fail "Deploy lock does not exist"
  dokku_log_quiet "Deploy lock exists"
}

cmd-apps-unlock() {
  verify_app_name "$1"
  local file
  file=$(lock_file "$1")
  [[ -e $file ]] || dokku_log_fail "Unable to remove deploy lock"
  dokku_log_warn "A deploy may be in progress."
  dokku_log_warn "Removing the app lock will not stop in progress deploys."
  rm "$file"
  dokku_log_info1 "Deploy lock removed"
}

# The old name is deleted before post-app-rename: what follows a name must move in the setup.
cmd-apps-rename() {
  local old=$1 new=$2 kind
  verify_app_name "$old"
  [[ $new =~ ^[a-z0-9][a-z0-9.-]*$ ]] || dokku_log_fail "Please specify an new app name"
  [[ ! -d $DOKKU_ROOT/$new ]] || dokku_log_fail "Name is already taken"
  dokku_log_info1_quiet "Renaming $old to $new"
  cp -a "$DOKKU_ROOT/$old" "$DOKKU_ROOT/$new"
  for kind in "$DOKKU_LIB_ROOT"/config/*/"$old"; do cp -a "$kind" "${kind%/*}/$new"; done
  plugn trigger post-create "$new"
  plugn trigger post-app-rename-setup "$old" "$new"
  plugn trigger pre-delete "$old" latest
  docker container rename "$old.web.1" "$new.web.1" >/dev/null 2>&1 || true
  plugn trigger post-delete "$old" latest
  rm -rf "${DOKKU_ROOT:?}/$old" "$DOKKU_LIB_ROOT"/config/*/"$old" "$DOKKU_LIB_ROOT/data/apps/$old"
  plugn trigger scheduler-cron-write
  plugn trigger post-app-rename "$old" "$new"
}
