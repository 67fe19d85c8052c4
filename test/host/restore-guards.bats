#!/usr/bin/env bats
# What pgbackup:restore refuses, or lets through with a warning, before anything is changed.

load helper

setup_file() {
  begin_file
  make_service pgbt-guard
  sql pgbt-guard 'CREATE ROLE pgbt_owner'
  sql pgbt-guard 'ALTER SYSTEM SET wal_level = logical'
  sql pgbt-guard 'ALTER SYSTEM SET max_prepared_transactions = 5'
  dokku postgres:restart pgbt-guard >/dev/null
  wait_for sql_says pgbt-guard 'SELECT true'
  make_items pgbt-guard 40
  sql pgbt-guard 'ALTER TABLE items OWNER TO pgbt_owner; GRANT SELECT ON items TO PUBLIC'
  ID=$(take_backup pgbt-guard)
  export ID
  make_items pgbt-guard 2
}

teardown_file() { end_file; }

teardown() { assert_nothing_left pgbt-guard; }

# usage: assert_untouched: it is still the same database with the same data.
assert_untouched() { assert_equal "$(sql pgbt-guard 'SELECT count(*) FROM items')" 2; }

# usage: write_sql <file>, statements on stdin: as pg_dump would have ended them.
write_sql() {
  {
    printf -- '--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n-- Dumped by pg_dump version 15.1\n\n'
    printf 'CREATE TABLE public.items (id int);\n'
    cat
    printf '\n--\n-- PostgreSQL database dump complete\n--\n\n'
  } >"$PGBT/$1"
  chmod 644 "$PGBT/$1"
}

@test "restore refuses while a prepared transaction would block the swap" {
  sql pgbt-guard <<<"BEGIN; INSERT INTO items VALUES (3, 'x'); PREPARE TRANSACTION 'pgbt prepared';"
  run dokku pgbackup:restore pgbt-guard "$ID" --force
  sql pgbt-guard "ROLLBACK PREPARED 'pgbt prepared'"
  assert_failure 5
  assert_line --partial 'Database pgbt_guard has prepared transactions: pgbt prepared'
  assert_untouched
}

@test "restore refuses while a logical slot would silently follow the old data (pitfall 40)" {
  sql pgbt-guard "SELECT pg_create_logical_replication_slot('pgbt_slot', 'pgoutput')" >/dev/null
  run dokku pgbackup:restore pgbt-guard "$ID" --force
  sql pgbt-guard "SELECT pg_drop_replication_slot('pgbt_slot')"
  assert_failure 5
  assert_line --partial 'logical replication slots'
  assert_line --partial 'pgbt_slot'
  assert_untouched
}

@test "restore into a service without the roles leaves owners out, and warns (pitfall 33)" {
  make_service pgbt-other
  run dokku pgbackup:restore pgbt-guard "$ID" --into pgbt-other --force
  assert_success
  assert_line ' !     These roles are not on this server: pgbt_owner. Everything will belong to the login role, without grants.'
  assert_equal "$(sql pgbt-other "SELECT tableowner, (SELECT count(*) FROM items) FROM pg_tables WHERE tablename = 'items'")" 'postgres|40'
  # The service that the backup is of was not asked.
  assert_untouched
}

@test "restore into a service with the roles keeps owners and grants" {
  run dokku pgbackup:restore pgbt-guard "$ID" --force
  assert_success
  refute_output --partial 'not on this server'
  assert_equal "$(sql pgbt-guard "SELECT tableowner FROM pg_tables WHERE tablename = 'items'")" pgbt_owner
  assert_equal "$(sql pgbt-guard "SELECT privilege_type FROM information_schema.table_privileges WHERE table_name = 'items' AND grantee = 'PUBLIC'")" SELECT
  make_items pgbt-guard 2
}

@test "restore refuses a dump whose extension the image does not have (pitfall 33)" {
  write_sql extension.sql <<<'CREATE EXTENSION IF NOT EXISTS no_such_thing WITH SCHEMA public;'
  run dokku pgbackup:restore pgbt-guard "$PGBT/extension.sql" --force
  assert_failure 5
  assert_line --partial 'lacks extensions that the source needs: no_such_thing'
  assert_untouched
}

@test "restore refuses SQL that would leave the scratch database (pitfall 37)" {
  while IFS= read -r statement; do
    write_sql leaves.sql <<<"${statement//; /$'\n'}"
    run dokku pgbackup:restore pgbt-guard "$PGBT/leaves.sql" --force
    assert_failure 5
    assert_line --regexp '^ !     Line [0-9]+ of the SQL'
  done <<'SQL'
\connect pgbt_guard; \connect postgres
\connect pgbt_guard; \connect -reuse-previous=on "dbname='postgres'"
\! touch /tmp/pgbt-escaped
\copy public.items FROM PROGRAM 'touch /tmp/pgbt-escaped'
\o |touch /tmp/pgbt-escaped
SELECT 1 \g |touch /tmp/pgbt-escaped
CREATE ROLE pgbt_intruder SUPERUSER;
ALTER ROLE postgres PASSWORD 'x';
GRANT pg_read_all_data TO PUBLIC;
COPY public.items TO PROGRAM 'touch /tmp/pgbt-escaped';
COPY public.items FROM '/etc/passwd';
DROP DATABASE postgres;
ALTER DATABASE postgres RENAME TO gone;
ALTER SYSTEM SET shared_buffers = '1GB';
CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p;
SQL
  run docker exec dokku.postgres.pgbt-guard test -e /tmp/pgbt-escaped
  assert_failure 1
  assert_untouched
}

@test "restore stays in the scratch database where SQL connects to its own" {
  write_sql connects.sql <<<$'\\connect postgres\nCREATE TABLE public.pgbt_leak (id int);'
  run dokku pgbackup:restore pgbt-guard "$PGBT/connects.sql" --force
  assert_success
  assert_line --partial 'Left out, since it would leave the scratch database: line 9: \connect postgres'
  assert_equal "$(psql_in pgbt-guard postgres -c "SELECT to_regclass('public.pgbt_leak') IS NULL")" t
  assert_equal "$(sql pgbt-guard "SELECT to_regclass('public.pgbt_leak') IS NULL")" f
  make_items pgbt-guard 2
}

@test "restore runs SQL that speaks of such things only in text" {
  write_sql text.sql <<'SQL'
COPY public.items (id) FROM stdin;
1
\.
COMMENT ON TABLE public.items IS 'DROP DATABASE postgres; \! rm -rf / \connect template1';
SQL
  run dokku pgbackup:restore pgbt-guard "$PGBT/text.sql" --force
  assert_success
  assert_equal "$(sql pgbt-guard "SELECT obj_description('items'::regclass)")" 'DROP DATABASE postgres; \! rm -rf / \connect template1'
  make_items pgbt-guard 2
}

@test "restore fails on SQL with an error in its middle, and leaves the live database alone" {
  write_sql error.sql <<<'INSERT INTO public.nope VALUES (1);'
  run dokku pgbackup:restore pgbt-guard "$PGBT/error.sql" --force
  assert_failure 9
  assert_line --partial 'nope'
  assert_untouched
}

@test "restore refuses a backup of one schema over a database that holds more" {
  sql pgbt-guard 'CREATE SCHEMA part; CREATE TABLE part.one (id int); INSERT INTO part.one VALUES (1)'
  id=$(take_backup pgbt-guard --schema part)
  run dokku pgbackup:restore pgbt-guard "$id" --force
  assert_failure 5
  assert_line --partial 'The backup holds only schema part'
  assert_untouched
  make_service pgbt-part
  run dokku pgbackup:restore pgbt-guard "$id" --into pgbt-part --force
  assert_success
  assert_equal "$(sql pgbt-part 'SELECT count(*) FROM part.one')" 1
}
