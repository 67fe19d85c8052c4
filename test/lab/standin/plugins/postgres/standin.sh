#!/usr/bin/env bash
# dokku-postgres 1.48.0 as the recordings show it: the same files, labels, names and texts, on
# real containers. Sourced by `dokku`, one function a subcommand.

# shellcheck source=service.sh
source "$PLUGIN_AVAILABLE_PATH/postgres/service.sh"
# shellcheck source=link.sh
source "$PLUGIN_AVAILABLE_PATH/postgres/link.sh"
# shellcheck source=backup.sh
source "$PLUGIN_AVAILABLE_PATH/postgres/backup.sh"

cmd-postgres-create() {
  local service=$1
  valid_service_name "$service" ||
    dokku_log_fail "Please specify a valid name for the service. Valid characters are: [A-Za-z0-9_]+"
  [[ ! -d $SERVICES/$service ]] || dokku_log_fail "Postgres service $service already exists"
  parse_service_flags "${@:2}"
  docker image inspect "$IMAGE:$IMAGE_VERSION" >/dev/null 2>&1 ||
    dokku_log_fail "Postgres image $IMAGE:$IMAGE_VERSION pull failed"

  local root=$SERVICES/$service
  plugn trigger service-action pre-create postgres "$service"
  mkdir -p "$root/data"
  : >"$root/LINKS"
  if [[ -n $PASSWORD ]]; then
    dokku_log_warn "Specified password may not be as secure as the auto-generated password"
  fi
  echo "${PASSWORD:-$(random_hex 16)}" >"$root/PASSWORD"
  chmod 640 "$root/PASSWORD"
  tr ';' '\n' <<<"$CUSTOM_ENV" >"$root/ENV"
  echo "$CONFIG_OPTIONS" >"$root/CONFIG_OPTIONS"
  echo "$IMAGE" >"$root/IMAGE"
  echo "$IMAGE_VERSION" >"$root/IMAGE_VERSION"
  tr .- _ <<<"$service" >"$root/DATABASE_NAME"
  plugn trigger service-action post-create postgres "$service"
  create_container "$service"
  plugn trigger service-action post-create-complete postgres "$service"
}

cmd-postgres-destroy() {
  local service=$1 root=$SERVICES/$1 typed
  verify_service_name "$service"
  [[ ! -s $root/LINKS ]] || dokku_log_fail "Cannot delete linked service"
  [[ $2 != force && $2 != -f && $2 != --force ]] || DOKKU_APPS_FORCE_DELETE=1
  if [[ -z $DOKKU_APPS_FORCE_DELETE ]]; then
    dokku_log_warn "WARNING: Potentially Destructive Action"
    dokku_log_warn "This command will destroy $service Postgres service."
    dokku_log_warn "To proceed, type \"$service\""
    echo
    read -rp "> " typed || true
    if [[ $typed != "$service" ]]; then
      dokku_log_warn "Confirmation did not match $service. Aborted."
      exit 1
    fi
  fi
  dokku_log_info2_quiet "Deleting $service"
  plugn trigger service-action pre-delete postgres "$service"
  rm -f "$(cron_file "$service")"
  remove_container "$service"
  dokku_log_verbose_quiet "Removing data"
  remove_data "$service"
  plugn trigger service-action post-delete postgres "$service"
  dokku_log_info2 "Postgres container deleted: $service"
}

cmd-postgres-info() {
  verify_service_name "$1"
  service_info "$1" "$2"
}

cmd-postgres-list() {
  local services
  readarray -t services < <(visible_services)
  if ((${#services[@]} == 0)); then
    dokku_log_warn "There are no Postgres services"
    return
  fi
  dokku_log_info2_quiet "Postgres services"
  printf '%s\n' "${services[@]}"
}

cmd-postgres-exists() {
  verify_service_name "$1"
  dokku_log_info1 "Service $1 exists"
}

cmd-postgres-links() {
  verify_service_name "$1"
  cat "$SERVICES/$1/LINKS"
}

cmd-postgres-app-links() {
  local app=${1:-$DOKKU_APP_NAME} service
  verify_app_name "$app"
  for service in $(visible_services); do
    ! grep -qxF -- "$app" "$SERVICES/$service/LINKS" || echo "$service"
  done
}

cmd-postgres-linked() {
  local service=$1 app=${2:-$DOKKU_APP_NAME}
  verify_service_name "$service"
  verify_app_name "$app"
  if [[ -z $(link_variables "$service" "$app") ]]; then
    dokku_log_warn "Service $service is not linked to $app"
    exit 1
  fi
  dokku_log_info1 "Service $service is linked to $app"
}

cmd-postgres-link() {
  local service=$1 app=${2:-$DOKKU_APP_NAME} variable
  [[ -n $service ]] || dokku_log_fail "Please specify a valid name for the service"
  verify_app_name "$app"
  verify_service_name "$service"
  parse_service_flags "${@:3}"
  variable=$(link_variables "$service" "$app")
  [[ -z $variable ]] || dokku_log_fail "Already linked as ${variable//$'\n'/ }"
  variable=$(free_variable "$app")

  plugn trigger service-action pre-link postgres "$service" "$app"
  { cat "$SERVICES/$service/LINKS" && echo "$app"; } | sort -u -o "$SERVICES/$service/LINKS"
  plugn trigger service-action post-link postgres "$service" "$app"
  change_config set "$app" "$variable=$(service_url "$service" "$app")${QUERYSTRING:+?$QUERYSTRING}"
  plugn trigger service-action post-link-complete postgres "$service" "$app"
}

cmd-postgres-unlink() {
  local service=$1 app=${2:-$DOKKU_APP_NAME} variables
  verify_service_name "$service"
  verify_app_name "$app"
  parse_service_flags "${@:3}"
  readarray -t variables < <(link_variables "$service" "$app")
  plugn trigger service-action pre-unlink postgres "$service" "$app"
  forget_link "$service" "$app"
  ((${#variables[@]} > 0)) || dokku_log_fail "Not linked to app $app"
  plugn trigger service-action post-unlink postgres "$service" "$app"
  change_config unset "$app" "${variables[@]}"
  plugn trigger service-action post-unlink-complete postgres "$service" "$app"
}

cmd-postgres-stop() {
  verify_service_name "$1"
  remove_container "$1"
}

cmd-postgres-pause() {
  verify_service_name "$1"
  pause_container "$1"
}

cmd-postgres-start() {
  verify_service_name "$1"
  start_service "$1"
}

cmd-postgres-restart() {
  verify_service_name "$1"
  pause_container "$1"
  start_service "$1"
  dokku_log_info1 "Please call dokku ps:restart on all linked apps"
}

cmd-postgres-export() {
  verify_service_name "$1"
  PGPASSWORD=$(<"$SERVICES/$1/PASSWORD") docker container exec -e PGPASSWORD "dokku.postgres.$1" \
    pg_dump -Fc --no-acl --no-owner -h localhost -U postgres -w "$(<"$SERVICES/$1/DATABASE_NAME")"
}

cmd-postgres-import() {
  verify_service_name "$1"
  [[ ! -t 0 ]] || dokku_log_fail "No data provided on stdin."
  PGPASSWORD=$(<"$SERVICES/$1/PASSWORD") docker container exec -i -e PGPASSWORD "dokku.postgres.$1" \
    pg_restore -h localhost -cO --if-exists -d "$(<"$SERVICES/$1/DATABASE_NAME")" -U postgres -w
}

cmd-postgres-connect() {
  verify_service_name "$1"
  local terminal=()
  [[ ! -t 0 ]] || terminal=(-t)
  docker container exec -i "${terminal[@]}" "dokku.postgres.$1" \
    psql -v ON_ERROR_STOP=1 -h localhost -U postgres "$(<"$SERVICES/$1/DATABASE_NAME")"
}
