#!/usr/bin/env bats
# What a restore does to the apps of a service: maintenance mode, processes, deploys (pitfalls 41, 42).

load helper

setup_file() {
  begin_file
  make_service pgbt-db
  make_items pgbt-db 50
  ID=$(take_backup pgbt-db)
  export ID
  make_app pgbt-site pgbt-db
  # An app that only waits, from an image that is here already: no registry is asked.
  image=$(docker inspect -f '{{.Image}}' dokku.postgres.pgbt-db)
  docker build -q -t pgbt-sleeper - <<<$'FROM '"$image"$'\nENTRYPOINT ["sleep", "infinity"]' >/dev/null
  dokku git:from-image pgbt-site pgbt-sleeper >"$PGBT/deploy.log" 2>&1
}

teardown_file() {
  end_file
  docker image rm pgbt-sleeper >/dev/null 2>&1 || true
}

setup() {
  dokku maintenance:disable pgbt-site >/dev/null 2>&1
  sql pgbt-db 'TRUNCATE items; INSERT INTO items VALUES (1, $$live$$)'
}

teardown() { assert_nothing_left pgbt-db; }

# usage: restore_slowly [flags]...: begins a restore and returns when it is at its check.
restore_slowly() {
  dokku pgbackup:restore pgbt-db "$ID" --force --check "$(slow_check 2)" "$@" >"$PGBT/restore.log" 2>&1 3>&- &
  RESTORE=$!
  wait_for at_slow_check pgbt-db
}

containers_of() { docker ps -q --filter "label=com.dokku.app-name=$1" | wc -l; }

@test "a backup records the commit of an app that was deployed, and when" {
  run dokku pgbackup:run pgbt-site --format json
  assert_success
  assert_regex "$(json 'd["apps"][0]["sha"]' <<<"$output")" '^[0-9a-f]{7,40}$'
  assert_regex "$(json 'd["apps"][0]["lastUpdatedAt"]' <<<"$output")" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T'
}

@test "restore puts the app into maintenance mode, and takes it out again" {
  restore_slowly
  assert_equal "$(maintenance_of pgbt-site)" true
  wait "$RESTORE"
  assert_equal "$(maintenance_of pgbt-site)" false
  assert_equal "$(sql pgbt-db 'SELECT count(*) FROM items')" 50
}

@test "restore leaves an app in maintenance mode that was in it before (pitfall 42)" {
  dokku maintenance:enable pgbt-site >/dev/null 2>&1
  run dokku pgbackup:restore pgbt-site "$ID" --force
  assert_success
  assert_equal "$(maintenance_of pgbt-site)" true
}

@test "a restore that fails puts maintenance mode back as well, on or off (pitfall 42)" {
  run dokku pgbackup:restore pgbt-db "$ID" --force --check 'SELECT false'
  assert_failure 8
  assert_output --partial 'Maintenance mode on for pgbt-site'
  assert_equal "$(maintenance_of pgbt-site)" false
  dokku maintenance:enable pgbt-site >/dev/null 2>&1
  run dokku pgbackup:restore pgbt-db "$ID" --force --check 'SELECT false'
  assert_failure 8
  assert_equal "$(maintenance_of pgbt-site)" true
  assert_equal "$(sql pgbt-db 'SELECT count(*) FROM items')" 1
}

@test "restore --online turns maintenance mode on for the swap alone" {
  restore_slowly --online
  assert_equal "$(maintenance_of pgbt-site)" false
  # Who comes meanwhile is served, from the old database.
  assert_equal "$(sql pgbt-db 'SELECT count(*) FROM items')" 1
  wait "$RESTORE"
  assert_equal "$(maintenance_of pgbt-site)" false
  assert_equal "$(sql pgbt-db 'SELECT count(*) FROM items')" 50
  assert_equal "$(grep -n -e 'Checking the restored' -e 'Maintenance mode on' -e 'Swapping' "$PGBT/restore.log" | sed 's/.*-----> \([A-Z][a-z]*\).*/\1/' | xargs)" 'Checking Maintenance Swapping'
}

@test "restore --stop-app stops the processes meanwhile, also where the restore fails" {
  assert_equal "$(containers_of pgbt-site)" 1
  restore_slowly --stop-app
  assert_equal "$(containers_of pgbt-site)" 0
  wait "$RESTORE"
  assert_equal "$(containers_of pgbt-site)" 1
  run dokku pgbackup:restore pgbt-db "$ID" --force --stop-app --check 'SELECT false'
  assert_failure 8
  assert_output --partial 'Stopping pgbt-site'
  assert_equal "$(containers_of pgbt-site)" 1
}

@test "restore does not start an app that was stopped before" {
  dokku ps:stop pgbt-site >/dev/null 2>&1
  run dokku pgbackup:restore pgbt-db "$ID" --force --stop-app
  assert_success
  assert_equal "$(containers_of pgbt-site)" 0
}

@test "restore refuses while an app of the service is being deployed (pitfall 41)" {
  dokku apps:lock pgbt-site >/dev/null
  run dokku pgbackup:restore pgbt-db "$ID" --force
  assert_failure 5
  assert_line --partial 'Restore refused: A deploy of pgbt-site is running'
  assert_line --partial 'dokku apps:unlock pgbt-site'
  run dokku pgbackup:restore pgbt-db "$ID" --dry-run
  assert_failure 5
  assert_line --partial 'Dry run: the restore would be refused: A deploy of pgbt-site is running'
  dokku apps:unlock pgbt-site >/dev/null 2>&1
  assert_equal "$(sql pgbt-db 'SELECT count(*) FROM items')" 1
  assert_equal "$(maintenance_of pgbt-site)" false
}

@test "restore names all apps of a service, and puts each into maintenance mode" {
  make_app pgbt-worker pgbt-db
  dokku maintenance:enable pgbt-worker >/dev/null 2>&1
  run dokku pgbackup:restore pgbt-db "$ID" --force
  assert_success
  assert_line --partial 'Several apps use this service, and all of them get the restored data: pgbt-site, pgbt-worker'
  assert_line '-----> Maintenance mode on for pgbt-site'
  refute_line '-----> Maintenance mode on for pgbt-worker'
  assert_equal "$(maintenance_of pgbt-site) $(maintenance_of pgbt-worker)" 'false true'
  dokku --force apps:destroy pgbt-worker >/dev/null 2>&1
}

@test "restore warns where the app runs another commit than the backup's" {
  then=1111111111111111111111111111111111111111 now=2222222222222222222222222222222222222222
  dokku apps:create pgbt-code >/dev/null 2>&1
  dokku postgres:link pgbt-db pgbt-code --no-restart >/dev/null 2>&1
  dokku config:set --no-restart pgbt-code GIT_REV=$then >/dev/null
  id=$(take_backup pgbt-db)
  dokku config:set --no-restart pgbt-code GIT_REV=$now >/dev/null
  run dokku pgbackup:restore pgbt-db "$id" --dry-run
  dokku --force apps:destroy pgbt-code >/dev/null 2>&1
  assert_success
  assert_line --partial "App pgbt-code runs $now now, and ran $then at the backup"
  assert_line --regexp "^ +Code then: +pgbt-code at $then"
  assert_line --regexp "^ +Code now: +pgbt-code at $now"
}
