#!/usr/bin/env bats
# pgbackup:info

load helper

setup_file() {
  begin_file
  make_service pgbt-info
  make_items pgbt-info 77
  make_app pgbt-known pgbt-info
  sql pgbt-info "CREATE EXTENSION pgcrypto; CREATE ROLE pgbt_known; CREATE TABLE \"Ä b\" (id int); ALTER TABLE \"Ä b\" OWNER TO pgbt_known; SELECT lo_create(0)" >/dev/null
  FIRST=$(take_backup pgbt-info)
  sql pgbt-info 'INSERT INTO "Ä b" SELECT generate_series(1, 3)'
  dokku config:set --no-restart pgbt-known GIT_REV=82eeec6fe1c8d1a5b0e1f2a3b4c5d6e7f8091a2b >/dev/null
  SECOND=$(take_backup pgbt-info --label level=9 --note 'before the "step"')
  export FIRST SECOND
}

teardown_file() {
  end_file
}

@test "info shows all that is known of the newest backup" {
  run dokku pgbackup:info pgbt-info
  assert_success
  assert_line "=====> Backup $SECOND"
  assert_line --regexp '^ +Service: +pgbt-info \(.*, PostgreSQL [0-9.]+\) on host .+$'
  assert_line --regexp '^ +Database: +pgbt_info, owner postgres, UTF8, '
  assert_line --regexp '^ +Rows: +80 in 2 tables, 1 large objects?$'
  assert_line --regexp '^ +Extensions: +pgcrypto [0-9.]+, plpgsql 1.0$'
  assert_line --regexp '^ +Roles: +.*pgbt_known'
  assert_line --regexp '^ +Schemas: +all$'
  assert_line --regexp '^ +Code: +pgbt-known at 82eeec6fe1c8d1a5b0e1f2a3b4c5d6e7f8091a2b .*\(from config\)$'
  assert_line --regexp '^ +Labels: +level=9$'
  assert_line --regexp '^ +Note: +before the "step"$'
  assert_line --regexp '^ +SHA-256: +[0-9a-f]{64}$'
}

@test "info with --tables shows the rows of every table" {
  run dokku pgbackup:info pgbt-info --tables
  assert_success
  assert_line --regexp '^SCHEMA +TABLE +ROWS$'
  assert_line --regexp '^public +items +77$'
  assert_line --regexp '^public +Ä b +3$'
}

@test "info shows an older backup by its id, also for the app" {
  run dokku pgbackup:info pgbt-known "$FIRST" --format json
  assert_success
  assert_equal "$(json '[d["id"], sum(t["rows"] for t in d["rows"]), d["apps"][0]["sha"], d["note"]]' <<<"$output")" "[\"$FIRST\", 77, null, null]"
}

@test "info says which backup it does not know" {
  run dokku pgbackup:info pgbt-info pgbt-info-20200101T000000Z-abcd
  assert_failure 4
  assert_line --partial 'Backup pgbt-info-20200101T000000Z-abcd of pgbt-info not found'
  for word in nonsense ../../etc/passwd '*'; do
    run dokku pgbackup:info pgbt-info "$word"
    assert_failure
    [[ $status == 2 || $status == 4 ]] || fail "exit $status for $word"
  done
}
