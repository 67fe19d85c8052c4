#!/usr/bin/env bats
# pgbackup:adopt, with the bucket on Ceph RGW: what dokku-postgres has set up goes on here.

load helper
load s3

setup_file() {
  begin_file
  begin_s3 adopt
  # The role of an instance, which has the keys of RGW.
  serve imds "$PGBACKUP_TEST_RGW_KEY" "$PGBACKUP_TEST_RGW_SECRET"
  export PGBACKUP_METADATA_ENDPOINT=$URL
  for service in pgbt-adopt pgbt-adoptapp; do
    make_service "$service"
    make_items "$service" 562
  done
  PASSPHRASE='a passphrase & spaces; 100%'
  export PASSPHRASE
}

teardown_file() {
  forget pgbt-adopt pgbt-adoptapp
  end_s3
  end_file passphrase recipients
}

setup() { forget pgbt-adopt pgbt-adoptapp; }

# usage: forget <service>...: neither dokku-postgres nor pgbackup has anything set up for it.
forget() {
  local service key storage
  for service in "$@"; do
    dokku postgres:backup-unschedule "$service"
    dokku postgres:backup-deauth "$service"
    dokku postgres:backup-unset-encryption "$service" 2>/dev/null || true
    dokku postgres:backup-unset-public-key-encryption "$service" 2>/dev/null || true
    dokku pgbackup:unschedule "$service" --all >/dev/null 2>&1 || true
    for key in storages passphrase recipients; do dokku pgbackup:set "$service" "$key" >/dev/null; done
  done
  for storage in $(dokku pgbackup:storage-list --format json | json '" ".join(s["name"] for s in d if s["name"].startswith("pgbt-adopt"))'); do
    dokku pgbackup:storage-destroy "$storage" --force >/dev/null
  done
}

# usage: their_auth <service>
their_auth() { dokku postgres:backup-auth "$1" "$PGBACKUP_TEST_RGW_KEY" "$PGBACKUP_TEST_RGW_SECRET" us-east-1 s3v4 "$PGBACKUP_TEST_RGW"; }

# usage: their_backup <service> <bucket, perhaps with a path>: prints the name of the object.
their_backup() {
  dokku postgres:backup "$1" "$2" >&2
  s3 "$PGBACKUP_TEST_RGW/$BUCKET" | grep -o "postgres-$1-20[^<]*" | tail -n 1
}

# usage: schedules_of <service>: the times at which it is backed up here.
schedules_of() { dokku pgbackup:schedules "$1" --format json | json '[s["cron"] for s in d]'; }

# usage: setting <service> <key>: its own value, as it is shown.
setting() { dokku pgbackup:report "$1" --format json | json "[s['own'] for s in d['settings'] if s['key'] == '$2'][0]"; }

@test "the schedule of a production app is seen, and what would be done about it; nothing is changed" {
  their_auth pgbt-adopt
  dokku postgres:backup-schedule pgbt-adopt "30 14 * * *" "$BUCKET" --use-iam
  run dokku postgres:backup-schedule-cat pgbt-adopt
  assert_output --regexp "^30 14 \* \* \* dokku /usr/bin/dokku postgres:backup pgbt-adopt $BUCKET --use-iam$"
  run dokku pgbackup:adopt pgbt-adopt --dry-run
  assert_success
  assert_line --regexp "^ +Storage: +pgbt-adopt-s3 \(new\): s3://$BUCKET at $PGBACKUP_TEST_RGW, with the IAM role of this instance$"
  assert_line --partial 'pgbt-adopt-s3 alone'
  assert_line --partial '"30 14 * * *"'
  assert_line --partial 'dokku postgres:backup-unschedule pgbt-adopt'
  assert_line '=====> Dry run: nothing has been changed; without --dry-run the adoption would go on'
  # A plan for programs, with no secret in it.
  run dokku pgbackup:adopt pgbt-adopt --dry-run --format json
  assert_equal "$(json 'd["plan"]["storage"]["config"]["auth"]["kind"]' <<<"$output")" iam
  refute_output --partial "$PGBACKUP_TEST_RGW_SECRET"
  # Nor does anything happen without a word.
  run dokku pgbackup:adopt pgbt-adopt
  assert_failure 5
  assert_output --partial '--confirm pgbt-adopt'
  assert_equal "$(schedules_of pgbt-adopt) $(setting pgbt-adopt storages)" '[] '
  run dokku pgbackup:storage-list --format json
  refute_output --partial pgbt-adopt
}

@test "with --use-iam the role of the instance takes the backups, and no key is stored" {
  their_auth pgbt-adopt
  dokku postgres:backup-schedule pgbt-adopt "30 14 * * *" "$BUCKET/iam" --use-iam
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  assert_success
  assert_line '=====> pgbt-adopt is taken over from dokku-postgres'
  assert_line --regexp '^ +Next: +20[0-9-]{8} 14:30 '
  assert_line --regexp '^ +Old schedule: +removed$'
  run dokku postgres:backup-schedule-cat pgbt-adopt
  assert_failure 1
  run dokku pgbackup:storage-list --format json
  assert_equal "$(json '[[s["keyId"] if "keyId" in s else None, s["config"]["auth"]["kind"]] for s in d if s["name"] == "pgbt-adopt-s3"]' <<<"$output")" '[[null, "iam"]]'
  # A manual one goes the same way.
  run take_backup pgbt-adopt
  assert_success
  assert_equal "$(backups_of pgbt-adopt)" 2
  assert_nothing_left pgbt-adopt
}

@test "keys, path and schedule are taken over; their .tgz is listed, and restores straight from the bucket" {
  their_auth pgbt-adopt
  dokku postgres:backup-schedule pgbt-adopt "0 3 * * *" "$BUCKET/db/prod"
  name=$(their_backup pgbt-adopt "$BUCKET/db/prod")
  assert_regex "$name" '^postgres-pgbt-adopt-20.*\.tgz$'
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt --format json
  assert_success
  assert_equal "$(json 'd["old"]["count"]' <<<"$output")" 1
  assert_equal "$(json 'd["old"]["newest"]' <<<"$output")" "s3://$BUCKET/db/prod/$name"
  assert_equal "$(json 'd["oldSchedule"]' <<<"$output")" removed
  assert_equal "$(json '[r["rows"] for r in d["manifest"]["rows"]]' <<<"$output")" '[562]'
  assert_equal "$(schedules_of pgbt-adopt) $(setting pgbt-adopt storages)" '["0 3 * * *"] pgbt-adopt-s3'
  run dokku pgbackup:list pgbt-adopt
  assert_success
  assert_line --regexp '^pgbt-adopt-20'
  assert_line --regexp "^s3://$BUCKET/db/prod/$name +pgbt-adopt +20"
  # All rows are gone; the backup of dokku-postgres has them.
  sql pgbt-adopt 'DELETE FROM items'
  run dokku pgbackup:restore pgbt-adopt "s3://$BUCKET/db/prod/$name" --confirm pgbt-adopt --check 'SELECT count(*) = 562 FROM items'
  assert_success
  assert_equal "$(sql pgbt-adopt 'SELECT count(*) FROM items')" 562
  # There is nothing left to take over.
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  assert_failure 4
  assert_output --partial 'dokku pgbackup:schedules pgbt-adopt'
}

@test "a passphrase for gpg becomes one for age: the same word opens the old backups and the new" {
  their_auth pgbt-adopt
  dokku postgres:backup-set-encryption pgbt-adopt "$PASSPHRASE"
  dokku postgres:backup-schedule pgbt-adopt "0 3 * * *" "$BUCKET/secret"
  name=$(their_backup pgbt-adopt "$BUCKET/secret")
  assert_regex "$name" '\.tgz\.gpg$'
  run dokku --trace pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  assert_success
  # Pitfall 49.
  refute_output --partial "$PASSPHRASE"
  refute_output --partial "$PGBACKUP_TEST_RGW_SECRET"
  id=$(dokku pgbackup:list pgbt-adopt --format json | json 'd[0]["id"]')
  assert_equal "$(dokku pgbackup:info pgbt-adopt "$id" --format json | json 'd["archive"]["encryption"]["passphrase"]')" true
  for source in "s3://$BUCKET/secret/$name" "$id"; do
    sql pgbt-adopt 'DELETE FROM items'
    run dokku pgbackup:restore pgbt-adopt "$source" --passphrase-file - --confirm pgbt-adopt <<<"$PASSPHRASE"
    assert_success
    assert_equal "$(sql pgbt-adopt 'SELECT count(*) FROM items')" 562
  done
}

@test "a public key of gpg is refused, and says what to give in its place" {
  their_auth pgbt-adopt
  dokku postgres:backup-set-public-key-encryption pgbt-adopt 0xDEADBEEF
  dokku postgres:backup-schedule pgbt-adopt "0 3 * * *" "$BUCKET/key"
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  assert_failure 5
  assert_output --partial '0xDEADBEEF'
  assert_output --partial '--recipients age1'
  assert_output --partial '--without-encryption'
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt --recipients age1hcgfshvpnljcpssndwz9rxh2zk8suflv24ed2flteehc40595qpq9rrrs0
  assert_success
  assert_equal "$(dokku pgbackup:list pgbt-adopt --format json | json 'len(d[0]["archive"]["encryption"]["recipients"])')" 1
}

@test "a second service in the same bucket shares the storage; --keep-old leaves its schedule" {
  their_auth pgbt-adopt
  their_auth pgbt-adoptapp
  dokku postgres:backup-schedule pgbt-adopt "0 3 * * *" "$BUCKET/shared"
  dokku postgres:backup-schedule pgbt-adoptapp "0 4 * * *" "$BUCKET/shared"
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  assert_success
  run dokku pgbackup:adopt pgbt-adoptapp --confirm pgbt-adoptapp --keep-old
  assert_success
  assert_line --partial 'pgbt-adopt-s3, which is here already'
  assert_line --partial 'dokku postgres:backup-unschedule pgbt-adoptapp'
  assert_equal "$(setting pgbt-adoptapp storages)" pgbt-adopt-s3
  run dokku postgres:backup-schedule-cat pgbt-adoptapp
  assert_success
}

@test "where no backup can be taken, dokku-postgres goes on and nothing is left" {
  their_auth pgbt-adopt
  dokku postgres:backup-schedule pgbt-adopt "0 3 * * *" "$BUCKET-missing"
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  assert_failure 7
  assert_output --partial "$BUCKET-missing"
  assert_output --partial 'pgbt-adopt is backed up by dokku-postgres as before'
  run dokku postgres:backup-schedule-cat pgbt-adopt
  assert_success
  assert_equal "$(schedules_of pgbt-adopt) $(setting pgbt-adopt storages)" '[] '
  run dokku pgbackup:storage-list --format json
  refute_output --partial pgbt-adopt-s3
}

@test "when the first backup fails, settings and schedules are what they were and the old schedule stays" {
  their_auth pgbt-adopt
  dokku postgres:backup-schedule pgbt-adopt "0 3 * * *" "$BUCKET/locked"
  dokku pgbackup:set pgbt-adopt lock-timeout 1s >/dev/null
  hold_lock pgbt-adopt items
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  release_lock pgbt-adopt
  dokku pgbackup:set pgbt-adopt lock-timeout >/dev/null
  assert_failure 9
  assert_output --partial 'Settings and schedules here are what they were'
  assert_equal "$(schedules_of pgbt-adopt) $(setting pgbt-adopt storages)" '[] '
  run dokku postgres:backup-schedule-cat pgbt-adopt
  assert_success
  # Once the cause is gone, the same command does it.
  run dokku pgbackup:adopt pgbt-adopt --confirm pgbt-adopt
  assert_success
  assert_line --partial 'pgbt-adopt-s3, which is here already'
}

@test "what cannot be taken over is refused, with the line to type" {
  run dokku pgbackup:adopt pgbt-adopt
  assert_failure 4
  assert_output --partial 'dokku pgbackup:storage-create offsite s3 --bucket <bucket>'
  their_auth pgbt-adopt
  run dokku pgbackup:adopt pgbt-adopt
  assert_failure 4
  assert_output --partial "--endpoint $PGBACKUP_TEST_RGW --path-style --region us-east-1"
  dokku postgres:backup-schedule pgbt-adopt "0 1/6 * * *" "$BUCKET"
  run dokku pgbackup:adopt pgbt-adopt --dry-run
  assert_failure 5
  assert_output --partial 'dokku pgbackup:adopt pgbt-adopt --schedule "'
  run dokku pgbackup:adopt pgbt-adopt --dry-run --schedule "0 */6 * * *"
  assert_success
}
