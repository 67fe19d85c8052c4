#!/usr/bin/env bats
# A bucket, and everything between it and the host, struck in the middle of a backup and of a restore: no upload is left
# behind, nothing is listed that is not whole, the live database is what it was (pitfalls 1, 3, 15, 17, 18).

load helper
load ../host/s3

setup_file() {
  # Some 13 MB when compressed: three parts of the smallest size.
  ROWS=400000 SLOW_ROWS=1500 begin_file flt-off -I 18
  begin_s3 faults
  dokku pgbackup:storage-destroy flt-offsite --force >/dev/null 2>&1 || true
  make_storage flt-offsite "$BUCKET" --part-size 5
  dokku pgbackup:set "$SERVICE" storages flt-offsite
  dokku pgbackup:copy "$SERVICE" --to flt-offsite --storage local
  dokku pgbackup:delete "$SERVICE" "$BACKUP" --storage local --force
}

teardown_file() {
  dokku pgbackup:set "$SERVICE" storages || true
  dokku pgbackup:storage-destroy flt-offsite --force || true
  end_s3
  end_file
}

setup() {
  reach "$PGBACKUP_TEST_RGW"
  BEFORE=$(backups)
}

teardown() { stop_served; }

# usage: reach <address> [bucket]: where flt-offsite is from now on; its keys stay.
reach() { dokku pgbackup:storage-create flt-offsite s3 --bucket "${2:-$BUCKET}" --endpoint "$1" --part-size 5 --replace >/dev/null; }

# usage: struck <rule of test/tools/serve.ts>...: a proxy stands before the bucket, and strikes.
struck() {
  serve proxy "$PGBACKUP_TEST_RGW" "$@"
  reach "$URL"
}

# usage: asked_for <pattern>: the proxy has seen such a request.
asked_for() { grep -qE -- "$1" "$SERVER_LOG"; }

# usage: uploading: a backup has begun, and its second part is never answered.
uploading() {
  struck 'part:2={"kind":"hang"}'
  start pgbackup:run "$SERVICE"
  wait_for asked_for 'PUT .*partNumber=2.* hang'
  assert_equal "$(uploads_in "$BUCKET" | wc -l)" 1
}

# usage: assert_none_taken: nothing more is listed, and nothing is begun or left in the bucket.
assert_none_taken() {
  assert_equal "$(backups)" "$BEFORE"
  assert_equal "$(uploads_in "$BUCKET")" ''
  assert_equal "$(objects_in "$BUCKET" | wc -l)" $((2 * BEFORE))
}

for mode in node group clients; do
  bats_test_function --description "of a backup killed between two parts the next command aborts the upload ($mode)" -- killed_uploading "$mode"
done

killed_uploading() {
  uploading
  kill_plugin "$1"
  assert_equal "$(uploads_in "$BUCKET" | wc -l)" 1
  assert_equal "$(backups)" "$BEFORE"
  assert_recovers "$NEWER"
  assert_none_taken
}

@test "a backup that is interrupted between two parts takes its upload back and says so" {
  uploading
  kill -INT "$(plugin_pid)"
  finish
  assert_failure 130
  # By itself: no further command is needed.
  assert_none_taken
  assert_clean
}

@test "a backup whose bucket is removed midway fails with exit 7, names the bucket, and leaves the service as it was" {
  make_bucket "$BUCKET-gone"
  serve proxy "$PGBACKUP_TEST_RGW" 'part:2={"kind":"delay","milliseconds":4000}'
  reach "$URL" "$BUCKET-gone"
  start pgbackup:run "$SERVICE"
  wait_for asked_for 'PUT .*partNumber=2.* delay'
  remove_bucket "$BUCKET-gone"
  finish
  assert_failure 7
  assert_output --partial "$BUCKET-gone"
  reach "$PGBACKUP_TEST_RGW"
  assert_recovers "$NEWER"
  assert_none_taken
}

@test "a backup to a server that answers no more fails, and once it does the upload is gone" {
  struck 'part:2={"kind":"reset","times":1000}' 'part:3={"kind":"reset","times":1000}' 'abort={"kind":"reset","times":1000}'
  run dokku pgbackup:run "$SERVICE"
  assert_failure 7
  reach "$PGBACKUP_TEST_RGW"
  assert_recovers "$NEWER"
  assert_none_taken
}

for mode in node group clients; do
  bats_test_function --description "a restore from a bucket that is killed midway leaves the live database untouched ($mode)" -- killed_restoring "$mode"
done

killed_restoring() {
  start pgbackup:restore "$SERVICE" "$BACKUP" --force
  wait_for restoring_slowly
  kill_plugin "$1"
  assert_equal "$(live_hash)" "$NEWER"
  assert_recovers "$NEWER"
  assert_equal "$(backups)" "$BEFORE"
}

@test "a restore whose connection is cut again and again goes on where it was, and is exact row by row" {
  struck 'GET:archive={"kind":"cut","way":"response","after":3000000,"by":"reset","times":9}'
  run restore --jobs 1
  assert_success
  assert_equal "$(live_hash)" "$SAVED"
  assert [ "$(grep -cE 'GET .*archive.* bytes=[1-9][0-9]{6,}-' "$SERVER_LOG")" -ge 3 ]
  run dokku pgbackup:undo "$SERVICE" --force
  assert_success
  assert_equal "$(live_hash)" "$NEWER"
  assert_clean
}

@test "a restore whose connection is cut for good fails with exit 7, and the live database is what it was" {
  # A dry run reads as much as is read before anything is done.
  struck
  run dokku pgbackup:restore "$SERVICE" "$BACKUP" --jobs 1 --dry-run
  assert_success
  local before
  before=$(grep -c 'GET .*archive' "$SERVER_LOG")
  struck "GET:archive={\"kind\":\"cut\",\"way\":\"response\",\"after\":3000000,\"by\":\"reset\",\"skip\":$before}" \
    "GET:archive={\"kind\":\"reset\",\"skip\":$before,\"times\":1000}"
  run restore --jobs 1
  assert_failure 7
  assert asked_for 'GET .*archive.* cut$'
  assert_equal "$(live_hash)" "$NEWER"
  reach "$PGBACKUP_TEST_RGW"
  assert_recovers "$NEWER"
}

@test "a backup with one byte turned in the bucket is refused, streamed or fetched, and the live database is what it was (pitfall 15)" {
  local archive
  archive=$(objects_in "$BUCKET" | grep "$BACKUP/archive")
  corrupt_object "$BUCKET" "$archive"
  for jobs in 1 4; do
    run restore --jobs "$jobs"
    [[ $status == 5 || $status == 8 ]]
    assert_output --partial "$BACKUP"
    assert_equal "$(live_hash)" "$NEWER"
    assert_clean
  done
  run dokku pgbackup:verify "$SERVICE" "$BACKUP"
  assert_failure 8
  # The same byte turned back.
  corrupt_object "$BUCKET" "$archive"
  run dokku pgbackup:verify "$SERVICE" "$BACKUP"
  assert_success
}

@test "a byte that is turned on the way is noticed too" {
  struck 'GET:archive={"kind":"corrupt","way":"response","at":4000000,"times":1000}'
  run restore --jobs 1
  [[ $status == 5 || $status == 8 || $status == 7 ]]
  assert_equal "$(live_hash)" "$NEWER"
  assert_recovers "$NEWER"
}
