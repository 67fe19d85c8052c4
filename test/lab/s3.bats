#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr
# The S3 servers come up from nothing, are found again, and recover from whatever happened to them.

bats_require_minimum_version 1.13.0
DEFAULT_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab}
DEFAULT_ROOT=${DEFAULT_ROOT%-s3}
export PGBACKUP_LAB_ROOT=$DEFAULT_ROOT-s3

setup_file() { "$BATS_TEST_DIRNAME/s3-down"; }

setup() {
  load ../../node_modules/bats-support/load
  load ../../node_modules/bats-assert/load
}

teardown_file() {
  "$BATS_TEST_DIRNAME/s3-down"
  rm -rf "$PGBACKUP_LAB_ROOT"
}

s3_up() { "$BATS_TEST_DIRNAME/s3-up" --quiet "$@"; }
container() { docker container ls -aq --filter "label=pgbackup.lab.root=$PGBACKUP_LAB_ROOT" --filter "name=$1"; }

# usage: endpoint <name of the variable> <its text>...
endpoint() { sed -n "s/^$1=//p" <<<"$2"; }

# usage: answers <name of the variable> <its text> [path]
answers() {
  bash -c 'source "$1/lib/common.sh" && source "$1/lib/s3.sh" && s3_answers "$2" "$3"' - \
    "$BATS_TEST_DIRNAME" "$(endpoint "$1" "$2" | grep -o '[0-9]*$')" "${3:-/}"
}

rgw_answers() { answers PGBACKUP_TEST_RGW "$1"; }
swift_answers() { answers PGBACKUP_TEST_SWIFT "$1" /healthcheck; }

@test 'prints the environment of both servers, on loopback, and a certificate that anybody can read' {
  run -0 --separate-stderr s3_up
  assert_equal "$stderr" ''
  assert_equal "$output" "$(<"$PGBACKUP_LAB_ROOT/s3.env")"
  assert_equal "$(cut -d= -f1 <<<"$output" | tr '\n' ' ')" "$(
    printf 'PGBACKUP_TEST_%s ' RGW RGW_KEY RGW_SECRET RGW_TLS RGW_CA SWIFT SWIFT_KEY SWIFT_SECRET
  )"
  rgw_answers "$output"
  swift_answers "$output"
  local ports port
  readarray -t ports < <(grep -o '[0-9]*$' <<<"$output")
  for port in "${ports[@]}"; do
    run ! bash -c ": <>/dev/tcp/$(hostname -I | cut -d' ' -f1)/$port"
  done
  run -0 setpriv --reuid=65534 --regid=65534 --clear-groups cat "$PGBACKUP_LAB_ROOT/s3-ca.pem"
  assert_output --partial 'BEGIN CERTIFICATE'
}

@test 'a second run finds them as they are, in less than two seconds' {
  run -0 s3_up
  local first=$output before start=$SECONDS
  before=$(container s3-)
  run -0 s3_up rgw
  assert_output "$first"
  assert_equal "$(container s3-)" "$before"
  assert [ $((SECONDS - start)) -le 2 ]
}

@test 'a server that was killed, or that hangs, is started anew' {
  s3_up >/dev/null
  local rgw swift
  rgw=$(container s3-rgw) swift=$(container s3-swift)
  docker kill "$rgw" >/dev/null
  docker pause "$swift" >/dev/null
  run -0 s3_up
  assert [ "$(container s3-rgw)" != "$rgw" ]
  assert [ "$(container s3-swift)" != "$swift" ]
  rgw_answers "$output"
  swift_answers "$output"
}

@test 'a container ends with any of its daemons' {
  s3_up rgw >/dev/null
  local rgw
  rgw=$(container s3-rgw)
  docker exec "$rgw" bash -c 'kill -9 "$(</data/rgw/run/osd.0.pid)"'
  run -0 timeout 20 docker wait "$rgw"
  assert_output 1
}

@test 'a container that is restarted has its ports and its data' {
  run -0 s3_up swift
  local before=$output swift
  swift=$(container s3-swift)
  docker restart --time 5 "$swift" >/dev/null
  local deadline=$((SECONDS + 100))
  until swift_answers "$before" || ((SECONDS > deadline)); do sleep 0.2; done
  run -0 s3_up swift
  assert_equal "$(endpoint PGBACKUP_TEST_SWIFT "$output")" "$(endpoint PGBACKUP_TEST_SWIFT "$before")"
  assert_equal "$(container s3-swift)" "$swift"
}

@test 'after kill -9 at any moment the next run completes' {
  local delay pid
  for delay in 0.3 1.5; do
    "$BATS_TEST_DIRNAME/s3-down"
    setsid "$BATS_TEST_DIRNAME/s3-up" --quiet swift >/dev/null 3>&- &
    pid=$!
    sleep "$delay"
    kill -9 -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    run -0 s3_up swift
    swift_answers "$output"
  done
}

@test 'down removes the servers of its own lab alone, with their data' {
  s3_up swift >/dev/null
  local volume
  volume=$(docker container inspect -f '{{(index .Mounts 0).Name}}' "$(container s3-swift)")
  PGBACKUP_LAB_ROOT=$PGBACKUP_LAB_ROOT-beside run -0 s3_up swift
  run -0 "$BATS_TEST_DIRNAME/s3-down"
  assert_equal "$(container s3-)" ''
  assert [ ! -e "$PGBACKUP_LAB_ROOT/s3.env" ]
  run ! docker volume inspect "$volume"
  PGBACKUP_LAB_ROOT=$PGBACKUP_LAB_ROOT-beside
  swift_answers "$(<"$PGBACKUP_LAB_ROOT/s3.env")"
  run -0 "$BATS_TEST_DIRNAME/down"
  assert_equal "$(container s3-)" ''
  rm -rf "$PGBACKUP_LAB_ROOT"
}

@test 'an unknown argument is refused' {
  run -1 s3_up minio
  assert_output --partial 'unknown argument minio'
}

@test 'a build that was killed leaves no mount behind' {
  # The real bootstrap takes a minute and mounts as this one does.
  cat >"$BATS_TEST_TMPDIR/bootstrap" <<'END'
#!/usr/bin/env bash
mkdir "$TMPDIR/root" && mount -t proc proc "$TMPDIR/root" && touch "$(dirname "$0")/mounted"
exec sleep 60
END
  chmod +x "$BATS_TEST_TMPDIR/bootstrap"
  mkdir -p "$PGBACKUP_LAB_ROOT/log"
  # shellcheck disable=SC2016 # expanded by the inner shell
  setsid bash -c 'source "$1/lib/common.sh" && source "$1/lib/images.sh" && import_base tag "$2"' - \
    "$BATS_TEST_DIRNAME" "$BATS_TEST_TMPDIR/bootstrap" >/dev/null 2>&1 3>&- &
  local pid=$!
  until [[ -e $BATS_TEST_TMPDIR/mounted ]]; do sleep 0.1; done
  kill -9 -- "-$pid"
  wait "$pid" 2>/dev/null || true
  run ! grep -F "$PGBACKUP_LAB_ROOT" /proc/self/mounts
  run -0 rm -rf "$PGBACKUP_LAB_ROOT/tmp"
}
