#!/usr/bin/env bats
# What comes back is what was there: pg_dump's text and the hash of every table are the same, on
# every major version and from one to the next.

load helper

setup_file() {
  begin_file
  for major in 15 17 18; do
    make_service "pgbt-rich$major" --image-version "$major"
    make_rich "pgbt-rich$major"
  done
}

teardown_file() { end_file; }

# usage: dump_of <service> [flags of pg_dump]...: its text without what differs from run to run.
dump_of() {
  docker exec "dokku.postgres.$1" pg_dump -U postgres "${@:2}" "$(database_of "$1")" |
    sed -e '/^\\restrict /d' -e '/^\\unrestrict /d' -e '/^-- Dumped /d'
}

# usage: remember <service> <as> [flags of pg_dump]...; assert_same <as> <service> [flags of pg_dump]...
remember() { dump_of "$1" "${@:3}" >"$PGBT/$2.sql" && hashes_of "$1" >"$PGBT/$2.hashes"; }

assert_same() {
  assert_same_content "$1" "$2"
  run diff "$PGBT/$1.sql" <(dump_of "$2" "${@:3}")
  assert_success
}

assert_same_content() {
  run diff "$PGBT/$1.hashes" <(hashes_of "$2")
  assert_success
}

# usage: round_trip <major>: into a new service, and in place.
round_trip() {
  local service=pgbt-rich$1 id
  remember "$service" "$1"
  assert [ "$(wc -l <"$PGBT/$1.hashes")" -ge 25 ]
  id=$(take_backup "$service")
  make_service "pgbt-new$1" --image-version "$1"
  make_roles "pgbt-new$1"
  run dokku pgbackup:restore "$service" "$id" --into "pgbt-new$1" --force
  assert_success
  refute_output --partial ' !     These roles'
  assert_same "$1" "pgbt-new$1"
  remember "$service" "$1-whole" -C
  sql "$service" 'DROP SCHEMA app CASCADE' 2>/dev/null
  run dokku pgbackup:restore "$service" "$id" --force
  assert_success
  assert_same "$1-whole" "$service" -C
}

@test "a rich database on PostgreSQL 15 comes back the same, into a new service and in place (pitfalls 11, 12)" { round_trip 15; }

@test "a rich database on PostgreSQL 17 comes back the same, into a new service and in place (pitfalls 11, 12)" { round_trip 17; }

@test "a rich database on PostgreSQL 18 comes back the same, into a new service and in place (pitfalls 11, 12)" { round_trip 18; }

@test "a backup goes up from PostgreSQL 15 to 17 and on to 18 (pitfall 32)" {
  id=$(take_backup pgbt-rich15)
  run dokku pgbackup:restore pgbt-rich15 "$id" --into pgbt-new17 --force
  assert_success
  assert_same_content 15 pgbt-new17
  id=$(take_backup pgbt-new17)
  run dokku pgbackup:restore pgbt-new17 "$id" --into pgbt-new18 --force
  assert_success
  assert_same_content 15 pgbt-new18
}

@test "a backup does not go down to an older PostgreSQL, and neither does a file (pitfall 32)" {
  before=$(database_oid pgbt-rich17)
  id=$(take_backup pgbt-rich18)
  run dokku pgbackup:restore pgbt-rich18 "$id" --into pgbt-rich17 --force
  assert_failure 5
  assert_line --partial 'The source is from PostgreSQL 18, and service pgbt-rich17 runs 17'
  assert_line --partial 'dokku postgres:create pgbt-rich17-new --image-version 18'
  docker exec dokku.postgres.pgbt-rich18 pg_dump -U postgres -Fc pgbt_rich18 >"$PGBT/18.dump"
  docker exec dokku.postgres.pgbt-rich18 pg_dump -U postgres pgbt_rich18 >"$PGBT/18.sql"
  for file in 18.dump 18.sql; do
    run dokku pgbackup:restore pgbt-rich17 - --force <"$PGBT/$file"
    assert_failure 5
    assert_output --partial '18'
  done
  assert_equal "$(database_oid pgbt-rich17)" "$before"
}

@test "what belongs to the database and not to its content survives the swap, and its undo (pitfall 11)" {
  psql_in pgbt-rich18 postgres <<'SQL'
CREATE ROLE pgbt_reader;
ALTER DATABASE pgbt_rich18 SET search_path = app, "Ä b ""q""", public;
ALTER DATABASE pgbt_rich18 SET DateStyle = 'ISO, DMY';
ALTER DATABASE pgbt_rich18 SET work_mem = '7MB';
ALTER DATABASE pgbt_rich18 SET app.motto = 'it''s "quoted", with = and \ signs';
ALTER DATABASE pgbt_rich18 SET default_transaction_read_only = on;
ALTER DATABASE pgbt_rich18 SET statement_timeout = '20s';
ALTER ROLE "pgbt r ö""le" IN DATABASE pgbt_rich18 SET search_path = "$user", app;
ALTER ROLE pgbt_app IN DATABASE pgbt_rich18 SET statement_timeout = '9s';
COMMENT ON DATABASE pgbt_rich18 IS 'ours; don''t touch';
ALTER DATABASE pgbt_rich18 CONNECTION LIMIT 42;
REVOKE ALL ON DATABASE pgbt_rich18 FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE pgbt_rich18 TO pgbt_reader WITH GRANT OPTION;
GRANT CREATE ON DATABASE pgbt_rich18 TO "pgbt r ö""le";
ALTER DATABASE pgbt_rich18 OWNER TO pgbt_app;
SQL
  # Sorted: neither settings nor grants have an order.
  dump_of pgbt-rich18 -C | LC_ALL=C sort >"$PGBT/before.sql"
  run grep -cE '^(ALTER (DATABASE|ROLE) .* SET|COMMENT ON DATABASE|GRANT .* ON DATABASE)' "$PGBT/before.sql"
  assert [ "$output" -ge 11 ]
  run dokku pgbackup:run pgbt-rich18
  assert_success
  run dokku pgbackup:restore pgbt-rich18 --latest --force
  assert_success
  run diff "$PGBT/before.sql" <(dump_of pgbt-rich18 -C | LC_ALL=C sort)
  assert_success
  run dokku pgbackup:undo pgbt-rich18 --force
  assert_success
  run diff "$PGBT/before.sql" <(dump_of pgbt-rich18 -C | LC_ALL=C sort)
  assert_success
}

@test "an empty database comes back empty" {
  make_service pgbt-void
  dump_of pgbt-void >"$PGBT/void.sql"
  run dokku pgbackup:run pgbt-void
  assert_success
  sql pgbt-void 'CREATE TABLE something (id int)'
  run dokku pgbackup:restore pgbt-void --latest --force
  assert_success
  assert_output --partial '0 in 0 tables (as the manifest says, 0 tables)'
  run diff "$PGBT/void.sql" <(dump_of pgbt-void)
  assert_success
}

@test "a database without its schema public comes back without it" {
  sql pgbt-void 'DROP SCHEMA public; CREATE SCHEMA lone; CREATE TABLE lone.t (id int)'
  dump_of pgbt-void >"$PGBT/void.sql"
  id=$(take_backup pgbt-void)
  run dokku pgbackup:restore pgbt-void "$id" --force
  assert_success
  run diff "$PGBT/void.sql" <(dump_of pgbt-void)
  assert_success
  assert_equal "$(sql pgbt-void "SELECT count(*) FROM pg_namespace WHERE nspname = 'public'")" 0
  sql pgbt-void 'DROP SCHEMA lone CASCADE; CREATE SCHEMA public' 2>/dev/null
}

@test "a database of 2,000 tables comes back the same, with room for little more than pg_dump's own locks (pitfall 35)" {
  # In portions: one transaction may not make them all.
  for portion in 0 1 2 3; do
    sql pgbt-void "DO \$\$ BEGIN FOR n IN 1..500 LOOP
      EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, x text); INSERT INTO t%s VALUES (%s, %L)', $portion * 500 + n, $portion * 500 + n, n, n);
    END LOOP; END \$\$"
  done
  sql pgbt-void 'ALTER SYSTEM SET max_locks_per_transaction = 16'
  dokku postgres:restart pgbt-void >/dev/null
  wait_for sql pgbt-void 'SELECT' 2>/dev/null
  remember pgbt-void many
  run dokku pgbackup:run pgbt-void --format json
  assert_success
  assert_equal "$(json '[len(d["rows"]), sum(t["rows"] for t in d["rows"])]' <<<"$output")" '[2000, 2000]'
  sql pgbt-void 'DROP TABLE t1, t2000'
  run dokku pgbackup:restore pgbt-void --latest --force
  assert_success
  assert_same many pgbt-void
}
