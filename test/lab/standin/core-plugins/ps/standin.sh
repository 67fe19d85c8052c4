#!/usr/bin/env bash
# ps:* as `dokku` answers it.

# shellcheck source=../common/report.sh
source "$PLUGIN_CORE_AVAILABLE_PATH/common/report.sh"
# shellcheck source=functions
source "$PLUGIN_CORE_AVAILABLE_PATH/ps/functions"

ps_report() {
  local app=$1 status id running=false deployed=false processes=0
  local lines=()
  read -r status id < <(app_state "$app")
  [[ $status != running ]] || running=true
  if is_deployed "$app"; then
    deployed=true processes=$(property_get ps "$app" scale.web 1)
    lines=("status-web.1=$status (CID: ${id:0:11})")
  fi
  print_report "$app" ps prefixed \
    "deployed=$deployed" "processes=$processes" "ps-can-scale=true" \
    "ps-computed-dockerfile-start-cmd=" "ps-computed-procfile-path=Procfile" \
    "ps-computed-restart-policy=on-failure:10" "ps-computed-skip-deploy=false" \
    "ps-computed-start-cmd=" "ps-computed-stop-timeout-seconds=30" "ps-dockerfile-start-cmd=" \
    "ps-global-procfile-path=" "ps-global-restart-policy=" "ps-global-skip-deploy=" \
    "ps-global-stop-timeout-seconds=" "ps-procfile-path=" "ps-restart-policy=" "ps-skip-deploy=" \
    "ps-start-cmd=" "ps-stop-timeout-seconds=" \
    "restore=$(property_get ps "$app" restore true)" "running=$running" "${lines[@]}"
}

cmd-ps-report() {
  parse_report_arguments "$@"
  report_apps ps_report
}

# usage: not_deployed <app>: says so; the commands that meet it exit 0.
not_deployed() {
  verify_app_name "$1"
  ! is_deployed "$1" || return 1
  dokku_log_warn "App $1 has not been deployed"
}

cmd-ps-stop() {
  ! not_deployed "$1" || return 0
  dokku_log_info1_quiet "Stopping $1"
  property_set ps "$1" restore false
  # A shell as process 1 ignores SIGTERM: the lab waits one second, where Dokku gives 30.
  docker container stop --time 1 "$1.web.1" >/dev/null
}

cmd-ps-start() {
  ! not_deployed "$1" || return 0
  local status
  read -r status _ < <(app_state "$1")
  [[ $status != running ]] || return 0
  dokku_log_warn "App has been detected as not running, releasing"
  dokku_log_info1 "Releasing $1..."
  dokku_log_info1 "Deploying $1 via the docker-local scheduler..."
  deploy_app "$1"
  dokku_log_info2 "Application deployed:"
  nginx_notice
}

cmd-ps-restart() {
  ! not_deployed "$1" || return 0
  deploy_app "$1"
}

cmd-ps-rebuild() { cmd-ps-restart "$1"; }

# usage: ps:scale <app> [web=<0|1>]
cmd-ps-scale() {
  verify_app_name "$1"
  dokku_log_info1_quiet "Scaling for $1"
  if [[ -z $2 ]]; then
    printf '%s\n' 'proctype: qty' '--------: ---' "web:  $(property_get ps "$1" scale.web 1)"
    return
  fi
  [[ $2 =~ ^web=[01]$ ]] || dokku_log_fail "The lab scales web to 0 or 1 only"
  property_set ps "$1" scale.web "${2#web=}"
  is_deployed "$1" || return 0
  if [[ $2 == web=0 ]]; then
    docker container rm --force "$1.web.1" >/dev/null
  else
    deploy_app "$1"
  fi
}
