#!/usr/bin/env bash
# dokku-maintenance 0.10.1 as the recordings show it. There is no nginx behind it.

# shellcheck source=../../core-plugins/common/report.sh
source "$PLUGIN_CORE_AVAILABLE_PATH/common/report.sh"

switch_file() { echo "$DOKKU_ROOT/$1/nginx.conf.d/maintenance.conf"; }

cmd-maintenance-enable() {
  local app=${1:-$DOKKU_APP_NAME} file
  verify_app_name "$app"
  file=$(switch_file "$app")
  if [[ -f $file ]]; then
    dokku_log_info1 "Maintenance mode already enabled"
    return
  fi
  dokku_log_info1 "Enabling maintenance mode for $app..."
  mkdir -p "${file%/*}"
  echo "# 503 for everybody" >"$file"
  nginx_notice
  dokku_log_verbose "Done"
}

cmd-maintenance-disable() {
  local app=${1:-$DOKKU_APP_NAME} file
  verify_app_name "$app"
  file=$(switch_file "$app")
  if [[ ! -f $file ]]; then
    dokku_log_info1 "Maintenance mode already disabled"
    return
  fi
  dokku_log_info1 "Disabling maintenance mode for $app..."
  rm "$file"
  nginx_notice
  dokku_log_verbose "Done"
}

maintenance_report() {
  local app=$1 enabled=false page
  [[ ! -f $(switch_file "$app") ]] || enabled=true
  page=$(property_get maintenance "$app" custom-page-sha256)
  if [[ $REPORT_FORMAT == json ]]; then
    printf '{"enabled":"%s","custom-page-sha256":"%s"}\n' "$enabled" "$page"
    return
  fi
  case "$REPORT_FLAG" in
    '')
      dokku_log_info2_quiet "$app maintenance information"
      printf '       %-30s %-25s\n' "Maintenance enabled:" "$enabled" "Maintenance custom page sha256:" "$page"
      ;;
    --maintenance-enabled) echo "$enabled" ;;
    --maintenance-custom-page-sha256)
      [[ -n $page ]] || dokku_log_fail "not deployed"
      echo "$page"
      ;;
    *) dokku_log_fail "Invalid flag passed, valid flags: --maintenance-enabled --maintenance-custom-page-sha256" ;;
  esac
}

cmd-maintenance-report() {
  parse_report_arguments "$@"
  report_apps maintenance_report
}
