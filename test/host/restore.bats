#!/usr/bin/env bats
# pgbackup:restore of own backups: consent, plan, checks, and the database that is kept aside.
# Other sources: restore-files.bats; apps: restore-apps.bats; refusals: restore-guards.bats.

load helper

setup_file() {
  begin_file
  make_service pgbt-shop
  make_items pgbt-shop 100
  OLDER=$(take_backup pgbt-shop)
  make_items pgbt-shop 200
  NEWEST=$(take_backup pgbt-shop)
  export OLDER NEWEST
}

teardown_file() { end_file keep-previous; }

setup() { sql pgbt-shop 'TRUNCATE items; INSERT INTO items VALUES (1, $$live$$)'; }

teardown() { assert_nothing_left pgbt-shop; }

items() { sql pgbt-shop 'SELECT count(*) FROM items'; }

previous_databases() { psql_in pgbt-shop postgres -c "SELECT datname FROM pg_database WHERE datname LIKE 'pgbackup_previous%' ORDER BY 1"; }

@test "restore refuses without a confirmation where there is no terminal (pitfall 27)" {
  oid=$(database_oid pgbt-shop)
  # Of a service of the same name that is gone, nothing is told.
  run_apart dokku pgbackup:restore pgbt-shop --latest </dev/null
  assert_failure 5
  assert_equal "$errors" ' !     Restore refused: pgbt-shop already holds 1 table, and there is no terminal to confirm on.
 !     To replace it, add: --confirm pgbt-shop'
  assert_equal "$(database_oid pgbt-shop) $(items)" "$oid 1"
}

@test "restore refuses a confirmation of another name (pitfall 27)" {
  run dokku pgbackup:restore pgbt-shop --latest --confirm pgbt-shopp
  assert_failure 5
  assert_line --partial '--confirm says "pgbt-shopp", and the service is pgbt-shop'
  run dokku pgbackup:restore pgbt-shop --latest --confirm ''
  assert_failure
  assert_equal "$(items)" 1
}

@test "restore asks on a terminal, and takes the typed name alone for a yes" {
  run script -qec 'dokku pgbackup:restore pgbt-shop --latest' /dev/null <<<$'yes\r'
  assert_failure 5
  assert_output --partial 'To proceed, type "pgbt-shop"'
  assert_output --partial 'Nothing has been changed.'
  assert_equal "$(items)" 1
  run script -qec 'dokku pgbackup:restore pgbt-shop --latest' /dev/null <<<$'pgbt-shop\r'
  assert_success
  assert_equal "$(items)" 200
}

@test "restore brings the newest backup back with --latest, and says what it did" {
  run_apart dokku pgbackup:restore pgbt-shop --latest --confirm pgbt-shop
  assert_success
  assert_equal "$(grep -v 'Only one previous database is kept' <<<"$errors")" ''
  assert_line "=====> Restored $NEWEST into pgbt-shop"
  assert_line --regexp '^ +Rows: +200 in 1 table \(as the manifest says, 1 table\)$'
  assert_line --regexp '^ +Cut off: +[0-9]+ ms without the database$'
  assert_line --regexp '^ +Previous: +pgbackup_previous_[a-z0-9_]+, kept until 20'
  assert_line --regexp '^ +Undo: +dokku pgbackup:undo pgbt-shop$'
  assert_equal "$(items)" 200
}

@test "restore brings an older backup back by its id, with --force wherever it stands" {
  run dokku pgbackup:restore pgbt-shop "$OLDER" --force
  assert_success
  assert_equal "$(items)" 100
  run dokku --force pgbackup:restore pgbt-shop "$NEWEST"
  assert_success
  assert_equal "$(items)" 200
}

@test "restore with --format json prints the outcome and nothing else" {
  run_apart dokku pgbackup:restore pgbt-shop --latest --force --format json --check 'SELECT count(*) = 200 FROM items'
  assert_success
  assert_equal "$(grep -v 'Only one previous database is kept' <<<"$errors")" ''
  assert_equal "$(json '[d[k] for k in ("kind", "service", "database", "source", "rows", "tables")]' <<<"$output")" \
    "[\"restored\", \"pgbt-shop\", \"pgbt_shop\", \"$NEWEST\", 200, 1]"
  assert_equal "$(json '[(c["before"], c["after"]) for c in d["checks"]]' <<<"$output")" '[["f", "t"]]'
  assert_equal "$(json 'd["previous"]["database"]' <<<"$output")" "$(previous_databases)"
}

@test "restore with --dry-run shows the plan and changes nothing" {
  catalog() { psql_in pgbt-shop postgres -c 'SELECT oid, datname, datallowconn FROM pg_database ORDER BY 1; SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_all_tables'; }
  before=$(catalog)
  run dokku pgbackup:restore pgbt-shop --latest --dry-run
  assert_success
  assert_line --regexp "^ +Backup: +$NEWEST$"
  assert_line --regexp '^ +Database now: +pgbt_shop: .* 1 table; kept aside for undo$'
  assert_line --regexp '^ +Holds: +200 rows in 1 table,'
  assert_line --partial 'Dry run: nothing has been changed'
  run_apart dokku pgbackup:restore pgbt-shop --latest --dry-run --format json
  assert_success
  assert_equal "$(json '[d["kind"], d["plan"]["refusals"]]' <<<"$output")" '["planned", []]'
  assert_equal "$(catalog)" "$before"
  assert_equal "$(items)" 1
}

@test "restore says which backup is missing, and how to list them" {
  run dokku pgbackup:restore pgbt-shop pgbt-shop-20200101T000000Z-abcd --force
  assert_failure 4
  assert_line --partial 'Backup pgbt-shop-20200101T000000Z-abcd of pgbt-shop not found'
  assert_line --partial 'dokku pgbackup:list pgbt-shop'
  make_service pgbt-empty
  run dokku pgbackup:restore pgbt-empty --latest --force
  assert_failure 4
  assert_line " !     Service pgbt-empty has no backup in $PGBT/backups"
  dokku --force postgres:destroy pgbt-empty >/dev/null
}

@test "restore refuses wrong words with exit 2: no source, two sources, odd numbers" {
  for words in '' "$OLDER --latest" '--latest --jobs 0' '--latest --jobs many' '--latest --sha256 12' "$OLDER --before" '--latest --nope' "--latest --sha256 $(printf 'a%.0s' {1..64})"; do
    # shellcheck disable=SC2086 # several words
    run dokku pgbackup:restore pgbt-shop $words --force
    assert_failure 2
  done
  assert_equal "$(items)" 1
}

@test "restore works with one job and with four" {
  for jobs in 1 4; do
    sql pgbt-shop 'TRUNCATE items'
    run dokku pgbackup:restore pgbt-shop --latest --force --jobs $jobs
    assert_success
    assert_equal "$(items)" 200
  done
}

@test "restore fails with exit 8 when a check says no, and leaves the live database alone" {
  oid=$(database_oid pgbt-shop)
  for check in 'SELECT count(*) = 3 FROM items' 'SELECT NULL' 'SELECT 1 FROM items WHERE false' 'SELECT nope' '\! touch /tmp/pgbt-escaped' 'DELETE FROM items RETURNING true'; do
    run dokku pgbackup:restore pgbt-shop --latest --force --check 'SELECT true' --check "$check"
    assert_failure
    # What is no query at all is refused before anything is done.
    [[ $status == 8 || ($status == 2 && ($check == \\* || $check == DELETE*)) ]] || fail "exit $status for $check"
    assert_output --partial "$check"
    assert_equal "$(database_oid pgbt-shop) $(items)" "$oid 1"
  done
}

@test "restore shows each check before and after" {
  run dokku pgbackup:restore pgbt-shop --latest --force --check 'SELECT count(*) FROM items'
  assert_success
  assert_line --regexp '^ +Check: +SELECT count\(\*\) FROM items: before 1, now 200$'
}

@test "restore replaces a database with people in it, and lets them back in (pitfall 28)" {
  docker exec -d dokku.postgres.pgbt-shop psql -X -U postgres -d pgbt_shop -c 'BEGIN; SELECT * FROM items; SELECT pg_sleep(60)'
  wait_for sql_says pgbt-shop "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
  run dokku pgbackup:restore pgbt-shop --latest --force
  assert_success
  assert_equal "$(items)" 200
}

@test "restore makes the database where it is missing" {
  psql_in pgbt-shop postgres -c 'DROP DATABASE pgbt_shop WITH (FORCE)'
  run dokku pgbackup:restore pgbt-shop --latest --confirm pgbt-shop
  assert_success
  assert_output --partial 'there was no database before'
  assert_equal "$(items)" 200
}

@test "restore keeps one previous database, not two" {
  run dokku pgbackup:restore pgbt-shop "$OLDER" --force
  assert_success
  run dokku pgbackup:restore pgbt-shop "$NEWEST" --force
  assert_success
  assert_line --partial "Only one previous database is kept: that from before $OLDER was swapped in"
  previous=$(previous_databases)
  assert_equal "$(wc -w <<<"$previous")" 1
  # It is the one that was live just before, and closed to everybody.
  assert_equal "$(psql_in pgbt-shop postgres -c "SELECT datallowconn FROM pg_database WHERE datname = '$previous'")" f
}

@test "the command after its keep time drops the previous database" {
  dokku pgbackup:set pgbt-shop keep-previous 1s >/dev/null
  run dokku pgbackup:restore pgbt-shop --latest --force
  dokku pgbackup:set pgbt-shop keep-previous >/dev/null
  assert_success
  assert_equal "$(previous_databases | wc -w)" 1
  sleep 1.1
  run dokku pgbackup:run pgbt-shop
  assert_success
  assert_line --partial 'is dropped now'
  assert_equal "$(previous_databases)" ''
  run dokku pgbackup:undo pgbt-shop --force
  assert_failure 4
}

@test "restore refuses a service that is stopped" {
  make_service pgbt-stopped
  dokku postgres:stop pgbt-stopped >/dev/null 2>&1
  run dokku pgbackup:restore pgbt-shop "$NEWEST" --into pgbt-stopped --force
  dokku --force postgres:destroy pgbt-stopped >/dev/null 2>&1
  assert_failure 5
  assert_line --partial 'Restore refused: Service pgbt-stopped is stopped'
}
