#!/usr/bin/env bash
# Shared by the fault suite: a service with two known states of its data, ways to break a command
# at a known point, and a look at everything that it may have left.

bats_require_minimum_version 1.13.0
load ../../node_modules/bats-support/load
load ../../node_modules/bats-assert/load

# --- a service and its data -------------------------------------------------------------------

# usage: begin_file <service> [flags of postgres:create]...: to be called in setup_file. The service
# holds state `saved`, which is backed up, and then state `newer`; app <service>-app is linked to it.
begin_file() {
  export SERVICE=$1 APP=$1-app DATABASE=${1//-/_} DATA=$PGBACKUP_LAB_ROOT/lib/data/pgbackup
  export STATE=$DATA/state/services/$SERVICE
  FILES=$(mktemp -d /tmp/pgbackup-faults-XXXXXX)
  export FILES
  chmod 755 "$FILES"
  remove_service
  create_service "${@:2}" || create_service "${@:2}"
  dokku apps:create "$APP" >/dev/null 2>&1
  dokku postgres:link "$SERVICE" "$APP" --no-restart >/dev/null 2>&1
  make_saved
  SAVED=$(live_hash)
  BACKUP=$(dokku --quiet pgbackup:run "$SERVICE")
  make_newer
  NEWER=$(live_hash)
  export SAVED NEWER BACKUP
}

# A container that Docker did not start is no finding about the plugin: it is told, and tried once more.
create_service() {
  dokku postgres:create "$SERVICE" "$@" >"$FILES/create.log" 2>&1 && return
  sed 's/^/# /' "$FILES/create.log" >&3
  remove_service
  return 1
}

# To be called in teardown_file.
end_file() {
  remove_service
  rm -rf "${FILES:?}"
}

remove_service() {
  dokku --force apps:destroy "$APP" >/dev/null 2>&1 || true
  dokku --force postgres:destroy "$SERVICE" >/dev/null 2>&1 || true
  local sidecars
  sidecars=$(sidecars)
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $sidecars ]] || docker rm -f $sidecars >/dev/null
  rm -rf "$STATE" "$DATA/spool/$SERVICE-"2* "$DATA/backups/"*/"$SERVICE"
}

# usage: sql <database> <statements>, as the superuser in the service's container.
sql() { docker exec -i "dokku.postgres.$SERVICE" psql -X -q -A -t -v ON_ERROR_STOP=1 -U postgres -d "$1" -c "$2"; }

# A file may ask for more rows, and for a table whose restore takes about as many milliseconds as it has rows.
make_saved() {
  sql "$DATABASE" "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, state text NOT NULL);
    INSERT INTO items SELECT n, md5(random()::text) || md5(random()::text), 'saved' FROM generate_series(1, ${ROWS:-1000}) n"
  # The check is computed by COPY; here it was fast.
  [[ -z ${SLOW_ROWS:-} ]] || sql "$DATABASE" "CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE TABLE slow (id int CHECK (slow(id))); INSERT INTO slow SELECT generate_series(1, $SLOW_ROWS);
    CREATE OR REPLACE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN true; END'"
}

# Either state becomes `newer`.
make_newer() { sql "$DATABASE" "DELETE FROM items WHERE id % 10 = 0; UPDATE items SET state = 'newer' WHERE id <= 100"; }

# A hash of all that the live database holds. It fails where the database does not answer.
live_hash() { sql "$DATABASE" "SELECT count(*) || ':' || sum(hashtextextended(items::text, 0)::numeric) FROM items"; }

restore() { dokku pgbackup:restore "$SERVICE" "$BACKUP" --force "$@"; }

# --- breaking --------------------------------------------------------------------------------

# usage: killed_at <system call> <nth> <file or -> <arguments of dokku>...
# Runs the command until it is about to make that call, and no further.
killed_at() {
  run env FAULT="$1:signal=KILL:when=$2" FAULT_PATH="${3#-}" PGBACKUP_NODE="$PGBACKUP_LAB_ROOT/node/bin/node-under-strace" dokku "${@:4}"
  assert_equal "$status" 137
}

# usage: start <arguments of dokku>...: in the background, in a process group of its own.
start() {
  setsid dokku "$@" >"$FILES/output" 2>&1 </dev/null 3>&- &
  STARTED=$!
}

# Sets status and output as `run` does, once the started command has ended.
finish() {
  status=0
  wait "$STARTED" || status=$?
  # shellcheck disable=SC2034 # read by assert_output
  output=$(<"$FILES/output")
}

# The process that holds the service's lock.
plugin_pid() { sed -n 's/^{"pid":\([0-9]*\),.*/\1/p' "$STATE/lock"; }

# usage: descendants <pid>
descendants() {
  local child
  for child in $(pgrep -P "$1"); do echo "$child" && descendants "$child"; done
}

# usage: kill_plugin node|group|clients: the program alone; its process group; and its docker clients too.
kill_plugin() {
  local pid targets
  pid=$(plugin_pid)
  # It may have come to its end by itself.
  [[ -n $pid && -e /proc/$pid ]] || {
    finish
    return
  }
  case $1 in
    node) targets=$pid ;;
    group) targets=-$(ps -o pgid= "$pid" | tr -d ' ') ;;
    clients) targets="$(descendants "$pid" | tr '\n' ' ') -$(ps -o pgid= "$pid" | tr -d ' ')" ;;
  esac
  # shellcheck disable=SC2086 # a list of ids
  kill -9 -- $targets 2>/dev/null || true
  finish
  while [[ -e /proc/$pid ]]; do sleep 0.02; done
}

# usage: wait_for <command>...: until it succeeds, for at most 20 seconds.
wait_for() {
  local end=$((SECONDS + 20))
  until "$@" >/dev/null; do
    ((SECONDS < end)) || {
      echo "waited 20 s in vain for: $*" >&2
      cat "$FILES/output" >&2
      return 1
    }
    sleep 0.02
  done
}

journal_says() { grep -qs "\"$1\"" "$STATE/journal.json"; }
# usage: server_says <query>: succeeds when it gives true.
server_says() { [[ $(sql postgres "$1") == t ]]; }
restoring_slowly() { server_says "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY public.slow%' AND state = 'active'"; }
dump_waits() { server_says "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'"; }

# Somebody's transaction keeps every dump waiting.
hold_lock() {
  docker exec -d "dokku.postgres.$SERVICE" psql -X -q -U postgres -d "$DATABASE" -c \
    "SET application_name = 'holder'; BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"
  wait_for server_says "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'holder' AND query LIKE '%pg_sleep%'"
}

release_lock() { sql postgres "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'holder'" >/dev/null; }

# --- looking ----------------------------------------------------------------------------------

sidecars() { docker ps -aq --filter "name=^pgbackup-$SERVICE-2"; }
has_sidecar() { [[ -n $(sidecars) ]]; }
no_sidecars() { [[ -z $(sidecars) ]]; }
maintenance() { dokku maintenance:report "$APP" --maintenance-enabled; }

# Everything that a dead operation may have left, one line each.
leftovers() {
  local previous
  wait_for no_sidecars
  find "$DATA/spool" -mindepth 1 -name "$SERVICE-2*"
  find "$STATE" ! -name lock ! -name previous.json -type f
  find "$DATA" -type p
  previous=$(sed -n 's/.*"database":"\([^"]*\)".*/\1/p' "$STATE/previous.json" 2>/dev/null || true)
  sql postgres "SELECT 'database ' || datname FROM pg_database WHERE datname LIKE 'pgbackup\\_%' AND datname <> '$previous'
    UNION ALL SELECT 'no previous database' WHERE '$previous' <> '' AND NOT EXISTS (SELECT FROM pg_database WHERE datname = '$previous')
    UNION ALL SELECT 'live is closed' FROM pg_database WHERE datname = '$DATABASE' AND NOT datallowconn
    UNION ALL SELECT 'backend ' || query FROM pg_stat_activity WHERE application_name LIKE 'pgbackup-%'"
  "$REAL_NODE" "$BATS_TEST_DIRNAME/catalog-flaws.mjs" "$DATA/backups" "$SERVICE"
}

# usage: assert_clean [maintenance]: nothing is left, and the app is what it was.
assert_clean() {
  assert_equal "$(leftovers)" ''
  assert_equal "$(maintenance)" "${1:-false}"
}

# usage: assert_recovers <hash> [maintenance]: the live database answers at once with these data, and
# the next command leaves nothing but them.
assert_recovers() {
  assert_equal "$(live_hash)" "$1"
  run dokku pgbackup:doctor "$SERVICE"
  assert_success
  assert_clean "${2:-false}"
  assert_equal "$(live_hash)" "$1"
}

# usage: backups: how many are listed.
backups() { dokku --quiet pgbackup:list "$SERVICE" | grep -c "$SERVICE-2" || true; }
