#!/usr/bin/env bats
# The life of a service whose backups go to a bucket: taken by cron, pruned, and restored on a host that has nothing
# but the bucket and its keys (and, where they are encrypted, the identity).

load helper
load s3

setup_file() {
  type -P age-keygen >/dev/null || {
    echo 'This file makes its keys with age-keygen: apt-get install age' >&2
    return 1
  }
  begin_file
  begin_s3 life
  (umask 077 && age-keygen -o "$PGBT/identity" && age-keygen -o "$PGBT/other") 2>/dev/null
}

teardown_file() {
  find_host
  end_s3
  end_file recipients keep-last
}

# The next test finds the host and the bucket as this one did.
teardown() {
  local key
  find_host
  remove_own recipients keep-last
  # The service was destroyed with its settings there.
  for key in backup-dir storages recipients keep-last; do dokku pgbackup:set pgbt-life "$key" >/dev/null 2>&1 || true; done
  empty_bucket "$BUCKET"
}

# The plugin's own directories: all that it keeps on this host.
own_directories() {
  local root
  root=$(dokku postgres:info "$1" --service-root)
  echo "${root%/services/postgres/*}"/{data,config}/pgbackup
}

# usage: assert_no_identity <service>: the plugin keeps nothing that opens a backup. (The words alone are in its own program.)
assert_no_identity() {
  # shellcheck disable=SC2046 # several directories
  run grep -rlE 'AGE-SECRET-KEY-1[A-Z0-9]{40}' $(own_directories "$1")
  assert_failure 1
}

# usage: lose_host <service>: the service is destroyed, and the plugin knows nothing any more, as on a new host. (What was
# there is put aside and not removed: a real host may have backups of its own.)
lose_host() {
  local directory
  own_directories "$1" | tr ' ' '\n' >"$PGBT/directories"
  dokku --force postgres:destroy "$1" >/dev/null 2>&1
  while read -r directory; do mv "$directory" "$directory.pgbt-lost"; done <"$PGBT/directories"
  dokku plugin:install >/dev/null 2>&1
}

find_host() {
  local directory
  [[ -e $PGBT/directories ]] || return 0
  remove_own recipients keep-last
  while read -r directory; do
    [[ ! -e $directory.pgbt-lost ]] || { rm -rf "$directory" && mv "$directory.pgbt-lost" "$directory"; }
  done <"$PGBT/directories"
  rm "$PGBT/directories"
}

# usage: line_of <service>: what cron runs, as it stands in the crontab.
line_of() { as_cron 'crontab -l' | grep -F " pgbackup:run $1 " | sed -E 's/^(@[a-z]+|([^ ]+ ){5})//'; }

# usage: new_state <service> <n>: rows come, change and go.
new_state() {
  sql "$1" "INSERT INTO items SELECT n, 'item ' || n || ' of state $2' FROM generate_series(1000 * $2, 1000 * $2 + 99) n;
    UPDATE items SET name = name || '+' WHERE id % 7 = $2; DELETE FROM items WHERE id % 11 = $2"
}

# usage: live <service>: makes it, with all kinds of content, and lets cron take three backups, of three states. Sets ids,
# and writes the hashes of the last state to $PGBT/last.
live() {
  local service=$1 state line
  make_service "$service"
  make_rich "$service"
  make_items "$service" 200
  make_storage pgbt-offsite "$BUCKET" --prefix "of/$service"
  dokku pgbackup:set "$service" storages pgbt-offsite >/dev/null
  dokku pgbackup:set "$service" keep-last 2 >/dev/null
  [[ -z ${2:-} ]] || dokku pgbackup:set "$service" recipients "$2" >/dev/null
  dokku pgbackup:schedule "$service" '0 */6 * * *' --storage pgbt-offsite --label kind=six-hourly
  line=$(line_of "$service")
  ids=()
  for state in 1 2 3; do
    new_state "$service" "$state"
    run as_cron "$line"
    assert_success
    ids+=("$(dokku pgbackup:list "$service" --format json | json 'd[-1]["id"]')")
  done
  hashes_of "$service" >"$PGBT/last"
  assert [ "$(wc -l <"$PGBT/last")" -ge 25 ]
  assert_equal "$(printf '%s\n' "${ids[@]}" | sort -u | wc -l)" 3
}

# usage: assert_bucket_has <folder> <id>...: these backups, two objects each, and no more.
assert_bucket_has() {
  local folder=$1
  shift
  assert_equal "$(objects_in "$BUCKET" | grep "^$folder/" | sed -E 's|.*/([^/]+)/[^/]+$|\1|' | sort | uniq -c | xargs)" \
    "$(printf '2 %s\n' "$@" | sort | xargs)"
  assert_equal "$(uploads_in "$BUCKET")" ''
}

@test "a service is backed up to a bucket by cron, pruned, its host lost, discovered and restored row by row" {
  live pgbt-life
  run dokku pgbackup:list pgbt-life
  assert_success
  refute_output --partial "${ids[0]}"
  assert_line --regexp "^${ids[2]} .* kind=six-hourly"
  assert_bucket_has of/pgbt-life "${ids[1]}" "${ids[2]}"
  run dokku pgbackup:status pgbt-life
  assert_success

  lose_host pgbt-life
  assert_equal "$(dokku pgbackup:storage-list --format json | json '[s["name"] for s in d]')" '["local"]'
  run dokku pgbackup:restore pgbt-life --latest --into pgbt-newlife
  assert_failure 4

  # Nothing but the bucket and its keys.
  make_storage pgbt-again "$BUCKET" --prefix of/pgbt-life
  run dokku pgbackup:discover pgbt-again
  assert_success
  assert_line --regexp "^pgbt-life +[^ ]+ +2 .* ${ids[2]}$"
  refute_output --partial '(this one)'
  # What it says is what is typed, with a name for the new service.
  hint=$(sed -n 's/.*, then \(dokku pgbackup:restore .*\) --into <service>$/\1/p' <<<"$output")
  assert_equal "$hint" "dokku pgbackup:restore pgbt-life ${ids[2]} --storage pgbt-again"
  make_service pgbt-newlife
  # A backup holds no roles: without them everything belongs to the one that logs in, and this database needs one of them.
  make_roles pgbt-newlife
  run $hint --into pgbt-newlife --confirm pgbt-newlife
  assert_success
  run diff "$PGBT/last" <(hashes_of pgbt-newlife)
  assert_success
  assert_nothing_left pgbt-newlife
  # The older one is there too, and is another state.
  run dokku pgbackup:restore pgbt-life "${ids[1]}" --storage pgbt-again --into pgbt-newlife --confirm pgbt-newlife
  assert_success
  assert_equal "$(sql pgbt-newlife "SELECT count(*) FILTER (WHERE name LIKE '%of state 2%') > 0, count(*) FILTER (WHERE name LIKE '%of state 3%') FROM items")" 't|0'
  # The new host goes on in the same bucket, and prunes nothing of the old one.
  dokku pgbackup:set pgbt-newlife storages pgbt-again >/dev/null
  dokku pgbackup:set pgbt-newlife keep-last 1 >/dev/null
  run dokku pgbackup:run pgbt-newlife
  assert_success
  assert_equal "$(objects_in "$BUCKET" | grep -c "${ids[1]}\|${ids[2]}")" 4
}

@test "encrypted it is restored with the bucket and the identity alone; no host ever holds a key that opens it" {
  live pgbt-life "$(age-keygen -y "$PGBT/identity")"
  assert_bucket_has of/pgbt-life "${ids[1]}" "${ids[2]}"
  key=$(objects_in "$BUCKET" | grep "${ids[2]}/archive")
  assert_regex "$key" '\.age$'
  assert_equal "$(s3 "$PGBACKUP_TEST_RGW/$BUCKET/$key" | head -c 21)" age-encryption.org/v1
  # Proven all the same, without a key.
  run dokku pgbackup:verify pgbt-life
  assert_success
  assert_no_identity pgbt-life

  lose_host pgbt-life
  make_storage pgbt-again "$BUCKET" --prefix of/pgbt-life
  run dokku pgbackup:discover pgbt-again --backups
  assert_success
  assert_line --regexp "^${ids[2]} .* yes$"
  make_service pgbt-newlife
  make_roles pgbt-newlife
  make_items pgbt-newlife 3
  oid=$(database_oid pgbt-newlife)
  since=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
  sql pgbt-newlife 'ALTER SYSTEM SET log_statement = "all"'
  sql pgbt-newlife 'SELECT pg_reload_conf()' >/dev/null
  # None, and the wrong one: told before anything is touched.
  run dokku pgbackup:restore pgbt-life "${ids[2]}" --storage pgbt-again --into pgbt-newlife --confirm pgbt-newlife
  assert_failure 5
  assert_output --partial '--identity <file>'
  run dokku pgbackup:restore pgbt-life "${ids[2]}" --storage pgbt-again --into pgbt-newlife --confirm pgbt-newlife --identity - <"$PGBT/other"
  assert_failure 5
  assert_output --partial "The identity does not fit: backup ${ids[2]} is encrypted to another"
  refute_output --partial AGE-SECRET
  assert_equal "$(database_oid pgbt-newlife) $(sql pgbt-newlife 'SELECT count(*) FROM items')" "$oid 3"
  run grep -cE 'CREATE DATABASE|ALTER DATABASE' <(docker logs --since "$since" dokku.postgres.pgbt-newlife 2>&1)
  assert_output 0

  run dokku pgbackup:restore pgbt-life "${ids[2]}" --storage pgbt-again --into pgbt-newlife --confirm pgbt-newlife --identity - <"$PGBT/identity"
  assert_success
  run diff "$PGBT/last" <(hashes_of pgbt-newlife)
  assert_success
  assert_nothing_left pgbt-newlife
  assert_no_identity pgbt-newlife
  # Nor is a plugin needed.
  run bash -c "s3 '$PGBACKUP_TEST_RGW/$BUCKET/$key' | age -d -i '$PGBT/identity' | head -c 5"
  assert_output PGDMP
}
