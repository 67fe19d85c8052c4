#!/usr/bin/env bats
# pgbackup:storage-create, -auth, -check, -list, -destroy, and backups that go to several storages (pitfalls 19, 49).

load helper
load s3

setup_file() {
  begin_file
  begin_s3 stor
  # No keys of RGW, and easy to find wherever they should not be.
  export KEY=PGBTKEYID0123456789 SECRET=pgbt/Geheim+S3cret0123456789abcdefghij
  make_service pgbt-stor
  make_items pgbt-stor 300
}

teardown_file() {
  end_s3
  end_file keep-last
}

setup() {
  remove_storages
  rm -rf "$PGBT/backups" "$PGBT/second"
  install -d -m 0777 "$PGBT/backups" "$PGBT/second"
  allow "$BUCKET"
  empty_bucket "$BUCKET"
}

# usage: names: of the storages, as they are listed.
names() { dokku pgbackup:storage-list --format json | json '" ".join(s["name"] for s in d)'; }

# usage: copies_of <id>: where it lies.
copies_of() { dokku pgbackup:list pgbt-stor --format json | json "' '.join(c for b in d if b['id'] == '$1' for c in b['copies'])"; }

# The plugin's own data.
data() { dirname "$(spool_of pgbt-stor)"; }

# usage: refused_with <exit code> <part of the message> <words of the command>...
refused_with() {
  run dokku "${@:3}" </dev/null
  assert_equal "$status|$*" "$1|$*"
  assert_output --partial "$2"
}

# usage: use_both: backups go to the directory and to the bucket.
use_both() {
  make_storage pgbt-off "$BUCKET"
  dokku pgbackup:set pgbt-stor storages local,pgbt-off >/dev/null
}

# usage: take_away pgbt-off, bring_back pgbt-off: nobody listens where it is said to be.
take_away() { make_storage_at http://127.0.0.1:9 "$1"; }
bring_back() { make_storage_at "$PGBACKUP_TEST_RGW" "$1"; }
make_storage_at() { dokku pgbackup:storage-create "$2" s3 --bucket "$BUCKET" --endpoint "$1" --replace >/dev/null; }

@test "a storage in a bucket is set up, given its keys, checked, used and forgotten; each step says the next" {
  run dokku pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --prefix a/b --endpoint "$PGBACKUP_TEST_RGW"
  assert_success
  assert_line '=====> Storage pgbt-off is set up'
  assert_line --regexp "^ +Lies in: +s3://$BUCKET/a/b$"
  assert_line --partial '| dokku pgbackup:storage-auth pgbt-off'
  run dokku pgbackup:storage-check pgbt-off
  assert_failure 7
  assert_output --partial 'dokku pgbackup:storage-auth pgbt-off'
  run dokku pgbackup:storage-auth pgbt-off < <(printf '%s\n%s\n' "$PGBACKUP_TEST_RGW_KEY" "$PGBACKUP_TEST_RGW_SECRET")
  assert_success
  assert_line --partial 'dokku pgbackup:storage-check pgbt-off'
  run dokku pgbackup:storage-check pgbt-off
  assert_success
  assert_line --regexp '^[Ww]rit.* yes '
  assert_line "=====> Backups can be taken to pgbt-off (s3://$BUCKET/a/b)"
  # What it wrote is gone.
  assert_equal "$(objects_in "$BUCKET")$(uploads_in "$BUCKET")" ''
  assert_equal "$(dokku pgbackup:storage-check pgbt-off --format json | json 'd["usable"]')" true
  dokku pgbackup:set pgbt-stor storages pgbt-off >/dev/null
  run take_backup pgbt-stor
  assert_success
  run dokku pgbackup:storage-list
  assert_line --regexp "^pgbt-off +s3 +s3://$BUCKET/a/b +$PGBACKUP_TEST_RGW +key $PGBACKUP_TEST_RGW_KEY +pgbt-stor$"
  run dokku pgbackup:storage-destroy pgbt-off --force
  assert_failure 5
  assert_output --partial 'Storage pgbt-off is in use by pgbt-stor'
  assert_output --partial 'dokku pgbackup:set pgbt-stor storages '
  dokku pgbackup:set pgbt-stor storages >/dev/null
  run dokku pgbackup:storage-destroy pgbt-off </dev/null
  assert_failure 5
  assert_output --partial '--confirm pgbt-off'
  run dokku pgbackup:storage-destroy pgbt-off --confirm pgbt-off
  assert_success
  assert_equal "$(names)" local
  assert_equal "$(find "$(data)/storages" -type f -name '*pgbt-off*')" ''
  # What lies there stays.
  assert_equal "$(objects_in "$BUCKET" | grep -c .)" 2
}

@test "a storage in a directory is set up, checked and used" {
  run dokku pgbackup:storage-create pgbt-disk local --path "$PGBT/second"
  assert_success
  refute_output --partial storage-auth
  run dokku pgbackup:storage-check pgbt-disk
  assert_success
  assert_equal "$(find "$PGBT/second" -type f)" ''
  id=$(take_backup pgbt-stor --storage pgbt-disk)
  assert_equal "$(find "$PGBT/second" -path "*/$id/*" -type f | wc -l)" 2
  assert_equal "$(find "$PGBT/backups" -type f | wc -l)" 0
  # Where nobody may write, it is told now.
  chmod 755 "$PGBT/second"
  run dokku pgbackup:storage-check pgbt-disk
  [[ $(stat -c %U "$PGBT/second") == dokku ]] || assert_failure 7
  refused_with 2 'needs no keys' pgbackup:storage-auth pgbt-disk
}

@test "what is no storage is refused, with what to type, and nothing is set up" {
  refused_with 2 'cannot be the name of a storage' pgbackup:storage-create 'pgbt Off' s3 --bucket b
  refused_with 2 'cannot be the name of a storage' pgbackup:storage-create ../pgbt s3 --bucket b
  refused_with 2 'is always there' pgbackup:storage-create local local --path "$PGBT/second"
  refused_with 2 'There is no kind of storage "ftp"' pgbackup:storage-create pgbt-off ftp
  refused_with 2 '--bucket <bucket>' pgbackup:storage-create pgbt-off s3 --region eu-1
  refused_with 2 'needs a region' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET"
  refused_with 2 'the name of a bucket holds 3 to 63' pgbackup:storage-create pgbt-off s3 --bucket 'a/b' --region eu-1
  refused_with 2 'a prefix is a relative path' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --region eu-1 --prefix ../x
  refused_with 2 'an endpoint is the URL of a server' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --endpoint s3.example.com
  refused_with 2 '--path is for local' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --region eu-1 --path /mnt
  refused_with 2 '--bucket is for s3' pgbackup:storage-create pgbt-off local --bucket "$BUCKET" --path /mnt
  refused_with 2 'Name its directory' pgbackup:storage-create pgbt-off local
  refused_with 2 'is not a usable path' pgbackup:storage-create pgbt-off local --path backups
  refused_with 2 'There is no provider "azure"' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --provider azure
  refused_with 2 'either --use-iam or --profile' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --region eu-1 --use-iam --profile x
  assert_equal "$(names)" local
  make_storage pgbt-off "$BUCKET"
  refused_with 5 'There is a storage called "pgbt-off" already' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --region eu-1
  for verb in check destroy auth; do refused_with 4 '"pgbt-none"' "pgbackup:storage-$verb" pgbt-none; done
  refused_with 4 '"pgbt-none"' pgbackup:set pgbt-stor storages local,pgbt-none
  refused_with 4 '"pgbt-none"' pgbackup:discover pgbt-none
  refused_with 4 '"pgbt-none"' pgbackup:run pgbt-stor --storage pgbt-none
}

@test "a bucket that is not there, wrong keys and a server that is not there are told by the check, each by its name" {
  dokku pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET-nope" --endpoint "$PGBACKUP_TEST_RGW" >/dev/null
  give_keys pgbt-off
  refused_with 7 "$BUCKET-nope" pgbackup:storage-check pgbt-off
  assert_output --partial 'does not exist'
  dokku pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --endpoint "$PGBACKUP_TEST_RGW" --replace >/dev/null
  printf '%s\n%s\n' "$KEY" "$SECRET" | dokku pgbackup:storage-auth pgbt-off >/dev/null
  refused_with 7 InvalidAccessKeyId pgbackup:storage-check pgbt-off
  printf '%s\n%s\n' "$PGBACKUP_TEST_RGW_KEY" "$SECRET" | dokku pgbackup:storage-auth pgbt-off >/dev/null
  refused_with 7 SignatureDoesNotMatch pgbackup:storage-check pgbt-off
  take_away pgbt-off
  refused_with 7 '127.0.0.1:9' pgbackup:storage-check pgbt-off
}

@test "a backup that its storage turns away leaves nothing to clean up, and says so of nothing" {
  dokku pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET-nope" --endpoint "$PGBACKUP_TEST_RGW" >/dev/null
  give_keys pgbt-off
  refused_with 7 'does not exist (NoSuchBucket)' pgbackup:run pgbt-stor --storage pgbt-off
  refute_output --partial 'could be removed'
  dokku pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --endpoint "$PGBACKUP_TEST_RGW" --replace >/dev/null
  printf '%s\n%s\n' "$PGBACKUP_TEST_RGW_KEY" "$SECRET" | dokku pgbackup:storage-auth pgbt-off >/dev/null
  refused_with 7 SignatureDoesNotMatch pgbackup:run pgbt-stor --storage pgbt-off
  refute_output --partial 'could be removed'
  run dokku pgbackup:run pgbt-stor --storage local
  assert_success
  refute_output --partial 'cut off'
}

@test "a storage without its prefix is told from one without backups, and a web server from both" {
  make_storage pgbt-off "$BUCKET" --prefix a/b
  id=$(dokku --quiet pgbackup:run pgbt-stor --storage pgbt-off)
  make_storage pgbt-bare "$BUCKET"
  run dokku pgbackup:discover pgbt-bare
  assert_success
  assert_line --partial "No backups in s3://$BUCKET"
  assert_line --partial 'There are backups below a/b: set the storage up with its prefix: dokku pgbackup:storage-create pgbt-bare s3 … --prefix a/b --replace'
  make_storage pgbt-bare "$BUCKET" --prefix A --replace
  run dokku pgbackup:discover pgbt-bare
  assert_line --partial 'the bucket and the prefix that the backups went to'
  serve imds no storage
  dokku pgbackup:storage-create pgbt-bare s3 --bucket "$BUCKET" --endpoint "$URL" --replace >/dev/null
  refused_with 7 'speak S3' pgbackup:discover pgbt-bare
  refused_with 7 'speak S3' pgbackup:list pgbt-stor --storage pgbt-bare
  refused_with 7 'speak S3' pgbackup:restore pgbt-stor --latest --storage pgbt-bare --force
  run dokku pgbackup:restore pgbt-stor --latest --force
  assert_failure 4
  assert_output --partial 'It may be in one of pgbt-bare, pgbt-off'
  dokku pgbackup:restore pgbt-stor "$id" --storage pgbt-off --force
}

@test "keys come on standard input alone: two lines, nothing in argv, and what does not fit is not repeated" {
  dokku pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --endpoint "$PGBACKUP_TEST_RGW" >/dev/null
  for words in "--access-key $KEY" "--secret-key $SECRET" "--key $KEY"; do
    # shellcheck disable=SC2086 # two words
    refused_with 2 'unknown option' pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" $words
    refute_output --partial "$SECRET"
  done
  run dokku pgbackup:storage-auth pgbt-off "$KEY" "$SECRET" </dev/null
  assert_failure 2
  refute_output --partial "$SECRET"
  for input in "$SECRET" "$KEY"$'\n'"$SECRET"$'\nmore' "$KEY with spaces"$'\n'"$SECRET" ''; do
    run dokku pgbackup:storage-auth pgbt-off <<<"$input"
    assert_failure 2
    refute_output --partial "$SECRET"
  done
  assert_equal "$(dokku pgbackup:storage-list --format json | json '[s["access"] for s in d if s["name"] == "pgbt-off"][0]')" 'no keys yet'
  # From a file that only root can read.
  (umask 077 && printf '%s\n%s\n' "$KEY" "$SECRET" >"$PGBT/keys")
  run dokku pgbackup:storage-auth pgbt-off <"$PGBT/keys"
  assert_success
}

@test "the secret key is nowhere to be seen: ps, output, report, JSON, trace, log; its file is user dokku's alone (pitfall 49)" {
  local real=$PGBACKUP_TEST_RGW_SECRET
  use_both
  dokku pgbackup:storage-create pgbt-wrong s3 --bucket "$BUCKET" --endpoint "$PGBACKUP_TEST_RGW" >/dev/null
  watch_processes
  {
    printf '%s\n%s\n' "$KEY" "$SECRET" | dokku --trace pgbackup:storage-auth pgbt-wrong --format json
    for verb in run list info report log storage-list; do
      for format in text json; do
        case $verb in
          storage-list) dokku pgbackup:storage-list --format "$format" ;;
          *) dokku "pgbackup:$verb" pgbt-stor --format "$format" --trace ;;
        esac
      done
    done
    dokku pgbackup:storage-check pgbt-wrong --trace
    dokku pgbackup:storage-check pgbt-off --format json --trace
    dokku pgbackup:run pgbt-stor --storage pgbt-wrong --trace
    dokku pgbackup:verify pgbt-stor --trace
    dokku pgbackup:restore pgbt-stor --latest --storage pgbt-off --force --trace
  } >"$PGBT/said" 2>&1 || true
  rm "$PGBT/watch"
  wait
  for word in "$SECRET" "$real"; do
    run grep -cF -e "$word" "$PGBT/said" "$PGBT/processes"
    assert_failure 1
    # Only where it is kept.
    run grep -rlF -e "$word" "$(data)" "$(data)/../../config/pgbackup" "$PGBT/backups"
    assert_success
    assert_equal "${#lines[@]}" 1
    assert_equal "$(stat -c '%U %a' "$output")" 'dokku 600'
  done
  # The watch saw what it was there for.
  run grep -cF pgbackup:verify "$PGBT/processes"
  assert_success
  run find "$(data)/storages" -not -user dokku -o -type f -perm /077
  assert_output ''
}

@test "keys that may only write take backups, and are told what they cannot (pitfall 19)" {
  make_storage pgbt-off "$BUCKET"
  deny "$BUCKET" s3:GetObject s3:ListBucket s3:ListBucketMultipartUploads s3:DeleteObject
  run dokku pgbackup:storage-check pgbt-off
  assert_success
  assert_line --regexp ' denied '
  run dokku pgbackup:run pgbt-stor --storage pgbt-off
  assert_success
  assert_output --partial 'is taken and proven'
  run dokku pgbackup:list pgbt-stor --storage pgbt-off
  assert_failure
  assert_output --partial 'ListBucket'
  # What they wrote is a whole backup.
  allow "$BUCKET"
  run dokku pgbackup:verify pgbt-stor --storage pgbt-off
  assert_success
}

@test "one of two storages is away: exit 3, the other has it, the next run says what is behind, copy brings it" {
  use_both
  take_away pgbt-off
  run dokku pgbackup:run pgbt-stor
  assert_failure 3
  assert_output --partial 'pgbt-off: '
  assert_output --partial 'dokku pgbackup:copy pgbt-stor '
  bring_back pgbt-off
  late=$(dokku pgbackup:list pgbt-stor --format json | json 'd[-1]["id"]')
  assert_equal "$(copies_of "$late")" local
  run dokku pgbackup:info pgbt-stor "$late" --format json
  assert_equal "$(json '[(s["name"], s["stored"]) for s in d["storages"]]' <<<"$output")" '[["local", true], ["pgbt-off", false]]'
  run dokku pgbackup:report pgbt-stor
  assert_output --partial pgbt-off
  run dokku pgbackup:run pgbt-stor
  assert_success
  assert_output --partial "pgbt-off lacks $late"
  assert_output --partial 'dokku pgbackup:copy pgbt-stor --to pgbt-off'
  run dokku pgbackup:copy pgbt-stor --to pgbt-off
  assert_success
  assert_equal "$(copies_of "$late")" 'local pgbt-off'
  run dokku pgbackup:verify pgbt-stor "$late" --storage pgbt-off
  assert_success
  run dokku pgbackup:run pgbt-stor
  assert_success
  refute_output --partial lacks
}

@test "a storage whose server is stopped in the middle of a backup does not hurt the other" {
  serve proxy "$PGBACKUP_TEST_RGW" 'part:2={"kind":"cut","way":"request","after":100000,"by":"stall"}'
  make_storage pgbt-off "$BUCKET" --part-size 5
  dokku pgbackup:storage-create pgbt-off s3 --bucket "$BUCKET" --endpoint "$URL" --part-size 5 --replace >/dev/null
  dokku pgbackup:set pgbt-stor storages local,pgbt-off >/dev/null
  sql pgbt-stor "CREATE TABLE noise AS SELECT n, md5(random()::text) || md5(random()::text) AS text FROM generate_series(1, 300000) n"
  dokku pgbackup:run pgbt-stor >"$PGBT/output" 2>&1 3>&- &
  backup=$!
  wait_for grep -q 'PUT .*partNumber=2.* cut' "$SERVER_LOG"
  stop_served
  status=0
  wait "$backup" || status=$?
  sql pgbt-stor 'DROP TABLE noise'
  assert_equal "$status" 3
  bring_back pgbt-off
  id=$(dokku pgbackup:list pgbt-stor --format json | json 'd[-1]["id"]')
  assert_equal "$(copies_of "$id")" local
  run dokku pgbackup:verify pgbt-stor "$id"
  assert_success
  # What was uploaded lies there, listed nowhere. A sweep takes it when it is a day old, and nothing younger, which may be
  # somebody's.
  run dokku pgbackup:run pgbt-stor
  assert_success
  assert_output --partial "pgbt-off lacks $id"
  assert_equal "$(uploads_in "$BUCKET" | wc -l)" 1
}

@test "of a backup with a damaged copy the whole one is restored; verify tells which it is" {
  use_both
  id=$(take_backup pgbt-stor)
  archive=$(objects_in "$BUCKET" | grep "$id/archive")
  printf x | dd of="$(archive_of pgbt-stor "$id")" bs=1 seek=3000 conv=notrunc status=none
  run dokku pgbackup:verify pgbt-stor "$id"
  assert_failure 8
  run dokku pgbackup:verify pgbt-stor "$id" --format json
  assert_failure 8
  run dokku pgbackup:verify pgbt-stor "$id" --storage pgbt-off
  assert_success
  sql pgbt-stor 'DELETE FROM items'
  run dokku pgbackup:restore pgbt-stor "$id" --force
  assert_success
  assert_output --partial 'The copy in pgbt-off is taken instead'
  assert_equal "$(sql pgbt-stor 'SELECT count(*) FROM items')" 300
  # And the other way round.
  run dokku pgbackup:delete pgbt-stor "$id" --force
  assert_success
  id=$(take_backup pgbt-stor)
  archive=$(objects_in "$BUCKET" | grep "$id/archive")
  corrupt_object "$BUCKET" "$archive"
  run dokku pgbackup:verify pgbt-stor "$id" --storage pgbt-off
  assert_failure 8
  sql pgbt-stor 'DELETE FROM items'
  run dokku pgbackup:restore pgbt-stor "$id" --force
  assert_success
  assert_equal "$(sql pgbt-stor 'SELECT count(*) FROM items')" 300
}

@test "delete removes every copy, or with --storage one; a storage that is away keeps its own" {
  use_both
  ids=("$(take_backup pgbt-stor)" "$(take_backup pgbt-stor)" "$(take_backup pgbt-stor)")
  run dokku pgbackup:delete pgbt-stor "${ids[0]}" --confirm "${ids[0]}"
  assert_success
  assert_equal "$(find "$PGBT/backups" -path "*${ids[0]}*" -type f; objects_in "$BUCKET" | grep "${ids[0]}")" ''
  run dokku pgbackup:delete pgbt-stor "${ids[1]}" --storage local --confirm "${ids[1]}"
  assert_success
  assert_equal "$(copies_of "${ids[1]}")" pgbt-off
  take_away pgbt-off
  run dokku pgbackup:delete pgbt-stor "${ids[1]}" --force
  assert_failure
  assert_output --partial pgbt-off
  bring_back pgbt-off
  assert_equal "$(copies_of "${ids[1]}")" pgbt-off
}

@test "settings of a service that is gone keep no storage in use for ever" {
  make_service pgbt-stor-gone
  make_storage pgbt-off "$BUCKET"
  dokku pgbackup:set pgbt-stor-gone storages pgbt-off >/dev/null
  dokku --force postgres:destroy pgbt-stor-gone >/dev/null 2>&1
  refused_with 5 'in use by pgbt-stor-gone' pgbackup:storage-destroy pgbt-off --force
  run dokku pgbackup:set pgbt-stor-gone storages
  assert_success
  run dokku pgbackup:storage-destroy pgbt-off --force
  assert_success
  dokku pgbackup:set pgbt-stor-gone backup-dir >/dev/null
}
