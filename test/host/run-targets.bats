#!/usr/bin/env bats
# pgbackup:run: apps and services as its target, what their apps ran, and wrong words.

load helper

setup_file() {
  begin_file
  make_service pgbt-happy-cows
  make_service pgbt-second
  make_app pgbt-cows pgbt-happy-cows
  make_app pgbt-lonely
}

teardown_file() { end_file; }

teardown() { assert_nothing_left pgbt-happy-cows; }

@test "run takes an app for the one service linked to it, and records the app" {
  run dokku pgbackup:run pgbt-cows --format json
  assert_success
  echo "$output" >"$PGBT/app.json"
  assert_equal "$(json 'd["service"]["name"]' <"$PGBT/app.json")" pgbt-happy-cows
  assert_equal "$(json '[a["name"] for a in d["apps"]]' <"$PGBT/app.json")" '["pgbt-cows"]'
}

@test "run refuses an unknown target with what there is to do" {
  run dokku pgbackup:run pgbt-nope
  assert_failure 4
  assert_line ' !     There is no app and no Postgres service called "pgbt-nope"'
  assert_line ' !     List them: dokku apps:list, dokku postgres:list'
}

@test "run refuses a target that is no name at all" {
  for name in '' ' ' ../x 'a b' -- '$(id)' 'pgbt-happy-cows;id'; do
    run dokku pgbackup:run "$name"
    assert_failure
    [[ $status == 2 || $status == 4 ]] || fail "exit $status for [$name]: $output"
  done
}

@test "run refuses an app that is linked to no service" {
  run dokku pgbackup:run pgbt-lonely
  assert_failure 4
  assert_line --partial 'App pgbt-lonely is linked to no Postgres service'
}

@test "run asks for --service where an app is linked to several" {
  make_app pgbt-twins pgbt-happy-cows pgbt-second
  run dokku pgbackup:run pgbt-twins
  assert_failure 2
  assert_line ' !     App pgbt-twins is linked to several services: pgbt-happy-cows, pgbt-second'
  assert_line --partial '--service pgbt-'
  run dokku pgbackup:run pgbt-twins --service pgbt-second --format json
  assert_success
  assert_equal "$(json 'd["service"]["name"]' <<<"$output")" pgbt-second
  run dokku pgbackup:run pgbt-cows --service pgbt-second
  assert_failure 2
  assert_line --partial 'Service pgbt-second is not linked to pgbt-cows'
  dokku --force apps:destroy pgbt-twins >/dev/null 2>&1
}

@test "run refuses a service that is paused or stopped, and says how to start it (pitfall 9)" {
  dokku postgres:pause pgbt-second >/dev/null
  run dokku pgbackup:run pgbt-second
  assert_failure 5
  assert_line --partial 'Service pgbt-second is not running (its status is "exited")'
  assert_line --partial 'dokku postgres:start pgbt-second'
  dokku postgres:stop pgbt-second >/dev/null 2>&1
  run dokku pgbackup:run pgbt-second
  assert_failure 5
  assert_line --partial 'Service pgbt-second is stopped'
  dokku postgres:start pgbt-second >/dev/null 2>&1
  run dokku pgbackup:run pgbt-second
  assert_success
}

@test "run refuses a service whose container is paused or keeps restarting" {
  docker pause dokku.postgres.pgbt-second >/dev/null
  run timeout 20 dokku pgbackup:run pgbt-second
  docker unpause dokku.postgres.pgbt-second >/dev/null
  assert_failure 5
  assert_line --partial 'paused'
  docker exec dokku.postgres.pgbt-second sh -c 'echo broken >>"$(psql -U postgres -Atc "SHOW config_file")"'
  docker restart dokku.postgres.pgbt-second >/dev/null
  # Docker waits longer from time to time: then it is between two starts that it is seen.
  wait_for keeps_restarting 4
  run timeout 20 dokku pgbackup:run pgbt-second
  dokku --force postgres:destroy pgbt-second >/dev/null 2>&1
  make_service pgbt-second
  assert_failure 5
  assert_line --partial 'Service pgbt-second keeps restarting'
  assert_line --partial 'dokku postgres:logs pgbt-second'
}

keeps_restarting() { [[ $(docker inspect -f '{{.State.Status}} {{.RestartCount}}' dokku.postgres.pgbt-second) == "restarting "[$1-9] ]]; }

@test "run records the commit of an app from GIT_REV where git:report says the word HEAD" {
  sha=82eeec6fe1c8d1a5b0e1f2a3b4c5d6e7f8091a2b
  dokku config:set --no-restart pgbt-cows GIT_REV=$sha >/dev/null
  run dokku pgbackup:run pgbt-cows --format json
  assert_success
  assert_equal "$(json '[d["apps"][0][k] for k in ("name", "sha", "shaSource")]' <<<"$output")" "[\"pgbt-cows\", \"$sha\", \"config\"]"
}

@test "run records a short commit as it is, from the variable that git:set names" {
  dokku git:set pgbt-cows rev-env-var PGBT_REV >/dev/null 2>&1
  dokku config:set --no-restart pgbt-cows PGBT_REV=82eeec6fe1 >/dev/null
  run dokku pgbackup:run pgbt-cows --format json
  dokku git:set pgbt-cows rev-env-var >/dev/null 2>&1
  assert_success
  assert_equal "$(json 'd["apps"][0]["sha"]' <<<"$output")" 82eeec6fe1
}

@test "run records an unknown commit as unknown, never as the word HEAD" {
  dokku config:set --no-restart pgbt-cows GIT_REV=HEAD >/dev/null
  run dokku pgbackup:run pgbt-cows --format json
  assert_success
  assert_equal "$(json '[d["apps"][0][k] for k in ("sha", "shaSource", "lastUpdatedAt")]' <<<"$output")" '[null, null, null]'
  run dokku pgbackup:run pgbt-cows
  assert_line --partial 'pgbt-cows at an unknown commit'
  refute_output --partial HEAD
}

@test "run with --trace shows where an error came from" {
  run dokku pgbackup:run pgbt-nope
  refute_output --partial '    at '
  run dokku pgbackup:run pgbt-nope --trace
  assert_failure 4
  assert_output --partial '    at '
}

@test "run with --format json prints an error as JSON on stderr" {
  run_apart dokku pgbackup:run pgbt-nope --format json
  assert_failure 4
  assert_output ''
  assert_equal "$(json '[sorted(d), d["code"]]' <<<"$errors")" '[["code", "hint", "message"], "not-found"]'
}

@test "run refuses wrong words with exit 2: labels, notes, options, more arguments" {
  for word in 'level' '=1' 'Level=1' $'a=b\nc'; do
    run dokku pgbackup:run pgbt-happy-cows --label "$word"
    assert_failure 2
  done
  run dokku pgbackup:run pgbt-happy-cows --label a=1 --label a=2
  assert_failure 2
  run dokku pgbackup:run pgbt-happy-cows --note $'two\nlines'
  assert_failure 2
  run dokku pgbackup:run pgbt-happy-cows --nope
  assert_failure 2
  assert_line --partial 'Usage: dokku pgbackup:run'
  run dokku pgbackup:run pgbt-happy-cows pgbt-second
  assert_failure 2
  run dokku pgbackup:run
  assert_failure 2
}

