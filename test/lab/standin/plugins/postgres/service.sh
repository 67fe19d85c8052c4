#!/usr/bin/env bash
# The parts of dokku-postgres's services: names, files, containers.

SERVICES=$DOKKU_LIB_ROOT/services/postgres
# Where the host sees the same directory, when Dokku itself runs in a container.
SERVICES_HOST=${DOKKU_LIB_HOST_ROOT:-$DOKKU_LIB_ROOT}/services/postgres
export SERVICES_HOST

valid_service_name() { [[ $1 =~ ^[A-Za-z0-9_-]+$ ]]; }

random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

all_services() {
  local root
  for root in "$SERVICES"/*/; do
    root=${root%/}
    echo "${root##*/}"
  done
}

visible_services() {
  local services
  readarray -t services < <(all_services)
  filter_visible user-auth-service postgres -- "${services[@]}"
}

verify_service_name() {
  [[ -n $1 ]] || dokku_log_fail "Please specify a valid name for the service"
  if [[ ! -d $SERVICES/$1 || -z $(filter_visible user-auth-service postgres -- "$1") ]]; then
    dokku_log_fail "Postgres service $1 does not exist"
  fi
}

# Sets IMAGE, IMAGE_VERSION, PASSWORD, CUSTOM_ENV, CONFIG_OPTIONS, ALIAS, QUERYSTRING, NO_RESTART.
# shellcheck disable=SC2034
parse_service_flags() {
  IMAGE=${POSTGRES_IMAGE:-pgbackup-lab/postgres} IMAGE_VERSION=${POSTGRES_IMAGE_VERSION:-18}
  PASSWORD='' ALIAS='' QUERYSTRING='' NO_RESTART=''
  CUSTOM_ENV=$POSTGRES_CUSTOM_ENV CONFIG_OPTIONS=$POSTGRES_CONFIG_OPTIONS
  while (($# > 0)); do
    case "$1" in
      -i | --image) IMAGE=$2 && shift ;;
      -I | --image-version) IMAGE_VERSION=$2 && shift ;;
      -p | --password) PASSWORD=$2 && shift ;;
      -C | --custom-env) CUSTOM_ENV=$2 && shift ;;
      -c | --config-options) CONFIG_OPTIONS=$2 && shift ;;
      -a | --alias) ALIAS=${2^^} && shift ;;
      -q | --querystring) QUERYSTRING=${2#\?} && shift ;;
      -n | --no-restart) NO_RESTART=1 ;;
    esac
    shift
  done
}

service_url() {
  local scheme
  scheme=$([[ -z $2 ]] || app_config_get "$2" POSTGRES_DATABASE_SCHEME || true)
  echo "${scheme:-postgres}://postgres:$(<"$SERVICES/$1/PASSWORD")@dokku-postgres-${1//_/-}:5432/$(<"$SERVICES/$1/DATABASE_NAME")"
}

create_container() {
  local service=$1 root=$SERVICES/$1 name=dokku.postgres.$1
  local image version options data=/var/lib/postgresql/data
  image=$(<"$root/IMAGE") version=$(<"$root/IMAGE_VERSION")
  [[ -z ${version%%[^0-9]*} ]] || ((${version%%[^0-9]*} < 18)) || data=/var/lib/postgresql
  read -ra options <"$root/CONFIG_OPTIONS" || true

  rm -f "$root/ID"
  POSTGRES_PASSWORD=$(<"$root/PASSWORD") docker container create \
    "--cidfile=$root/ID" "--env-file=$root/ENV" --env=POSTGRES_PASSWORD "--hostname=$name" \
    --label=dokku.service=postgres --label=dokku=service --label=pgbackup.lab=1 \
    "--label=pgbackup.lab.root=${DOKKU_LIB_ROOT%/lib}" "--name=$name" \
    --restart=always "--volume=$SERVICES_HOST/$service/data:$data" "$image:$version" "${options[@]}" >/dev/null
  docker container start "$name" >/dev/null

  dokku_log_verbose_quiet "Waiting for container to be ready"
  # Over loopback: the socket also answers during the entrypoint's private first start.
  if ! docker container exec "$name" sh -c \
    'i=0; until pg_isready -q -h 127.0.0.1; do i=$((i + 1)); [ $i -lt 1200 ] || exit 1; sleep 0.05; done'; then
    docker container logs "$name" >&2
    dokku_log_fail "Postgres container $service did not start"
  fi
  dokku_log_verbose_quiet "Creating container database"
  docker container exec "$name" createdb -h /var/run/postgresql -U postgres -E utf8 \
    "$(<"$root/DATABASE_NAME")" 2>/dev/null || dokku_log_verbose_quiet 'Already exists'
  # The real plugin restarts the server with a certificate here; the lab's speaks plain text.
  dokku_log_verbose_quiet "Securing connection to database"
  dokku_log_info2 "Postgres container created: $service"
  service_info "$service"
}

# usage: inspect_service <service>: sets STATUS, ADDRESS and VERSION from one `docker inspect`.
inspect_service() {
  local id
  id=$(cat "$SERVICES/$1/ID" 2>/dev/null || true)
  STATUS='' ADDRESS='' VERSION=''
  # shellcheck disable=SC2034
  IFS='|' read -r STATUS ADDRESS VERSION < <(docker container inspect -f \
    '{{.State.Status}}|{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}|{{.Config.Image}}' "${id:-none}" 2>/dev/null) || true
  STATUS=${STATUS:-missing}
}

# usage: service_info <service> [flag]
service_info() {
  local service=$1 wanted=$2 root=$SERVICES/$1 links match='' valid='' flag key value
  STATUS='' ADDRESS='' VERSION=''
  # The engine is asked only for what it alone knows: it is most of the call's time.
  case "$wanted" in
    '' | --status | --internal-ip | --version) inspect_service "$service" ;;
  esac
  links=$(tr '\n' ' ' <"$root/LINKS")
  local flags=(
    "config-dir: $root/data" "config-options: $(<"$root/CONFIG_OPTIONS")" "data-dir: $root/data"
    "dsn: $(service_url "$service")" "exposed-ports: -" "id: $(cat "$root/ID" 2>/dev/null)"
    "internal-ip: $ADDRESS" "initial-network: " "links: ${links:--}" "post-create-network: "
    "post-start-network: " "service-root: $root" "status: $STATUS" "version: $VERSION"
  )
  [[ -n $wanted ]] || dokku_log_info2_quiet "$service postgres service information"
  for flag in "${flags[@]}"; do
    key=${flag%%:*} value=${flag#*: }
    valid+=" --$key"
    if [[ -z $wanted ]]; then
      key=${key//-/ }:
      printf '       %-20s %-25s\n' "${key^}" "$value"
    elif [[ $wanted == "--$key" ]]; then
      echo "$value"
      match=1
    fi
  done
  [[ -z $wanted || -n $match ]] || dokku_log_fail "Invalid flag passed, valid flags:$valid"
}

pause_container() {
  dokku_log_info2_quiet "Pausing container"
  docker container stop "dokku.postgres.$1" >/dev/null
  dokku_log_verbose_quiet "Container paused"
}

remove_container() {
  if ! docker container inspect "dokku.postgres.$1" >/dev/null 2>&1; then
    dokku_log_warn "Service is already paused"
    return 0
  fi
  pause_container "$1"
  dokku_log_verbose_quiet "Removing container"
  docker container rm "dokku.postgres.$1" >/dev/null
}

start_service() {
  local status
  status=$(docker container inspect -f '{{.State.Status}}' "dokku.postgres.$1" 2>/dev/null || true)
  if [[ $status == running ]]; then
    dokku_log_warn "Service is already started"
    return 0
  fi
  dokku_log_info2_quiet "Starting container"
  if [[ -n $status ]]; then
    docker container start "dokku.postgres.$1" >/dev/null
    dokku_log_info2 "Container started"
  else
    create_container "$1"
  fi
}

# The files belong to the container's uid: only a container may remove them.
remove_data() {
  local root=$SERVICES/$1
  docker container run --rm --network none --user 0 --entrypoint rm --volume "$SERVICES_HOST/$1:/service" \
    "$(<"$root/IMAGE"):$(<"$root/IMAGE_VERSION")" -rf /service/data
  rm -rf "$root"
}
