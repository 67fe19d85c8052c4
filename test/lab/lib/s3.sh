#!/usr/bin/env bash
# The S3 servers of a lab: one container each, on loopback, on ports that were free when it began.

S3_ENV=$LAB_ROOT/s3.env
S3_CERTIFICATE=$LAB_ROOT/s3-ca.pem
# Two labs on one engine have their own: the container's name says whose it is.
S3_SUFFIX=$(sha256sum <<<"$LAB_ROOT" | cut -c1-8)
declare -A S3_PORTS=()

# usage: s3_container <rgw|swift>
s3_container() { echo "pgbackup-lab-s3-$1-$S3_SUFFIX"; }

# usage: s3_answers <port> <path>: an HTTP server says 200 to a health check, within three seconds.
s3_answers() (
  local status=''
  exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
  printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
  read -r -t 3 status <&3
  [[ $status == HTTP/1.?' 200 '* ]]
) 2>/dev/null

# usage: s3_healthy <rgw|swift>
s3_healthy() {
  local port=${S3_PORTS[$1]%% *}
  case "$1" in
    rgw) s3_answers "$port" / ;;
    swift) s3_answers "$port" /healthcheck ;;
  esac
}

# usage: s3_runs <rgw|swift> <id of the image>: the container is there, from this image, and answers.
s3_runs() {
  local running image ports
  read -r running image ports < <(docker container inspect "$(s3_container "$1")" \
    -f '{{.State.Running}} {{.Image}} {{index .Config.Labels "pgbackup.lab.s3.ports"}}' 2>/dev/null) || return 1
  S3_PORTS[$1]=$ports
  [[ $running == true && $image == "$2" && ($1 != rgw || -s $S3_CERTIFICATE) ]] && s3_healthy "$1"
}

# usage: free_ports <how many>: below those that the kernel gives to clients.
free_ports() {
  local -A found=()
  local port
  while ((${#found[@]} < $1)); do
    port=$((20000 + RANDOM % 10000))
    (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || found[$port]=1
  done
  echo "${!found[@]}"
}

# usage: start_s3 <rgw|swift>
# What runs there under the name, died or hangs, goes with its data.
start_s3() {
  local name ports count=4
  name=$(s3_container "$1")
  [[ $1 == rgw ]] || count=5
  read -ra ports < <(free_ports "$count")
  docker container rm --force --volumes "$name" >/dev/null 2>&1 || true
  docker run --detach --name "$name" --network host --log-opt max-size=20m \
    --label pgbackup.lab=1 --label "pgbackup.lab.root=$LAB_ROOT" --label "pgbackup.lab.s3.ports=${ports[*]}" \
    pgbackup-lab/s3 "$1" "${ports[@]}" >/dev/null || fail "docker did not start $name"
  S3_PORTS[$1]=${ports[*]}
}

# usage: await_s3 <rgw|swift>: until it answers; fails after three minutes, or with the container.
await_s3() {
  local name deadline=$((SECONDS + 180))
  name=$(s3_container "$1")
  while ((SECONDS < deadline)); do
    for _ in {1..10}; do
      s3_healthy "$1" && return 0
      sleep 0.1
    done
    [[ $(docker container inspect -f '{{.State.Running}}' "$name") == true ]] || return 1
  done
  return 1
}

# usage: ensure_s3_servers <rgw|swift>...
ensure_s3_servers() {
  local server image missing=()
  image=$(docker image inspect -f '{{.Id}}' pgbackup-lab/s3)
  for server in "$@"; do s3_runs "$server" "$image" || missing+=("$server"); done
  for server in "${missing[@]}"; do
    say "starting $server"
    start_s3 "$server"
  done
  for server in "${missing[@]}"; do
    # Once more: somebody may have taken one of its ports since.
    await_s3 "$server" || { start_s3 "$server" && await_s3 "$server"; } || fail_s3 "$server"
    [[ $server != rgw ]] || write_certificate
  done
}

# usage: fail_s3 <rgw|swift>
fail_s3() {
  local name
  name=$(s3_container "$1")
  docker logs --tail 15 "$name" >&2 || true
  fail "$1 does not answer on ports ${S3_PORTS[$1]}; its log: docker logs $name"
}

# usage: write_certificate: the one that signs RGW's TLS, itself in fact, where any user can read it.
write_certificate() {
  docker exec "$(s3_container rgw)" cat /data/rgw/ca.pem >"$S3_CERTIFICATE.new"
  chmod 644 "$S3_CERTIFICATE.new"
  mv "$S3_CERTIFICATE.new" "$S3_CERTIFICATE"
}

# usage: write_s3_env: what tests need to know of all servers of this lab that run.
write_s3_env() {
  local http tls image server
  image=$(docker image inspect -f '{{.Id}}' pgbackup-lab/s3)
  for server in rgw swift; do
    [[ -n ${S3_PORTS[$server]:-} ]] || s3_runs "$server" "$image" || unset "S3_PORTS[$server]"
  done
  {
    if [[ -n ${S3_PORTS[rgw]:-} ]]; then
      read -r http tls _ <<<"${S3_PORTS[rgw]}"
      echo "PGBACKUP_TEST_RGW=http://127.0.0.1:$http"
      echo "PGBACKUP_TEST_RGW_KEY=testkey"
      echo "PGBACKUP_TEST_RGW_SECRET=testsecret"
      echo "PGBACKUP_TEST_RGW_TLS=https://127.0.0.1:$tls"
      echo "PGBACKUP_TEST_RGW_CA=$S3_CERTIFICATE"
    fi
    if [[ -n ${S3_PORTS[swift]:-} ]]; then
      echo "PGBACKUP_TEST_SWIFT=http://127.0.0.1:${S3_PORTS[swift]%% *}"
      echo "PGBACKUP_TEST_SWIFT_KEY=test:tester"
      echo "PGBACKUP_TEST_SWIFT_SECRET=testsecret"
    fi
  } >"$S3_ENV.new"
  chmod 644 "$S3_ENV.new"
  mv "$S3_ENV.new" "$S3_ENV"
}
