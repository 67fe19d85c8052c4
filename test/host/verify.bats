#!/usr/bin/env bats
# pgbackup:verify

load helper

setup_file() {
  begin_file
  make_service pgbt-proof
  make_items pgbt-proof 500
  FIRST=$(take_backup pgbt-proof)
  SECOND=$(take_backup pgbt-proof)
  ARCHIVE=$(archive_of pgbt-proof "$FIRST")
  cp -p "$ARCHIVE" "$PGBT/whole"
  export FIRST SECOND ARCHIVE
}

teardown_file() { end_file; }

setup() {
  cp -p "$PGBT/whole" "$ARCHIVE"
  chown dokku: "$ARCHIVE"
}

teardown() { wait_for no_sidecars pgbt-proof; }

# usage: overwrite <offset>: one byte of the first archive becomes another one.
overwrite() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1)[0] ^ 1; f.seek(int(sys.argv[2])); f.write(bytes([b]))' "$ARCHIVE" "$1"; }

@test "verify shows that the newest backup is whole" {
  run dokku pgbackup:verify pgbt-proof
  assert_success
  assert_line --regexp "^ +$SECOND: [0-9.]+ kB whole, in [0-9.]+ s$"
  assert_line '=====> 1 of 1 backups are whole'
}

@test "verify shows that all are whole, as JSON too" {
  run dokku pgbackup:verify pgbt-proof --all --format json
  assert_success
  assert_equal "$(json '[[r["id"] for r in d["verified"]], d["failed"]]' <<<"$output")" "[[\"$FIRST\", \"$SECOND\"], []]"
}

@test "verify fails with exit 8 on a byte that was changed, cut off or added (pitfall 2)" {
  overwrite 1000
  run dokku pgbackup:verify pgbt-proof "$FIRST"
  assert_failure 8
  assert_line --partial "Backup $FIRST is damaged"
  assert_line --partial 'dokku pgbackup:run pgbt-proof'
  head -c -1 "$PGBT/whole" >"$ARCHIVE"
  run dokku pgbackup:verify pgbt-proof "$FIRST"
  assert_failure 8
  { cat "$PGBT/whole" && echo; } >"$ARCHIVE"
  run dokku pgbackup:verify pgbt-proof "$FIRST"
  assert_failure 8
}

@test "verify --all names the damaged ones, and goes on with the others" {
  overwrite 0
  run dokku pgbackup:verify pgbt-proof --all
  assert_failure 8
  assert_line --regexp "^ +$SECOND: .* whole"
  assert_line --partial "1 of 2 backups are damaged: $FIRST"
}

@test "verify fails with exit 8 when the archive is gone" {
  rm "$ARCHIVE"
  run dokku pgbackup:verify pgbt-proof "$FIRST"
  assert_failure 8
  assert_line --partial "The archive of backup $FIRST is gone"
}

@test "verify decodes the archive too: a checksum of nonsense proves nothing" {
  for left in 3 1000 $(($(stat -c %s "$PGBT/whole") - 1)); do
    head -c "$left" "$PGBT/whole" >"$ARCHIVE"
    forge_checksum
    run dokku pgbackup:verify pgbt-proof "$FIRST"
    assert_failure 8
    assert_line --partial "Backup $FIRST cannot be decoded"
  done
}

# Makes the manifest say that the archive, such as it is, is what was stored.
forge_checksum() {
  python3 - "$ARCHIVE" <<'PYTHON'
import hashlib, json, os, sys
path = sys.argv[1].rsplit('/', 1)[0] + '/manifest.json'
manifest = json.load(open(path))
manifest['archive']['storedBytes'] = os.stat(sys.argv[1]).st_size
manifest['archive']['storedSha256'] = manifest['archive']['plainSha256'] = hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest()
json.dump(manifest, open(path, 'w'))
PYTHON
}

@test "verify needs no running service" {
  dokku postgres:stop pgbt-proof >/dev/null 2>&1
  run dokku pgbackup:verify pgbt-proof "$SECOND"
  dokku postgres:start pgbt-proof >/dev/null 2>&1
  assert_success
}
