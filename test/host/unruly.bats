#!/usr/bin/env bats
# What lies in a database, or where a command is typed, must neither break a backup nor be let in by it.

load helper

setup_file() {
  begin_file
  make_service pgbt-odd --image-version 18
  make_app pgbt-odd-web pgbt-odd
}

teardown_file() { end_file; }

# A database like new for each, so that none is in another's way.
setup() {
  sql pgbt-odd "DROP OWNED BY pgbt_tenant CASCADE; DROP ROLE pgbt_tenant" 2>/dev/null || true
  sql pgbt-odd <<'SQL'
DROP EVENT TRIGGER IF EXISTS on_in;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
GRANT ALL ON SCHEMA public TO PUBLIC;
SQL
  make_items pgbt-odd 30
}

teardown() { assert_nothing_left pgbt-odd; }

# usage: assert_comes_back: a backup of now replaces what is changed then.
assert_comes_back() {
  local id
  id=$(take_backup pgbt-odd)
  sql pgbt-odd 'DELETE FROM items'
  run dokku pgbackup:restore pgbt-odd "$id" --force "$@"
  assert_success
  assert_equal "$(sql pgbt-odd 'SELECT count(*) FROM items')" 30
}

@test "every command works where root stands, in a directory that user dokku cannot enter" {
  mkdir -m 0700 "$BATS_TEST_TMPDIR/root"
  cd "$BATS_TEST_TMPDIR/root"
  assert_comes_back
  for line in 'report pgbt-odd' 'verify pgbt-odd' 'undo pgbt-odd --force' 'doctor pgbt-odd' 'restore pgbt-odd --latest --dry-run' 'info pgbt-odd-web' 'set pgbt-odd jobs 2'; do
    # shellcheck disable=SC2086 # words
    run dokku pgbackup:$line
    assert_success
  done
  dokku pgbackup:set pgbt-odd jobs >/dev/null
  dokku pgbackup:download pgbt-odd >dump
  run dokku pgbackup:restore pgbt-odd - --confirm pgbt-odd <dump
  assert_success
  assert_equal "$(sql pgbt-odd 'SELECT count(*) FROM items')" 30
}

@test "and in one that is gone" {
  mkdir "$BATS_TEST_TMPDIR/gone"
  cd "$BATS_TEST_TMPDIR/gone"
  rmdir "$BATS_TEST_TMPDIR/gone"
  run dokku pgbackup:run pgbt-odd
  cd /
  assert_success
}

@test "an operator that somebody has made is not run by the superuser of a backup or a restore" {
  sql pgbt-odd <<'SQL'
CREATE ROLE pgbt_tenant LOGIN;
ALTER SCHEMA public OWNER TO pgbt_tenant;
SET ROLE pgbt_tenant;
CREATE TABLE public.trodden (by text);
CREATE FUNCTION public.evil(a name, b name) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
  IF current_setting('is_superuser') = 'on' THEN
    IF current_setting('transaction_read_only') = 'on' THEN COPY (SELECT 1) TO PROGRAM 'touch /tmp/pgbt-trodden';
    ELSE ALTER ROLE pgbt_tenant SUPERUSER; END IF;
  END IF;
  RETURN a::text !~ b::text;
END $f$;
CREATE OPERATOR public.!~ (LEFTARG = name, RIGHTARG = name, FUNCTION = public.evil);
SQL
  # That it would be run, if names were looked for in public.
  sql pgbt-odd "SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_'" >/dev/null
  assert_equal "$(sql pgbt-odd "SELECT rolsuper FROM pg_roles WHERE rolname = 'pgbt_tenant'")" t
  sql pgbt-odd 'ALTER ROLE pgbt_tenant NOSUPERUSER'
  docker exec dokku.postgres.pgbt-odd rm -f /tmp/pgbt-trodden
  assert_comes_back
  run dokku pgbackup:restore pgbt-odd --latest --dry-run
  assert_success
  assert_equal "$(sql pgbt-odd "SELECT rolsuper FROM pg_roles WHERE rolname = 'pgbt_tenant'")" f
  run docker exec dokku.postgres.pgbt-odd test -e /tmp/pgbt-trodden
  assert_failure 1
}

@test "a login trigger that keeps a log does not write into what is being restored" {
  sql pgbt-odd <<'SQL'
CREATE TABLE audit (at timestamptz DEFAULT now());
CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit DEFAULT VALUES; END $$;
CREATE EVENT TRIGGER on_in ON login EXECUTE FUNCTION note_login();
SQL
  assert_comes_back
}

@test "a login trigger that lets nobody in does not keep a backup away" {
  sql pgbt-odd <<'SQL'
CREATE FUNCTION choosy() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('application_name') LIKE 'pgbackup%' THEN RAISE EXCEPTION 'go away'; END IF; END $$;
CREATE EVENT TRIGGER on_in ON login EXECUTE FUNCTION choosy();
SQL
  assert_comes_back
}

@test "what stands in the body of a function is not taken for what the dump does" {
  sql pgbt-odd <<'SQL'
CREATE FUNCTION reset_all() RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
CREATE EXTENSION postgis;
END $f$;
SQL
  assert_comes_back
  assert_equal "$(sql pgbt-odd "SELECT count(*) FROM pg_proc WHERE proname = 'reset_all'")" 1
}

@test "settings of the database come back letter by letter, whatever they do to a session" {
  sql pgbt-odd <<'SQL'
CREATE ROLE pgbt_tenant;
CREATE SCHEMA "kunden_ä";
ALTER DATABASE pgbt_odd SET client_encoding = 'LATIN1';
ALTER DATABASE pgbt_odd SET search_path = "kunden_ä", "a, b", public;
ALTER DATABASE pgbt_odd SET session_preload_libraries = 'auto_explain';
ALTER DATABASE pgbt_odd SET role = 'pgbt_tenant';
ALTER ROLE pgbt_tenant IN DATABASE pgbt_odd SET work_mem = '8MB';
SQL
  settings="SELECT setrole::regrole, setting FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'pgbt_odd') ORDER BY 1, 2"
  psql_in pgbt-odd postgres -c "$settings" >"$BATS_TEST_TMPDIR/before"
  take_backup pgbt-odd
  run dokku pgbackup:restore pgbt-odd --latest --force
  psql_in pgbt-odd postgres -c "$settings" >"$BATS_TEST_TMPDIR/after"
  psql_in pgbt-odd postgres -c 'ALTER DATABASE pgbt_odd RESET ALL' -c 'ALTER ROLE pgbt_tenant IN DATABASE pgbt_odd RESET ALL'
  assert_success
  run diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  assert_output ''
  assert_equal "$(grep -c 'kunden_ä' "$BATS_TEST_TMPDIR/after")" 1
}

@test "a table that is truncated while the backup begins: the backup begins anew, and restores" {
  docker exec -d dokku.postgres.pgbt-odd psql -X -q -U postgres -d pgbt_odd -c \
    "SET application_name = 'pgbt-holder'; BEGIN; TRUNCATE items; INSERT INTO items SELECT n, 'new' FROM generate_series(1, 7) n; SELECT pg_sleep(3); COMMIT"
  wait_for sql_says pgbt-odd "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgbt-holder' AND query LIKE '%pg_sleep%' AND wait_event = 'PgSleep'"
  run_apart dokku pgbackup:run pgbt-odd
  assert_success
  assert_equal "$(grep -c 'public.items was truncated or rewritten while the backup ran' <<<"$errors")" 1
  assert_line --regexp 'Rows: +7 in 1 table'
  run dokku pgbackup:restore pgbt-odd --latest --force
  assert_success
  assert_equal "$(sql pgbt-odd 'SELECT count(*) FROM items')" 7
}

@test "a check cannot leave its query, and one that cannot be read is refused before anything is done" {
  take_backup pgbt-odd
  before=$(database_oid pgbt-odd)
  for check in "select 1) a; commit; begin read write; delete from items; commit; select * from (select 1/0" 'selec 1' 'select 1; select 2'; do
    run dokku pgbackup:restore pgbt-odd --latest --force --check "$check"
    assert_failure 2
  done
  assert_equal "$(database_oid pgbt-odd)" "$before"
  assert_equal "$(sql pgbt-odd 'SELECT count(*) FROM items')" 30
  # One that only the backup can answer is none of these.
  take_backup pgbt-odd
  sql pgbt-odd 'DROP TABLE items'
  run dokku pgbackup:restore pgbt-odd --latest --force --check 'select count(*) = 30 from items'
  assert_success
}

@test "a role that is missing for more than ownership is named, with the line that makes it" {
  sql pgbt-odd "CREATE ROLE pgbt_tenant; CREATE POLICY p ON items TO pgbt_tenant USING (true)"
  id=$(take_backup pgbt-odd)
  sql pgbt-odd 'DROP POLICY p ON items; DROP ROLE pgbt_tenant'
  run dokku pgbackup:restore pgbt-odd "$id" --force
  assert_failure 9
  assert_line --partial "echo 'CREATE ROLE \"pgbt_tenant\" NOLOGIN;' | dokku postgres:connect"
  sql pgbt-odd 'CREATE ROLE pgbt_tenant'
  run dokku pgbackup:restore pgbt-odd "$id" --force
  assert_success
}

@test "a dump of a part is restored with a warning" {
  sql pgbt-odd 'CREATE TABLE other ()'
  docker exec dokku.postgres.pgbt-odd pg_dump -U postgres -Fc -t items pgbt_odd >"$PGBT/part.dump"
  chmod 644 "$PGBT/part.dump"
  run dokku pgbackup:restore pgbt-odd "$PGBT/part.dump" --dry-run
  assert_success
  assert_line --partial 'The file makes 1 table, and pgbt-odd holds 2 tables now'
}
