#!/usr/bin/env bats
# pgbackup:undo

load helper

setup_file() {
  begin_file
  make_service pgbt-undo
  make_items pgbt-undo 30
  make_app pgbt-back pgbt-undo
  dokku --quiet pgbackup:run pgbt-undo >/dev/null
}

teardown_file() { end_file; }

teardown() { assert_nothing_left pgbt-undo; }

items() { sql pgbt-undo 'SELECT count(*) FROM items'; }

@test "undo says so when there is nothing to undo" {
  run dokku pgbackup:undo pgbt-undo --force
  assert_failure 4
  assert_line --regexp '^ !     .*previous database'
}

@test "undo brings back the database from before the restore, with what was written until then" {
  make_items pgbt-undo 31
  oid=$(database_oid pgbt-undo)
  dokku pgbackup:restore pgbt-undo --latest --force >/dev/null
  assert_equal "$(items)" 30
  run dokku pgbackup:undo pgbt-undo --confirm pgbt-undo
  assert_success
  assert_line '=====> Database pgbt_undo of pgbt-undo is the one from before the last swap'
  assert_line --regexp '^ +Cut off: +[0-9]+ ms without the database$'
  assert_line --regexp '^ +Undo this: +dokku pgbackup:undo pgbt-undo$'
  assert_equal "$(database_oid pgbt-undo) $(items)" "$oid 31"
}

@test "an undo can itself be undone, as often as one likes" {
  sql pgbt-undo "INSERT INTO items VALUES (99, 'written after the undo')"
  for expected in 30 32 30 32; do
    run dokku pgbackup:undo pgbt-undo --force --format json
    assert_success
    assert_equal "$(json '[d["service"], d["database"], d["gap"] < 2000]' <<<"$output")" '["pgbt-undo", "pgbt_undo", true]'
    assert_equal "$(items)" "$expected"
  done
  assert_equal "$(psql_in pgbt-undo postgres -c "SELECT count(*) FROM pg_database WHERE datname LIKE 'pgbackup_%'")" 1
}

@test "undo refuses without a confirmation where there is no terminal" {
  run dokku pgbackup:undo pgbt-undo </dev/null
  assert_failure 5
  assert_line --partial 'Undo refused: '
  assert_line ' !     To go on, add: --confirm pgbt-undo'
  run dokku pgbackup:undo pgbt-undo --confirm pgbt
  assert_failure 5
  assert_equal "$(items)" 32
}

@test "undo works with people in the database, and leaves maintenance mode as it was (pitfall 42)" {
  dokku maintenance:enable pgbt-back >/dev/null 2>&1
  docker exec -d dokku.postgres.pgbt-undo psql -X -U postgres -d pgbt_undo -c 'SELECT pg_sleep(61)'
  wait_for sql_says pgbt-undo "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(61)%' AND pid <> pg_backend_pid()"
  run dokku pgbackup:undo pgbt-back --force
  assert_success
  assert_equal "$(maintenance_of pgbt-back)" true
  dokku maintenance:disable pgbt-back >/dev/null 2>&1
  run dokku pgbackup:undo pgbt-back --force
  assert_success
  assert_line '-----> Maintenance mode on for pgbt-back'
  assert_equal "$(maintenance_of pgbt-back)" false
}

@test "undo says so when somebody has dropped the previous database" {
  previous=$(psql_in pgbt-undo postgres -c "SELECT datname FROM pg_database WHERE datname LIKE 'pgbackup_previous%'")
  psql_in pgbt-undo postgres -c "DROP DATABASE $previous"
  run dokku pgbackup:undo pgbt-undo --force
  assert_failure 4
  assert_line --partial "$previous"
  assert_equal "$(items)" 32
}

@test "undo refuses a service that is stopped" {
  dokku postgres:stop pgbt-undo >/dev/null 2>&1
  run dokku pgbackup:undo pgbt-undo --force
  dokku postgres:start pgbt-undo >/dev/null 2>&1
  assert_failure 5
  assert_line --partial 'Undo refused: Service pgbt-undo is stopped'
}
