#!/usr/bin/env bats
# pgbackup:restore of files that are encrypted, with age or gpg: the right key, the wrong one, and damage.

load helper

setup_file() {
  local tool
  for tool in age age-keygen gpg; do
    type -P "$tool" >/dev/null || {
      echo "This file compares with the program $tool: apt-get install age gnupg" >&2
      return 1
    }
  done
  begin_file
  make_service pgbt-crypt
  make_items pgbt-crypt 300
  docker exec dokku.postgres.pgbt-crypt pg_dump -U postgres -Fc pgbt_crypt >"$PGBT/custom"
  docker exec dokku.postgres.pgbt-crypt pg_dump -U postgres pgbt_crypt >"$PGBT/plain.sql"
  (umask 077 && age-keygen -o "$PGBT/key.txt" && age-keygen -o "$PGBT/other.txt") 2>/dev/null
  RECIPIENT=$(age-keygen -y "$PGBT/key.txt")
  age -r "$RECIPIENT" -o "$PGBT/custom.age" "$PGBT/custom"
  gzip -c "$PGBT/plain.sql" | age -a -r "$RECIPIENT" >"$PGBT/plain.sql.gz.age"
  printf 's3cret-pass\n' >"$PGBT/passphrase"
  printf 'wr0ng-secret\n' >"$PGBT/wrong"
  chmod 644 "$PGBT"/*.age
  chmod 600 "$PGBT/passphrase" "$PGBT/wrong"
  export RECIPIENT FIXTURE=$BATS_TEST_DIRNAME/fixtures/dokku-postgres-1.48.0-postgres-18.tgz.gpg
  install -m 0644 "$FIXTURE" "$PGBT/shop.tgz.gpg"
  install -d -m 0700 "$PGBT/gnupg"
  # From now on the server tells whatever is done to it.
  sql pgbt-crypt 'ALTER SYSTEM SET log_statement = "all"'
  sql pgbt-crypt 'SELECT pg_reload_conf()' >/dev/null
}

teardown_file() { end_file; }

setup() {
  sql pgbt-crypt 'DROP TABLE IF EXISTS items, public.ticks; CREATE TABLE items (id int); INSERT INTO items VALUES (1)' 2>/dev/null
  OID=$(database_oid pgbt-crypt)
}

teardown() { assert_nothing_left pgbt-crypt; }

# The live database is the one it was, and the server was asked for no other.
assert_untouched() {
  assert_equal "$(database_oid pgbt-crypt)" "$OID"
  assert_equal "$(sql pgbt-crypt 'SELECT count(*) FROM items')" 1
  run grep -cE 'CREATE DATABASE|ALTER DATABASE' <(docker logs --since "$1" dokku.postgres.pgbt-crypt 2>&1)
  assert_output 0
}

@test "restore takes the .tgz.gpg of dokku postgres:backup, with its passphrase" {
  run dokku pgbackup:restore pgbt-crypt "$PGBT/shop.tgz.gpg" --passphrase-file - --confirm pgbt-crypt <"$PGBT/passphrase"
  assert_success
  assert_line --partial 'custom dump in gpg, gzip, tar'
  assert_equal "$(sql pgbt-crypt 'SELECT count(*) FROM public.ticks')" 600
}

@test "restore takes the .tgz.gpg from standard input, and its passphrase from a file that user dokku can read" {
  install -m 0644 "$PGBT/passphrase" "$PGBT/passphrase-for-all"
  run dokku pgbackup:restore pgbt-crypt - --passphrase-file "$PGBT/passphrase-for-all" --force <"$FIXTURE"
  assert_success
  assert_line --partial 'can be read by other users of this host'
  assert_equal "$(sql pgbt-crypt 'SELECT count(*) FROM public.ticks')" 600
}

@test "restore refuses a wrong passphrase, and none, before anything is touched" {
  since=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
  run dokku pgbackup:restore pgbt-crypt "$PGBT/shop.tgz.gpg" --passphrase-file - --force <"$PGBT/wrong"
  assert_failure 5
  assert_line --partial 'shop.tgz.gpg is not opened by the passphrase given.'
  refute_output --partial 'wr0ng'
  run dokku pgbackup:restore pgbt-crypt "$PGBT/shop.tgz.gpg" --force
  assert_failure 5
  assert_line --partial '--passphrase-file <file>'
  assert_untouched "$since"
}

@test "restore takes dumps encrypted with age, with the identity" {
  for name in custom.age plain.sql.gz.age; do
    setup
    run dokku pgbackup:restore pgbt-crypt "$PGBT/$name" --identity - --force <"$PGBT/key.txt"
    assert_success
    assert_line --partial 'dump in age'
    assert_equal "$(sql pgbt-crypt 'SELECT count(*), max(name) FROM items')" '300|item 99'
  done
}

@test "restore refuses the wrong identity, and none, before anything is touched" {
  since=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
  run dokku pgbackup:restore pgbt-crypt "$PGBT/custom.age" --identity - --force <"$PGBT/other.txt"
  assert_failure 5
  assert_line --partial 'custom.age is encrypted (age) to one recipient, and the identity given is not of it.'
  refute_output --partial AGE-SECRET-KEY-1
  run dokku pgbackup:restore pgbt-crypt "$PGBT/custom.age" --force
  assert_failure 5
  assert_line --partial '--identity <file>'
  # A key that only root can read is handed in, as a dump is.
  run dokku pgbackup:restore pgbt-crypt "$PGBT/custom.age" --identity "$PGBT/key.txt" --force
  assert_failure 5
  assert_line --partial "give - as the file, and add: < $PGBT/key.txt"
  assert_untouched "$since"
}

@test "restore refuses an encrypted dump that is cut off or altered, also where pg_restore has what it needs" {
  since=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
  head -c -1 "$PGBT/custom.age" >"$PGBT/cut.age"
  head -c -1 "$FIXTURE" >"$PGBT/cut.tgz.gpg"
  # What follows an archive is not read by pg_restore; whether all of a message is genuine, gpg says at its end.
  (cat "$PGBT/custom" && head -c 1000000 /dev/urandom) |
    gpg --homedir "$PGBT/gnupg" --batch --pinentry-mode loopback --passphrase-file "$PGBT/passphrase" --compress-algo none -c >"$PGBT/long.gpg"
  head -c -1 "$PGBT/long.gpg" >"$PGBT/altered.gpg"
  printf x >>"$PGBT/altered.gpg"
  chmod 644 "$PGBT"/*.gpg "$PGBT"/*.age
  run dokku pgbackup:restore pgbt-crypt "$PGBT/cut.age" --identity - --force <"$PGBT/key.txt"
  assert_failure 5
  assert_line --partial 'cut.age is damaged (age): its last chunk is cut off or altered'
  for name in cut.tgz.gpg altered.gpg; do
    run dokku pgbackup:restore pgbt-crypt "$PGBT/$name" --passphrase-file - --force <"$PGBT/passphrase"
    assert_failure 5
    assert_line --partial "$name is damaged (gpg)"
  done
  assert_untouched "$since"
}

@test "restore takes a file that gpg encrypted for a key, with the secret key" {
  local own=(gpg --homedir "$PGBT/gnupg" --batch --quiet --pinentry-mode loopback)
  "${own[@]}" --passphrase '' --quick-gen-key 'shop <shop@example.com>' future-default default never
  "${own[@]}" --armor --export-secret-keys >"$PGBT/key.asc"
  "${own[@]}" --trust-model always -r shop@example.com --encrypt <"$PGBT/custom" >"$PGBT/public.gpg"
  gpgconf --homedir "$PGBT/gnupg" --kill gpg-agent
  chmod 644 "$PGBT/public.gpg"
  run dokku pgbackup:restore pgbt-crypt "$PGBT/public.gpg" --force
  assert_failure 5
  assert_line --partial 'the keyring of this user has no such key'
  run dokku pgbackup:restore pgbt-crypt "$PGBT/public.gpg" --identity - --force <"$PGBT/key.asc"
  assert_success
  assert_equal "$(sql pgbt-crypt 'SELECT count(*) FROM items')" 300
  run pgrep -fa "gpg-agent .*$(spool_of pgbt-crypt)"
  assert_failure 1
}

@test "no key is seen in ps, the spool or the log of a restore" {
  : >"$PGBT/watch"
  while [[ -e $PGBT/watch ]]; do
    ps -eo args
    sleep 0.02
  done >"$PGBT/processes" 2>/dev/null 3>&- &
  dokku --trace pgbackup:restore pgbt-crypt "$PGBT/shop.tgz.gpg" --passphrase-file - --force <"$PGBT/passphrase" >"$PGBT/out" 2>&1
  dokku --trace pgbackup:restore pgbt-crypt "$PGBT/shop.tgz.gpg" --passphrase-file - --force <"$PGBT/wrong" >>"$PGBT/out" 2>&1 || true
  dokku --trace pgbackup:restore pgbt-crypt "$PGBT/custom.age" --identity - --force <"$PGBT/key.txt" >>"$PGBT/out" 2>&1
  dokku pgbackup:log pgbt-crypt --format json >>"$PGBT/out"
  rm "$PGBT/watch"
  run grep -c -- '--passphrase-fd' "$PGBT/processes"
  assert_success
  spool=$(spool_of pgbt-crypt)
  run grep -rlE 's3cret-pass|wr0ng-secret|AGE-SECRET-KEY-1' "$PGBT/processes" "$PGBT/out" "$spool" "${spool%/spool}/state"
  assert_failure 1
}
