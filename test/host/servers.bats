#!/usr/bin/env bats
# Services and servers that are unlike others: names, limits, throngs.

load helper

setup_file() {
  begin_file
  # dokku-postgres allows capitals and underscores; an app may have the name of a service.
  make_service pgbt-Odd_9
  psql_in pgbt-Odd_9 pgbt_Odd_9 -c "CREATE TABLE items AS SELECT n AS id FROM generate_series(1, 60) n"
  export ODD=pgbt-Odd_9
}

teardown_file() {
  docker rm -f pgbt-crowd >/dev/null 2>&1 || true
  end_file
}

teardown() { assert_nothing_left "$ODD"; }

items() { psql_in "$ODD" pgbt_Odd_9 -c 'SELECT count(*) FROM items'; }

# usage: alter_system <setting> <value>
alter_system() { psql_in "$ODD" postgres -c "ALTER SYSTEM SET $1 = '$2'" -c 'SELECT pg_reload_conf()' >/dev/null; }

@test "a service with capitals and underscores in its name goes the whole way" {
  id=$(take_backup "$ODD")
  psql_in "$ODD" pgbt_Odd_9 -c 'TRUNCATE items'
  run dokku pgbackup:restore "$ODD" "$id" --confirm "$ODD"
  assert_success
  assert_equal "$(items)" 60
  run dokku pgbackup:undo "$ODD" --force
  assert_success
  assert_equal "$(items)" 0
  run dokku pgbackup:undo "$ODD" --force
  assert_success
  assert_equal "$(items)" 60
}

@test "the name of a service counts before that of an app" {
  make_service pgbt-same
  make_service pgbt-else
  make_app pgbt-same pgbt-else
  run dokku pgbackup:run pgbt-same --format json
  assert_success
  assert_equal "$(json 'd["service"]["name"]' <<<"$output")" pgbt-same
}

@test "time limits that the server sets for its apps do not end a backup or a restore" {
  id=$(take_backup "$ODD")
  alter_system idle_session_timeout 300ms
  alter_system idle_in_transaction_session_timeout 300ms
  alter_system transaction_timeout 300ms
  alter_system statement_timeout 300ms
  alter_system lock_timeout 300ms
  alter_system default_transaction_read_only on
  run dokku pgbackup:restore "$ODD" "$id" --force --check "$(slow_check 1)"
  restored=$status
  # While the dump waits for a lock, the transaction that counts the rows is idle.
  docker exec -d "dokku.postgres.$ODD" psql -X -q -U postgres -d pgbt_Odd_9 -c \
    "SET transaction_timeout = 0; SET statement_timeout = 0; BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5)"
  sleep 0.3
  run dokku pgbackup:run "$ODD"
  psql_in "$ODD" postgres <<<'SET default_transaction_read_only = off; SET statement_timeout = 0; ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()' >/dev/null
  assert_success
  assert_equal "$restored" 0
}

@test "a database that lets nobody in but superusers is backed up and restored, and stays so" {
  psql_in "$ODD" postgres -c 'ALTER DATABASE "pgbt_Odd_9" CONNECTION LIMIT 0'
  run dokku pgbackup:run "$ODD"
  assert_success
  run dokku pgbackup:restore "$ODD" --latest --force
  assert_success
  assert_equal "$(psql_in "$ODD" postgres -c "SELECT datconnlimit FROM pg_database WHERE datname = 'pgbt_Odd_9'")" 0
  psql_in "$ODD" postgres -c 'ALTER DATABASE "pgbt_Odd_9" CONNECTION LIMIT -1'
}

@test "eight clients that come back at once cannot keep the swap from happening (pitfall 28)" {
  id=$(take_backup "$ODD")
  # shellcheck disable=SC2016 # for the shell in the container
  docker run -d --name pgbt-crowd --network "container:dokku.postgres.$ODD" --entrypoint bash \
    -e PGPASSWORD="$(dokku postgres:info "$ODD" --dsn | sed 's/.*postgres:\(.*\)@.*/\1/')" "$(docker inspect -f '{{.Image}}' "dokku.postgres.$ODD")" -c '
    for n in 1 2 3 4 5 6 7 8; do
      while :; do psql -X -q -h 127.0.0.1 -U postgres -d pgbt_Odd_9 -c "SELECT count(*) FROM items, pg_sleep(0.1)"; done >/dev/null 2>&1 &
    done
    wait' >/dev/null
  sleep 0.5
  run_apart dokku pgbackup:restore "$ODD" "$id" --force --format json
  docker rm -f pgbt-crowd >/dev/null
  assert_success
  assert_equal "$(json 'd["gap"] < 2000' <<<"$output")" true
  assert_equal "$(items)" 60
}

@test "restore refuses what has no end or cannot be read twice, and does not hang" {
  mkfifo "$PGBT/pipe"
  chmod 666 "$PGBT/pipe"
  for path in /dev/zero "$PGBT/pipe" /dev/stdin; do
    run timeout 20 dokku pgbackup:restore "$ODD" "$path" --force </dev/null
    assert_failure 5
    assert_line --partial "dokku pgbackup:restore $ODD - --confirm $ODD < $path"
  done
}
