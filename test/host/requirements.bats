#!/usr/bin/env bats
# Lines of what five operators need, each by its number, with the bucket that they have. (S0.2 is in notify.bats.)

load helper
load s3

setup_file() {
  begin_file
  begin_s3 req
  make_service pgbt-req
  make_items pgbt-req 562
}

teardown_file() {
  end_s3
  end_file keep-last
}

setup() {
  remove_storages
  dokku pgbackup:unschedule pgbt-req --all >/dev/null 2>&1 || true
  dokku pgbackup:set pgbt-req keep-last >/dev/null
  empty_bucket "$BUCKET"
}

# The line of pgbt-req in user dokku's crontab, without its times and its log.
command_line() { as_cron 'crontab -l' | grep -F ' pgbackup:run pgbt-req ' | sed -E 's/^(@[a-z]+|([^ ]+ ){5})//; s/ *&>>.*//'; }

# usage: stored: `rows` of each backup that is listed.
rows_listed() { dokku pgbackup:list pgbt-req --format json | json '[sum(t["rows"] for t in b["rows"]) for b in d]'; }

@test "S0.1 scheduled to S3: endpoint, keys, bucket, path and times of choice; off and on without losing the configuration" {
  run dokku pgbackup:storage-create pgbt-s3 s3 --endpoint "$PGBACKUP_TEST_RGW" --bucket "$BUCKET" --prefix indexer/mainnet --region eu-1
  assert_success
  run dokku pgbackup:storage-auth pgbt-s3 < <(printf '%s\n%s\n' "$PGBACKUP_TEST_RGW_KEY" "$PGBACKUP_TEST_RGW_SECRET")
  assert_success
  run dokku pgbackup:set pgbt-req storages pgbt-s3
  assert_success
  run dokku pgbackup:schedule pgbt-req '15 */4 * * *'
  assert_success
  run as_cron "$(command_line)"
  assert_success
  # The file's name is made of what nobody has to choose: host, service, time. `download` takes any name.
  run objects_in "$BUCKET"
  assert_line --index 0 --regexp '^indexer/mainnet/[a-z0-9.-]+/pgbt-req/pgbt-req-20[0-9]{6}T[0-9]{6}Z-[a-z0-9]{4}/archive\.dump$'
  assert_line --index 1 --regexp '/manifest\.json$'
  dokku pgbackup:download pgbt-req >"$PGBT/my-own-name.sql.dump"
  assert_equal "$(head -c 5 "$PGBT/my-own-name.sql.dump")" PGDMP

  run dokku pgbackup:unschedule pgbt-req
  assert_success
  assert_equal "$(command_line)" ''
  assert_equal "$(dokku pgbackup:storage-list --format json | json '[(s["config"]["endpoint"], s["config"]["bucket"], s["config"]["prefix"], s["config"]["region"], s["access"], s["usedBy"]) for s in d if s["name"] == "pgbt-s3"]')" \
    "[[\"$PGBACKUP_TEST_RGW\", \"$BUCKET\", \"indexer/mainnet\", \"eu-1\", \"key $PGBACKUP_TEST_RGW_KEY\", [\"pgbt-req\"]]]"
  run dokku pgbackup:schedule pgbt-req '15 */4 * * *'
  assert_success
  run as_cron "$(command_line)"
  assert_success
  assert_equal "$(rows_listed)" '[562, 562]'
}

@test "S0.3 restore from S3 with eight parallel jobs" {
  make_storage pgbt-s3 "$BUCKET"
  dokku pgbackup:set pgbt-req storages pgbt-s3 >/dev/null
  sql pgbt-req 'CREATE TABLE more_1 AS SELECT * FROM items; CREATE TABLE more_2 AS SELECT * FROM items; CREATE INDEX ON items (name)'
  hashes_of pgbt-req >"$PGBT/before"
  take_backup pgbt-req
  make_items pgbt-req 3
  sql pgbt-req 'DROP TABLE more_1, more_2'
  sql pgbt-req 'ALTER SYSTEM SET log_connections = on'
  sql pgbt-req 'SELECT pg_reload_conf()' >/dev/null
  since=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
  run dokku pgbackup:restore pgbt-req --latest --jobs 8 --force
  assert_success
  assert_equal "$(hashes_of pgbt-req)" "$(<"$PGBT/before")"
  # The server saw pg_restore itself and each of its eight workers.
  docker logs --since "$since" dokku.postgres.pgbt-req >"$PGBT/connections" 2>&1
  sql pgbt-req 'ALTER SYSTEM RESET log_connections'
  assert [ "$(grep -cE 'connection authorized: .*database=pgbackup_scratch.*application_name=(pg_restore|pgbackup)' "$PGBT/connections")" -ge 9 ]
  assert_nothing_left pgbt-req
}

@test "S0.6 the backups in S3 are listed with their levels, and old ones deleted" {
  make_storage pgbt-s3 "$BUCKET"
  dokku pgbackup:set pgbt-req storages pgbt-s3 >/dev/null
  ids=()
  for level in 1200 1300 1400 1500; do ids+=("$(take_backup pgbt-req --label "level=$level")"); done
  run dokku pgbackup:list pgbt-req
  assert_success
  for n in 0 1 2 3; do assert_line --regexp "^${ids[n]} .* level=1$((n + 2))00"; done
  assert_equal "$(dokku pgbackup:list pgbt-req --format json | json '[b["labels"]["level"] for b in d]')" '["1200", "1300", "1400", "1500"]'
  # One by its id, the others by age.
  run dokku pgbackup:delete pgbt-req "${ids[0]}" --confirm "${ids[0]}"
  assert_success
  dokku pgbackup:set pgbt-req keep-last 2 >/dev/null
  run dokku pgbackup:prune pgbt-req
  assert_success
  assert_equal "$(dokku pgbackup:list pgbt-req --format json | json '[b["labels"]["level"] for b in d]')" '["1400", "1500"]'
  assert_equal "$(objects_in "$BUCKET" | grep -c .)" 4
}

@test "S2.1 see the schedule, take a manual backup, with the role of the instance and no keys" {
  serve imds "$PGBACKUP_TEST_RGW_KEY" "$PGBACKUP_TEST_RGW_SECRET"
  export PGBACKUP_METADATA_ENDPOINT=$URL
  run dokku pgbackup:storage-create pgbt-role s3 --bucket "$BUCKET" --endpoint "$PGBACKUP_TEST_RGW" --use-iam
  assert_success
  run dokku pgbackup:storage-check pgbt-role
  assert_success
  assert_line "=====> Backups can be taken to pgbt-role (s3://$BUCKET)"
  run dokku pgbackup:storage-list
  assert_line --regexp '^pgbt-role +s3 .* IAM role '
  # It has no keys, and takes none.
  run dokku pgbackup:storage-auth pgbt-role < <(printf 'KEY\nSECRET\n')
  assert_failure 2
  dokku pgbackup:set pgbt-req storages pgbt-role >/dev/null
  dokku pgbackup:schedule pgbt-req '30 14 * * *'
  run dokku pgbackup:schedules pgbt-req
  assert_success
  assert_line --regexp '^[a-z0-9]{4} +pgbt-req +30 14 \* \* \* +20[0-9-]{8} 14:30 '
  run dokku pgbackup:run pgbt-req --note 'by hand'
  assert_success
  assert_equal "$(objects_in "$BUCKET" | grep -c .)" 2
  run dokku pgbackup:restore pgbt-req --latest --force
  assert_success
  wait_for grep -q '^GET /latest/meta-data/iam/security-credentials/backup 200$' "$SERVER_LOG"
  # A secret of the role is nowhere on the host.
  run grep -rlF "$PGBACKUP_TEST_RGW_SECRET" "$(dirname "$(spool_of pgbt-req)")"
  assert_failure 1
  # Without the role it says so.
  stop_served
  run dokku pgbackup:run pgbt-req
  assert_failure 7
  assert_output --partial 'pgbt-role'
}

@test "S2.2 an existing .tgz of dokku-postgres is listed from the bucket, and restores from a file and straight from there" {
  local fixture=$BATS_TEST_DIRNAME/fixtures/dokku-postgres-1.48.0-postgres-18.tgz name=postgres-pgbt-req-2026-11-20-03-00-00.tgz
  make_storage pgbt-s3 "$BUCKET" --prefix prod
  dokku pgbackup:set pgbt-req storages pgbt-s3 >/dev/null
  s3 --upload-file "$fixture" "$PGBACKUP_TEST_RGW/$BUCKET/prod/$name"
  run dokku pgbackup:list pgbt-req
  assert_success
  assert_line --regexp "^s3://$BUCKET/prod/$name +pgbt-req +2026-11-20"
  # No backup of ours: it is not proven.
  assert_equal "$(dokku pgbackup:list pgbt-req --format json)" '[]'
  run dokku pgbackup:restore pgbt-req "s3://$BUCKET/prod/$name" --confirm pgbt-req --check 'SELECT count(*) = 598 FROM ticks'
  assert_success
  assert_equal "$(sql pgbt-req 'SELECT count(*) FROM ticks')" 598
  # Of the same bucket, beside the storage's path; and a file.
  dokku pgbackup:undo pgbt-req --force >/dev/null
  s3 --upload-file "$fixture" "$PGBACKUP_TEST_RGW/$BUCKET/$name"
  run dokku pgbackup:restore pgbt-req "s3://$BUCKET/$name" --storage pgbt-s3 --force
  assert_success
  assert_equal "$(sql pgbt-req 'SELECT count(*) FROM ticks')" 598
  dokku pgbackup:undo pgbt-req --force >/dev/null
  install -m 0644 "$fixture" "$PGBT/$name"
  run dokku pgbackup:restore pgbt-req "$PGBT/$name" --force
  assert_success
  assert_equal "$(sql pgbt-req 'SELECT count(*) FROM ticks')" 598
  dokku pgbackup:undo pgbt-req --force >/dev/null
  assert_nothing_left pgbt-req
}

@test "S3.1 every six hours, compressed, to Google Cloud Storage's S3 with HMAC keys" {
  # What a person types for Google leads to Google…
  run dokku pgbackup:storage-create pgbt-gcs s3 --provider google --bucket "$BUCKET"
  assert_success
  assert_equal "$(dokku pgbackup:storage-list --format json | json '[s["config"]["endpoint"] for s in d if s["name"] == "pgbt-gcs"][0]')" https://storage.googleapis.com
  # … and the same settings, in front of a server that is here.
  run dokku pgbackup:storage-create pgbt-gcs s3 --provider google --bucket "$BUCKET" --endpoint "$PGBACKUP_TEST_RGW" --replace
  assert_success
  give_keys pgbt-gcs
  run dokku pgbackup:storage-check pgbt-gcs
  assert_success
  dokku pgbackup:set pgbt-req storages pgbt-gcs >/dev/null
  run dokku pgbackup:schedule pgbt-req '0 */6 * * *'
  assert_success
  assert_line --regexp '^ +Next: +20[0-9-]{8} (00|06|12|18):00 '
  run as_cron "$(command_line)"
  assert_success
  run dokku pgbackup:info pgbt-req --format json
  assert_regex "$(json 'd["archive"]["compression"]' <<<"$output")" zstd
  assert_equal "$(json 'd["archive"]["storedBytes"] < d["databaseBytes"] / 20' <<<"$output")" true
  run dokku pgbackup:restore pgbt-req --latest --force
  assert_success
  assert_equal "$(sql pgbt-req 'SELECT count(*) FROM items')" 562
}
