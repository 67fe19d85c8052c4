#!/usr/bin/env bats
# Sources that are not whole: refused with exit 5 before the service is touched.

load helper

setup_file() {
  begin_file
  make_service pgbt-damage
  make_items pgbt-damage 500
  make_app pgbt-hurt pgbt-damage
  ID=$(take_backup pgbt-damage)
  ARCHIVE=$(archive_of pgbt-damage "$ID")
  MANIFEST=$(dirname "$ARCHIVE")/manifest.json
  cp -a "$ARCHIVE" "$PGBT/whole.dump"
  cp -a "$MANIFEST" "$PGBT/manifest.json"
  chmod 644 "$PGBT/whole.dump"
  docker exec dokku.postgres.pgbt-damage pg_dump -U postgres pgbt_damage >"$PGBT/whole.sql"
  export ID ARCHIVE MANIFEST
  OID=$(database_oid pgbt-damage)
  export OID
  # From now on the server tells whatever is done to it.
  sql pgbt-damage 'ALTER SYSTEM SET log_statement = "all"'
  sql pgbt-damage 'ALTER SYSTEM SET log_connections = on'
  sql pgbt-damage 'SELECT pg_reload_conf()' >/dev/null
}

teardown_file() { end_file; }

setup() {
  cp -a "$PGBT/manifest.json" "$MANIFEST"
  cp -p "$PGBT/whole.dump" "$ARCHIVE"
  chown dokku: "$ARCHIVE"
}

teardown() { assert_nothing_left pgbt-damage; }

# usage: flip <file> <offset> <bit>: turns one bit over.
flip() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1)[0] ^ (1 << int(sys.argv[3])); f.seek(int(sys.argv[2])); f.write(bytes([b]))' "$@"; }

# usage: assert_refused <source>: exit 5, and the service has not noticed.
assert_refused() {
  local since
  since=$(date --utc +%Y-%m-%dT%H:%M:%S.%NZ)
  run dokku pgbackup:restore pgbt-damage "$1" --force
  assert_failure 5
  refute_output --partial 'Maintenance mode on'
  # The server was asked nothing but questions, of which it counts its tables meanwhile.
  run docker logs --since "$since" dokku.postgres.pgbt-damage
  run grep -E 'statement: ' <<<"$output"
  run grep -vE 'statement: (SELECT|SET) ' <<<"$output"
  assert_output ''
  assert_equal "$(maintenance_of pgbt-hurt)" false
  assert_equal "$(database_oid pgbt-damage)" "$OID"
}

@test "restore refuses an own backup with a byte cut off, wherever (pitfall 2)" {
  size=$(stat -c %s "$ARCHIVE")
  for left in 0 1 100 $((size / 2)) $((size - 1)); do
    head -c "$left" "$PGBT/whole.dump" >"$ARCHIVE"
    assert_refused "$ID"
  done
  run dokku pgbackup:restore pgbt-damage "$ID" --force
  assert_line --partial "The archive of backup $ID is damaged: it has $((size - 1)) bytes, and $size were stored"
  assert_line --partial 'dokku pgbackup:list pgbt-damage'
}

@test "restore refuses an own backup with one bit turned over, wherever (pitfall 2)" {
  size=$(stat -c %s "$ARCHIVE")
  for offset in 0 10 $((size / 3)) $((size * 2 / 3)) $((size - 1)); do
    cp "$PGBT/whole.dump" "$ARCHIVE"
    flip "$ARCHIVE" "$offset" $((offset % 8))
    assert_refused "$ID"
  done
  run dokku pgbackup:restore pgbt-damage "$ID" --force
  assert_line --partial "The archive of backup $ID is damaged: its SHA-256 is not the one recorded"
}

@test "restore refuses an own backup with bytes too many" {
  printf x >>"$ARCHIVE"
  assert_refused "$ID"
}

@test "restore knows no backup without its manifest" {
  rm "$MANIFEST"
  run dokku pgbackup:restore pgbt-damage "$ID" --force
  assert_failure 4
  run dokku pgbackup:restore pgbt-damage --latest --force
  assert_failure 4
  assert_line --partial 'has no backup'
}

@test "restore refuses a backup whose manifest is damaged" {
  for left in 0 1 200 $(($(stat -c %s "$PGBT/manifest.json") - 3)); do
    head -c "$left" "$PGBT/manifest.json" >"$MANIFEST"
    assert_refused "$ID"
  done
  python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); d["archive"]["storedSha256"] = 7; json.dump(d, open(sys.argv[2], "w"))' "$PGBT/manifest.json" "$MANIFEST"
  assert_refused "$ID"
}

@test "restore refuses a backup whose archive is gone" {
  rm "$ARCHIVE"
  run dokku pgbackup:restore pgbt-damage "$ID" --force
  assert_failure
  [[ $status == 4 || $status == 5 ]] || fail "exit $status"
  assert_output --partial "$ID"
  assert_equal "$(database_oid pgbt-damage)" "$OID"
}

@test "restore refuses files that hold no dump (pitfall 3)" {
  : >"$PGBT/empty"
  echo 'hello, this is a text' >"$PGBT/text"
  printf '<!DOCTYPE html><html><body>502 Bad Gateway</body></html>' >"$PGBT/page"
  printf '{"error": "NoSuchKey"}' >"$PGBT/answer"
  head -c 100000 /dev/zero >"$PGBT/zeros"
  head -c 100000 /dev/urandom >"$PGBT/noise"
  gzip -c "$PGBT/empty" >"$PGBT/empty.gz"
  tar -C "$PGBT" -czf "$PGBT/none.tgz" text
  chmod 644 "$PGBT"/*.gz "$PGBT"/*.tgz
  printf '\x8c\x0d\x04\x09\x03\x02 sealed' >"$PGBT/sealed.gpg"
  for name in empty text page answer zeros noise empty.gz none.tgz sealed.gpg; do
    assert_refused "$PGBT/$name"
  done
  run dokku pgbackup:restore pgbt-damage - --force </dev/null
  assert_failure 5
}

@test "restore refuses a foreign archive that is cut off, wherever (pitfall 2)" {
  size=$(stat -c %s "$PGBT/whole.dump")
  for left in 20 $((size / 5)) $((size * 3 / 5)) $((size - 1)); do
    head -c "$left" "$PGBT/whole.dump" >"$PGBT/cut.dump"
    assert_refused "$PGBT/cut.dump"
  done
}

@test "restore refuses plain SQL that is cut off, also in gzip: half a file runs without an error" {
  length=$(wc -l <"$PGBT/whole.sql")
  for left in 30 $((length / 2)) $((length - 8)); do
    head -n "$left" "$PGBT/whole.sql" >"$PGBT/cut.sql"
    assert_refused "$PGBT/cut.sql"
  done
  gzip -c "$PGBT/cut.sql" >"$PGBT/cut.sql.gz"
  assert_refused "$PGBT/cut.sql.gz"
  gzip -c "$PGBT/whole.sql" | head -c -1 >"$PGBT/short.sql.gz"
  assert_refused "$PGBT/short.sql.gz"
}

@test "after all of it the live database answers, and the whole backup restores" {
  assert_equal "$(sql pgbt-damage 'SELECT count(*) FROM items')" 500
  run dokku pgbackup:restore pgbt-damage "$ID" --force
  assert_success
  assert_equal "$(sql pgbt-damage 'SELECT count(*), sum(id) FROM items')" '500|125250'
}
