#!/usr/bin/env bash
# git:* as `dokku` answers it. What it reports lies in $DOKKU_LIB_ROOT/config/git/<app>/<key>,
# where a test may write it: sha, last-updated-at, deploy-branch.

# shellcheck source=../common/report.sh
source "$PLUGIN_CORE_AVAILABLE_PATH/common/report.sh"
# shellcheck source=../config/functions
source "$PLUGIN_CORE_AVAILABLE_PATH/config/functions"
# shellcheck source=../ps/functions
source "$PLUGIN_CORE_AVAILABLE_PATH/ps/functions"

# The real one prints what `git rev-parse HEAD` prints in the app's bare repository: the word
# HEAD itself where that branch was never pushed.
reported_sha() {
  local sha
  sha=$(property_get git "$1" sha)
  if [[ -z $sha && -e $DOKKU_ROOT/$1/HEAD ]]; then
    sha=$(git --git-dir "$DOKKU_ROOT/$1" rev-parse HEAD 2>/dev/null || true)
  fi
  echo "${sha:-HEAD}"
}

git_report() {
  local app=$1 branch keep
  branch=$(property_get git "$app" deploy-branch)
  keep=$(property_get git "$app" keep-git-dir)
  print_report "$app" git bare \
    "git-computed-archive-max-files=10000" "git-computed-archive-max-size=1073741824" \
    "git-computed-deploy-branch=${branch:-master}" "git-computed-keep-git-dir=${keep:-false}" \
    "git-deploy-branch=$branch" "git-global-archive-max-files=" "git-global-archive-max-size=" \
    "git-global-deploy-branch=" "git-global-keep-git-dir=" "git-keep-git-dir=$keep" \
    "git-last-updated-at=$(property_get git "$app" last-updated-at)" \
    "git-rev-env-var=$(property_get git "$app" rev-env-var GIT_REV)" \
    "git-sha=$(reported_sha "$app")" "git-source-image=$(property_get git "$app" source-image)"
}

cmd-git-report() {
  parse_report_arguments "$@"
  report_apps git_report
}

cmd-git-set() {
  verify_app_name "$1"
  [[ $2 =~ ^(deploy-branch|keep-git-dir|rev-env-var)$ ]] ||
    dokku_log_fail "Invalid property specified, valid properties include: deploy-branch, keep-git-dir, rev-env-var"
  if [[ -n $3 ]]; then
    dokku_log_info2_quiet "Setting $2 to $3"
  else
    dokku_log_info2_quiet "Unsetting $2"
  fi
  property_set git "$1" "$2" "$3"
}

cmd-git-from-image() {
  verify_app_name "$1"
  docker image inspect "$2" >/dev/null 2>&1 || dokku_log_fail "Unable to pull image $2"
  property_set git "$1" source-image "$2"
  release "$1" docker-image "$2" "$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')" "$2"
}

# Only in the lab: a deploy as if <sha> had been pushed to <branch>.
# usage: git:lab-deploy <app> <sha> <branch> <image> [command]...
cmd-git-lab-deploy() {
  verify_app_name "$1"
  property_set git "$1" deploy-branch "$3"
  release "$1" git-push "$2" "$2" "${@:4}"
}

# usage: release <app> <source> <source metadata> <sha> <image> [command]...
release() {
  local app=$1 lab=$DOKKU_ROOT/$1/lab
  property_set apps "$app" deploy-source "$2"
  property_set apps "$app" deploy-source-metadata "$3"
  property_set git "$app" last-updated-at "$EPOCHSECONDS"
  app_config_set "$app" "$(property_get git "$app" rev-env-var GIT_REV)=$4" >/dev/null
  mkdir -p "$lab"
  echo "$5" >"$lab/image"
  : >"$lab/command"
  (($# < 6)) || printf '%s\0' "${@:6}" >"$lab/command"
  dokku_log_info1 "Deploying $app via the docker-local scheduler..."
  deploy_app "$app"
  dokku_log_info2 "Application deployed:"
}
