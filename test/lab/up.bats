#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr
# The lab comes up from nothing, again, twice at once, and after a kill.

bats_require_minimum_version 1.13.0
DEFAULT_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab}
DEFAULT_ROOT=${DEFAULT_ROOT%-up}
export PGBACKUP_LAB_ROOT=$DEFAULT_ROOT-up

setup_file() {
  PGBACKUP_LAB_ROOT=$DEFAULT_ROOT "$BATS_TEST_DIRNAME/up" --quiet --images 18
  export PGBACKUP_LAB_NODE=$DEFAULT_ROOT/node/bin/node
}

setup() {
  load ../../node_modules/bats-support/load
  load ../../node_modules/bats-assert/load
}

teardown() {
  "$BATS_TEST_DIRNAME/down"
  rm -rf "$PGBACKUP_LAB_ROOT"
}

up() { "$BATS_TEST_DIRNAME/up" --images 18 "$@"; }

@test 'a second run does nothing, in less than two seconds' {
  run -0 up
  assert_output --partial 'installing the Dokku stand-in'
  local start=$SECONDS
  run -0 up
  assert_output "lab: ready: put $PGBACKUP_LAB_ROOT/bin on PATH and use dokku"
  assert [ $((SECONDS - start)) -le 2 ]
}

@test 'what outlives the lab inherits no descriptor, and so no lock, of whoever started it' {
  run -0 bash -c '
    source "$1/lib/descriptors.sh"
    exec 4</dev/null 7</dev/null 12</dev/null
    (close_inherited_descriptors && exec find /proc/self/fd -lname /dev/null -printf "%f\n") 2>&1 </dev/null
    find /proc/self/fd -lname /dev/null -printf "%f\n" | sort -n | tr "\n" " "' - "$BATS_TEST_DIRNAME" </dev/null
  assert_output "$(printf '0\n0 4 7 12 ')"
}

@test '--quiet says nothing when all is well' {
  run -0 up --quiet
  assert_output ''
}

@test 'an unknown argument or image is refused' {
  run -1 up --fast
  assert_output --partial 'unknown argument --fast'
  run -1 up --images 12
  assert_output --partial 'unknown image 12'
}

@test 'two runs at once both succeed' {
  up --quiet &
  run -0 up --quiet
  wait $!
  run -0 "$PGBACKUP_LAB_ROOT/bin/dokku" --version
}

@test 'after kill -9 at any moment the next run completes' {
  local delay pid
  for delay in 0.02 0.05 0.1 0.15 0.2 0.3 0.5; do
    rm -rf "$PGBACKUP_LAB_ROOT"
    setsid "$BATS_TEST_DIRNAME/up" --quiet --images 18 3>&- &
    pid=$!
    sleep "$delay"
    kill -9 -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    run -0 up --quiet
    run -0 "$PGBACKUP_LAB_ROOT/bin/dokku" apps:list
    run -0 sudo -u dokku "$PGBACKUP_LAB_ROOT/node/bin/node" -e 'process.exit(0)'
  done
}

@test 'down removes the containers of its own lab alone' {
  run -0 up --quiet
  run -0 "$PGBACKUP_LAB_ROOT/bin/dokku" postgres:create down-test
  docker run -d --name down-test-neighbour --label pgbackup.lab=1 pgbackup-lab/postgres:18 sleep 60
  run -0 "$BATS_TEST_DIRNAME/down"
  run docker container ls -aq --filter 'name=^dokku.postgres.down-test$'
  assert_output ''
  run -0 docker container rm --force down-test-neighbour
  assert_output down-test-neighbour
}
