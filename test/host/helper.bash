#!/usr/bin/env bash
# Shared by the host suite, which types commands as a user does and knows nothing of what answers
# them: a real Dokku and the stand-in of test/lab are the same to it. It makes and removes its own
# apps and services, all called pgbt-*, and touches no others.

bats_require_minimum_version 1.13.0
bats_load_library() { load "../../node_modules/$1/load"; }
bats_load_library bats-support
bats_load_library bats-assert

# --- the files of one bats file -----------------------------------------------------------------

# To be called first in setup_file: a clean start, and a directory that user dokku can reach.
begin_file() {
  PGBT=$(mktemp -d /tmp/pgbt-XXXXXX)
  export PGBT
  chmod 755 "$PGBT"
  install -d -m 0777 "$PGBT/backups"
  remove_own
}

# To be called in teardown_file. usage: end_file [setting]...: what the file has set beside backup-dir.
end_file() {
  remove_own "$@"
  rm -rf "${PGBT:?}"
}

# Removes every app, service and storage of the suite, also those that a killed run left.
# usage: remove_own [setting]...
remove_own() {
  local name app key
  for name in $(dokku --quiet apps:list 2>/dev/null | grep '^pgbt-'); do
    dokku --force apps:destroy "$name" >/dev/null 2>&1 || true
  done
  for name in $(dokku --quiet postgres:list 2>/dev/null | grep '^pgbt-'); do
    # An app that is gone may have left its name in the links of a killed run.
    for app in $(dokku postgres:links "$name" 2>/dev/null); do dokku postgres:unlink "$name" "$app" --no-restart >/dev/null 2>&1 || true; done
    for key in backup-dir storages "$@"; do dokku pgbackup:set "$name" "$key" >/dev/null 2>&1 || true; done
    dokku --force postgres:destroy "$name" >/dev/null 2>&1 || true
  done
  remove_storages
}

# Removes every storage of the suite. What is set for a service that is gone is there still, and would keep them.
remove_storages() {
  local name
  for name in $(dokku pgbackup:storage-list --format json | json '" ".join(u for s in d if s["name"].startswith("pgbt-") for u in s["usedBy"] if u.startswith("pgbt-"))'); do
    dokku pgbackup:set "$name" storages >/dev/null || true
  done
  for name in $(dokku pgbackup:storage-list --format json | json '" ".join(s["name"] for s in d if s["name"].startswith("pgbt-"))'); do
    dokku pgbackup:storage-destroy "$name" --force >/dev/null || true
  done
}

# --- services, apps, databases ------------------------------------------------------------------

# usage: make_service <service> [flags of postgres:create]...
# Its backups go to a directory of the test's own, so that nothing of them stays.
make_service() {
  dokku postgres:create "$@" >"$PGBT/create.log" 2>&1 || {
    cat "$PGBT/create.log" >&2
    return 1
  }
  dokku pgbackup:set "$1" backup-dir "$PGBT/backups" >/dev/null
}

# usage: make_app <app> [service]...
make_app() {
  local app=$1 service
  dokku apps:create "$app" >/dev/null 2>&1
  for service in "${@:2}"; do dokku postgres:link "$service" "$app" --no-restart >/dev/null 2>&1; done
}

# usage: psql_in <service> <database> [arguments of psql]...: the superuser's psql in the container.
psql_in() {
  docker exec -i "dokku.postgres.$1" psql -X -q -A -t -v ON_ERROR_STOP=1 -U postgres -d "$2" "${@:3}"
}

# usage: database_of <service>: dokku-postgres allows no - in it.
database_of() { echo "${1//-/_}"; }

# usage: sql <service> <statements>, or the statements on stdin.
sql() {
  if (($# > 1)); then
    psql_in "$1" "$(database_of "$1")" -c "$2"
  else
    psql_in "$1" "$(database_of "$1")"
  fi
}

# usage: make_items <service> [rows]: a table whose content tells one state of the data from another.
make_items() {
  sql "$1" "DROP TABLE IF EXISTS items; CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, ${2:-100}) n"
}

# usage: make_rich <service>: content of every kind, and the roles that own some of it.
make_rich() {
  make_roles "$1"
  sql "$1" <"$BATS_TEST_DIRNAME/rich.sql"
}

make_roles() { sql "$1" 'CREATE ROLE pgbt_app; CREATE ROLE "pgbt r ö""le" LOGIN'; }

# usage: hashes_of <service>: of each table's rows, sequences and large objects.
hashes_of() { sql "$1" <"$BATS_TEST_DIRNAME/hashes.sql"; }

# usage: take_backup <service> [flags of pgbackup:run]...: prints the id.
take_backup() { dokku --quiet pgbackup:run "$@"; }

# usage: archive_of <service> <id>: the path of the archive.
archive_of() {
  local place
  place=$(dokku pgbackup:info "$1" "$2" --format json | json 'd["place"] + d["archive"]["file"]')
  echo "$place"
}

# usage: slow_check <seconds>: a check that takes its time on the restored database, and none on the live one.
slow_check() { echo "SELECT CASE WHEN current_database() LIKE 'pgbackup%' THEN pg_sleep($1) IS NOT NULL ELSE true END"; }

# usage: at_slow_check <service>: is a restore there now?
at_slow_check() {
  [[ $(psql_in "$1" postgres -c "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'pgbackup_scratch%' AND query LIKE '%THEN pg_sleep(%'") == 1 ]]
}

# usage: as_cron <command line>: as cron starts it: user dokku, no terminal, its own short environment.
# A real host's PATH; with the stand-in, the lab's is in front.
as_cron() {
  local path=/usr/local/bin:/usr/bin:/bin
  [[ -z ${PGBACKUP_LAB_ROOT:-} ]] || path=$PGBACKUP_LAB_ROOT/bin:$path
  env -i HOME=/home/dokku LOGNAME=dokku SHELL=/bin/bash PATH="$path" ${PGBACKUP_NODE:+PGBACKUP_NODE="$PGBACKUP_NODE"} \
    setsid setpriv --reuid=dokku --regid=dokku --init-groups -- /bin/bash -c "cd / && $1" </dev/null 3>&-
}

# --- things that hold on to a service -------------------------------------------------------------

# usage: hold_lock <service> <table>: somebody's transaction holds it ACCESS EXCLUSIVE for a minute.
hold_lock() {
  docker exec -d "dokku.postgres.$1" psql -X -q -U postgres -d "$(database_of "$1")" -c \
    "SET application_name = 'pgbt-holder'; BEGIN; LOCK TABLE $2 IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"
  wait_for sql_says "$1" "SELECT count(*) > 0 FROM pg_locks WHERE relation = '$2'::regclass AND mode = 'AccessExclusiveLock' AND granted"
}

release_lock() {
  sql "$1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgbt-holder'" >/dev/null
}

# usage: sql_says <service> <query>: succeeds when the query gives true.
sql_says() { [[ $(sql "$1" "$2") == t ]]; }

# usage: wait_for <command>...: until it succeeds, for at most 20 seconds.
wait_for() {
  local try
  for ((try = 0; try < 200; try++)); do
    "$@" && return 0
    sleep 0.1
  done
  echo "waited 20 s in vain for: $*" >&2
  return 1
}

# --- looking ----------------------------------------------------------------------------------------

# usage: json <expression in python, the document being d>, JSON on stdin. Fails on anything but JSON.
json() { python3 -c 'import json, sys; d = json.load(sys.stdin); r = eval(sys.argv[1]); print(r if isinstance(r, str) else json.dumps(r))' "$1"; }

# usage: run_apart <command>...: `run`, with $output being stdout alone and $errors stderr.
run_apart() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  run bash -c '"$@" 2>"$0"' "$BATS_TEST_TMPDIR/stderr" "$@"
  errors=$(<"$BATS_TEST_TMPDIR/stderr")
}

# usage: backups_of <service>: how many are listed.
backups_of() { dokku pgbackup:list "$1" --format json | json 'len(d)'; }

# usage: watch_processes: notes every command line on this host in $PGBT/processes, until $PGBT/watch is gone.
watch_processes() {
  : >"$PGBT/watch"
  while [[ -e $PGBT/watch ]]; do
    ps -eo args
    sleep 0.05
  done >"$PGBT/processes" 2>/dev/null 3>&- &
}

# usage: spool_of <service>: where operations keep what they need only while they run.
spool_of() {
  local root
  root=$(dokku postgres:info "$1" --service-root)
  echo "${root%/services/postgres/*}/data/pgbackup/spool"
}

no_sidecars() { [[ -z $(docker ps -aq --filter "name=^pgbackup-$1-2") ]]; }

# usage: assert_nothing_left <service>: no container, no file and no database of a dead operation.
assert_nothing_left() {
  wait_for no_sidecars "$1"
  assert_equal "$(find "$(spool_of "$1")" -mindepth 1 -name "*$1-2*")" ''
  assert_equal "$(psql_in "$1" postgres -c "SELECT count(*) FROM pg_database WHERE datname LIKE 'pgbackup_scratch%'")" 0
  assert_equal "$(psql_in "$1" postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgbackup-%'")" 0
}

# usage: database_oid <service>: tells the database from one that was swapped in for it.
database_oid() { psql_in "$1" postgres -c "SELECT oid FROM pg_database WHERE datname = '$(database_of "$1")'"; }

# usage: maintenance_of <app>: true or false.
maintenance_of() { dokku maintenance:report "$1" --format json | json 'd["enabled"]'; }
