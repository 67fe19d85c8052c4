#!/usr/bin/env bats
# pgbackup:run: the backup itself. Whom it is of: run-targets.bats.

load helper

setup_file() {
  begin_file
  # Its database is called pgbt_happy_cows (pitfall 10).
  make_service pgbt-happy-cows
  make_items pgbt-happy-cows
}

teardown_file() { end_file lock-timeout; }

# What a run left of itself when it is over: nothing.
teardown() { assert_nothing_left pgbt-happy-cows; }

@test "run backs up a service whose database has another name (pitfall 10)" {
  run_apart dokku pgbackup:run pgbt-happy-cows
  assert_success
  assert_line --partial '-----> Backing up pgbt-happy-cows (PostgreSQL '
  assert_line --partial 'database pgbt_happy_cows)'
  assert_line --regexp '^=====> Backup pgbt-happy-cows-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{4} is taken and proven$'
  assert_line --regexp '^ +Size: +[0-9.]+ k?B \(database [0-9.]+ MB, ratio [0-9.]+\)$'
  assert_line --regexp '^ +Rows: +100 in 1 table$'
  assert_line --partial 'dokku pgbackup:restore pgbt-happy-cows pgbt-happy-cows-'
  assert_equal "$errors" ''
}

@test "run with --format json prints the manifest and nothing else" {
  run_apart dokku pgbackup:run pgbt-happy-cows --format json --label level=1200 --label stage='before 2.0' --note 'über "quotes", $HOME; `id`'
  assert_success
  assert_equal "$errors" ''
  assert_equal "${#lines[@]}" 1
  echo "$output" >"$PGBT/run.json"
  assert_equal "$(json 'd["labels"]' <"$PGBT/run.json")" '{"level": "1200", "stage": "before 2.0"}'
  assert_equal "$(json 'd["note"]' <"$PGBT/run.json")" 'über "quotes", $HOME; `id`'
  assert_equal "$(json 'd["database"]["name"]' <"$PGBT/run.json")" pgbt_happy_cows
  assert_equal "$(json 'd["rows"]' <"$PGBT/run.json")" '[{"schema": "public", "table": "items", "rows": 100}]'
  # The manifest tells the truth about the file.
  archive=$(json 'd["place"] + d["archive"]["file"]' <"$PGBT/run.json")
  assert_equal "$(sha256sum "$archive" | cut -d' ' -f1)" "$(json 'd["archive"]["storedSha256"]' <"$PGBT/run.json")"
  assert_equal "$(stat -c %s "$archive")" "$(json 'd["archive"]["storedBytes"]' <"$PGBT/run.json")"
  assert_equal "$(head -c 5 "$archive")" PGDMP
}

@test "run with --quiet prints the id alone, wherever the flag stands" {
  run dokku pgbackup:run pgbt-happy-cows --quiet
  assert_success
  assert_output --regexp '^pgbt-happy-cows-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{4}$'
  run dokku --quiet pgbackup:run pgbt-happy-cows
  assert_success
  assert_output --regexp '^pgbt-happy-cows-[0-9]{8}T[0-9]{6}Z-[a-z0-9]{4}$'
}

@test "run writes an archive that nobody but dokku can read" {
  archive=$(archive_of pgbt-happy-cows "$(take_backup pgbt-happy-cows)")
  assert_equal "$(stat -c '%U %a' "$archive")" 'dokku 600'
}

@test "run takes only the schemas that are named" {
  sql pgbt-happy-cows 'CREATE SCHEMA "b a.r"; CREATE TABLE "b a.r".only (id int); INSERT INTO "b a.r".only VALUES (1), (2)'
  run dokku pgbackup:run pgbt-happy-cows --schema 'b a.r' --format json
  assert_success
  assert_equal "$(json '[d["schemas"], d["rows"]]' <<<"$output")" '[["b a.r"], [{"schema": "b a.r", "table": "only", "rows": 2}]]'
  run dokku pgbackup:run pgbt-happy-cows --schema nope
  assert_failure
  assert_output --partial nope
  sql pgbt-happy-cows 'DROP SCHEMA "b a.r" CASCADE'
}

@test "run warns of further databases in the service, which it does not dump (pitfall 12)" {
  psql_in pgbt-happy-cows postgres -c 'CREATE DATABASE another'
  run dokku pgbackup:run pgbt-happy-cows
  psql_in pgbt-happy-cows postgres -c 'DROP DATABASE another'
  assert_success
  assert_line ' !     The service also holds another: a backup holds database pgbt_happy_cows alone'
}

@test "run fails in time when somebody has locked a table, and lists nothing (pitfall 6)" {
  before=$(backups_of pgbt-happy-cows)
  dokku pgbackup:set pgbt-happy-cows lock-timeout 1s >/dev/null
  hold_lock pgbt-happy-cows items
  begun=$SECONDS
  run dokku pgbackup:run pgbt-happy-cows
  took=$((SECONDS - begun))
  release_lock pgbt-happy-cows
  dokku pgbackup:set pgbt-happy-cows lock-timeout >/dev/null
  assert_failure 9
  assert_line ' !     The backup waited 1 s in vain for public.items, which somebody has locked (lock timeout)'
  assert_line --partial 'dokku pgbackup:set <service> lock-timeout'
  ((took < 20)) || fail "took $took s"
  assert_equal "$(backups_of pgbt-happy-cows)" "$before"
  assert_equal "$(find "$PGBT/backups" -name archive.dump -newer "$PGBT/create.log" | wc -l)" "$(find "$PGBT/backups" -name manifest.json -newer "$PGBT/create.log" | wc -l)"
}

@test "run fails with exit 6 while another one works, and says which and since when (pitfall 8)" {
  hold_lock pgbt-happy-cows items
  dokku --quiet pgbackup:run pgbt-happy-cows >"$PGBT/first" 2>&1 3>&- &
  first=$!
  wait_for sql_says pgbt-happy-cows "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'items'::regclass AND NOT granted"
  run dokku pgbackup:run pgbt-happy-cows
  release_lock pgbt-happy-cows
  assert_failure 6
  assert_line --regexp '^ !     Service pgbt-happy-cows is busy: backup since 20[0-9]{2}-[0-9]{2}-[0-9]{2}.[0-9:.]+Z? .*\(process [0-9]+\)$'
  # The first one is none the worse for it.
  wait "$first"
  run dokku pgbackup:info pgbt-happy-cows "$(<"$PGBT/first")"
  assert_success
}

@test "run logs in with a password of every printable character" {
  password='!"#$%&'\''()*+,-./0:;<=>?@A[\]^_`a{|}~'
  make_service pgbt-password --password "$password"
  # The image trusts whoever comes over loopback: from now on it asks.
  docker exec dokku.postgres.pgbt-password sh -c 'sed -i "/127\.0\.0\.1/s/trust/scram-sha-256/" "$(psql -U postgres -Atc "SHOW hba_file")"'
  sql pgbt-password 'SELECT pg_reload_conf()'
  run docker exec dokku.postgres.pgbt-password psql -w -h 127.0.0.1 -U postgres -c 'SELECT 1'
  assert_failure
  run dokku pgbackup:run pgbt-password
  assert_success
  run dokku pgbackup:restore pgbt-password --latest --force
  assert_success
  refute_output --partial "$password"
  assert_nothing_left pgbt-password
  dokku --force postgres:destroy pgbt-password >/dev/null
}

@test "run keeps backups in the plugin's data directory unless told otherwise" {
  dokku pgbackup:set pgbt-happy-cows backup-dir >/dev/null
  run dokku pgbackup:run pgbt-happy-cows --format json
  dokku pgbackup:set pgbt-happy-cows backup-dir "$PGBT/backups" >/dev/null
  assert_success
  spool=$(spool_of pgbt-happy-cows)
  place=$(json 'd["place"]' <<<"$output") id=$(json 'd["id"]' <<<"$output") host=$(json 'd["host"]' <<<"$output")
  assert_equal "$place" "${spool%/spool}/backups/$host/pgbt-happy-cows/$id/"
  [[ -s $place/archive.dump ]]
  rm -r "${place:?}"
}
