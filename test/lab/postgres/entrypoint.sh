#!/usr/bin/env bash
# The official image's contract, its fast paths only: POSTGRES_PASSWORD, POSTGRES_USER,
# POSTGRES_DB and /docker-entrypoint-initdb.d; trust on the socket and on loopback,
# scram-sha-256 for everybody else.
set -euo pipefail

[[ ${1:-} != -* ]] || set -- postgres "$@"
[[ ${1:-} == postgres ]] || exec "$@"

if [[ $(id -u) == 0 ]]; then
  mkdir -p "$PGDATA"
  find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
  chmod 0700 "$PGDATA"
  exec gosu postgres "$0" "$@"
fi

initialise() {
  local user=${POSTGRES_USER:-postgres}
  local database=${POSTGRES_DB:-$user}
  # --no-sync: a container that dies in its first second loses nothing anybody has.
  initdb --no-sync --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --auth-local=trust --auth-host=trust >/dev/null
  printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"

  local scripts=(/docker-entrypoint-initdb.d/*)
  # A first, private start costs half a second: only when there is something to do in it.
  if [[ $database != postgres || -e ${scripts[0]} ]]; then
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start >/dev/null
    [[ $database == postgres ]] ||
      psql -q -v ON_ERROR_STOP=1 -v name="$database" -U "$user" -d postgres <<<'CREATE DATABASE :"name"'
    local script
    for script in "${scripts[@]}"; do
      case "$script" in
        *.sh) bash "$script" ;;
        *.sql) psql -q -v ON_ERROR_STOP=1 -U "$user" -d "$database" -f "$script" ;;
      esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
  fi
  printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

if [[ ! -s $PGDATA/PG_VERSION ]]; then
  if [[ -z ${POSTGRES_PASSWORD:-} ]]; then
    echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
    exit 1
  fi
  initialise
fi

exec "$@"
