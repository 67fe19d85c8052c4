#!/usr/bin/env bats
# The triggers by which schedules reach the crontab, and leave it: cron-entries, service-action, post-app-rename-setup.

load helpers

setup() {
  make_host
  schedules=$lib/data/pgbackup/schedules
  mkdir -p "$schedules" "$DOKKU_LOGS_DIR"
  chmod 755 "$lib" "$lib/data"
  chown nobody "$DOKKU_LOGS_DIR"
  log=$DOKKU_LOGS_DIR/pgbackup.log
  install -o nobody /dev/null "$log"
  # No Node is near: none of this may need one.
  only_tools bash cat chown flock grep mv rm setpriv test
  # A plugn that notes what it was asked for, and does what Dokku does with the answer.
  printf '#!/bin/bash\necho "plugn $*" >>"%s"\n' "$calls" >"$tools/plugn"
  chmod 755 "$tools/plugn"
}

# usage: trigger <name> [argument]...
trigger() {
  local PATH=$tools
  run_apart "$plugin/$1" "${@:2}"
}

entries() { trigger cron-entries "${@:-docker-local}"; }

# usage: prepare <line>...: what the program has prepared.
prepare() { printf '%s\n' "$@" >"$schedules/crontab"; }

@test "cron-entries prints a line with schedule, command and log for each schedule" {
  prepare '0 */6 * * *;dokku pgbackup:run shop --schedule k3f9' '@daily;dokku pgbackup:run happy_cows-db --schedule a0b1'
  entries
  assert_success
  assert_output "0 */6 * * *;dokku pgbackup:run shop --schedule k3f9;$log
@daily;dokku pgbackup:run happy_cows-db --schedule a0b1;$log"
  assert_equal "$stderr" ''
}

@test "cron-entries answers for docker-local, and where no scheduler is named" {
  prepare '@daily;dokku pgbackup:run shop --schedule k3f9'
  trigger cron-entries
  assert_output "@daily;dokku pgbackup:run shop --schedule k3f9;$log"
  entries kubernetes
  assert_success
  assert_equal "$output$stderr" ''
}

@test "cron-entries prints nothing at all, and no blank line, where nothing is scheduled (pitfall 43)" {
  local file=$BATS_TEST_TMPDIR/printed
  rm -rf "$schedules"
  "$plugin/cron-entries" docker-local >"$file"
  [[ ! -s $file ]] || fail 'printed something'
  mkdir -p "$schedules"
  for content in '' $'\n' $'\n\n \n' 'rubbish'; do
    printf '%s' "$content" >"$schedules/crontab"
    "$plugin/cron-entries" docker-local >"$file"
    [[ ! -s $file ]] || fail "printed something for: $content"
  done
  rm "$schedules/crontab"
  mkdir "$schedules/crontab"
  "$plugin/cron-entries" docker-local >"$file"
  [[ ! -s $file ]] || fail 'printed something for a folder'
}

@test "cron-entries never prints a line that cron or Dokku does not take, whatever the file holds (pitfall 43)" {
  local good='5 0 * * *;dokku pgbackup:run shop --schedule k3f9'
  prepare "$good" '' ' ' "$good;" "$good;/tmp/x" " $good" "$good " "#$good" \
    '60 * * * *;dokku pgbackup:run shop --schedule k3f9' \
    '0 24 * * *;dokku pgbackup:run shop --schedule k3f9' \
    '0 0 0 * *;dokku pgbackup:run shop --schedule k3f9' \
    '0 0 32 * *;dokku pgbackup:run shop --schedule k3f9' \
    '0 0 * 13 *;dokku pgbackup:run shop --schedule k3f9' \
    '0 0 * * 8;dokku pgbackup:run shop --schedule k3f9' \
    '*/0 * * * *;dokku pgbackup:run shop --schedule k3f9' \
    '5/15 * * * *;dokku pgbackup:run shop --schedule k3f9' \
    '1,,2 * * * *;dokku pgbackup:run shop --schedule k3f9' \
    '0 0 * * * *;dokku pgbackup:run shop --schedule k3f9' \
    '0 0 * *;dokku pgbackup:run shop --schedule k3f9' \
    '@reboot;dokku pgbackup:run shop --schedule k3f9' \
    '@daily;dokku pgbackup:run shop --schedule k3f9 && reboot' \
    '@daily;dokku pgbackup:run $(id) --schedule k3f9' \
    '@daily;dokku pgbackup:run shop --schedule k3f' \
    '@daily;dokku pgbackup:run shop% --schedule k3f9' \
    $'@daily;dokku pgbackup:run shop --schedule k3f9\r' \
    '@daily;reboot'
  entries
  assert_success
  assert_output "$good;$log"
}

@test "cron-entries prints the last line also where its end is missing" {
  printf '@daily;dokku pgbackup:run shop --schedule k3f9' >"$schedules/crontab"
  entries
  assert_output "@daily;dokku pgbackup:run shop --schedule k3f9;$log"
}

@test "cron-entries names no log that dokku cannot write, for the command would never run (pitfall 44)" {
  prepare '@daily;dokku pgbackup:run shop --schedule k3f9'
  chown root "$log"
  chmod 600 "$log"
  entries
  assert_output '@daily;dokku pgbackup:run shop --schedule k3f9'
  rm "$log"
  # cron would make it.
  entries
  assert_output "@daily;dokku pgbackup:run shop --schedule k3f9;$log"
  chown root "$DOKKU_LOGS_DIR"
  entries
  assert_output '@daily;dokku pgbackup:run shop --schedule k3f9'
  DOKKU_LOGS_DIR='/tmp/a;b' entries
  assert_output '@daily;dokku pgbackup:run shop --schedule k3f9'
}

@test "cron-entries is quick, also with fifty schedules, since Dokku asks at every deploy" {
  local i begun took lines=()
  for i in {10..59}; do lines+=("$i */6 1-15/2,20 1-6,9 1-5;dokku pgbackup:run service-number-$i --schedule ab$i"); done
  prepare "${lines[@]}"
  begun=${EPOCHREALTIME/./}
  entries
  took=$(((${EPOCHREALTIME/./} - begun) / 1000))
  assert_equal "${#lines[@]}" 50
  assert_equal "$(printf '%s\n' "$output" | grep -c "^[0-9].*;$log\$")" 50
  ((took < 500)) || fail "took $took ms"
}

@test "cron-entries says nothing on the way out of the plugin" {
  prepare '@daily;dokku pgbackup:run shop --schedule k3f9'
  PGBACKUP_NO_SCHEDULES=1 entries
  assert_success
  assert_equal "$output$stderr" ''
}

@test "a service that is destroyed takes its schedules along, those of others stay" {
  prepare '@daily;dokku pgbackup:run shop --schedule k3f9' '@daily;dokku pgbackup:run shop2 --schedule aaaa' '@weekly;dokku pgbackup:run shop --schedule bbbb'
  echo '{}' >"$schedules/shop.json"
  echo '{}' >"$schedules/shop2.json"
  trigger service-action post-delete postgres shop
  assert_success
  assert_equal "$output$stderr" ''
  assert_equal "$(<"$schedules/crontab")" '@daily;dokku pgbackup:run shop2 --schedule aaaa'
  [[ ! -e $schedules/shop.json && -e $schedules/shop2.json ]] || fail 'the wrong file is gone'
  assert_equal "$(<"$calls")" 'plugn trigger scheduler-cron-write'
  trigger service-action post-delete postgres shop2
  [[ ! -s $schedules/crontab ]] || fail 'something is left'
}

@test "no other event of a service changes a schedule, and nothing fails" {
  prepare '@daily;dokku pgbackup:run shop --schedule k3f9'
  echo '{}' >"$schedules/shop.json"
  local event
  for event in pre-create post-create pre-delete pre-link post-link pre-unlink post-unlink post-unlink-complete; do
    trigger service-action "$event" postgres shop web
    assert_success
  done
  trigger service-action post-delete mysql shop
  assert_success
  trigger service-action post-delete postgres '../shop'
  assert_success
  trigger service-action post-delete postgres nope
  assert_success
  trigger service-action
  assert_success
  assert_equal "$(<"$calls")" ''
  assert_equal "$(<"$schedules/crontab")" '@daily;dokku pgbackup:run shop --schedule k3f9'
}

@test "an app that is renamed is renamed in the schedules that name it, and nowhere else" {
  printf '%s\n' '{"version":1,"schedules":[{"id":"k3f9","namedAs":"web","labels":{"target":"web","namedas":"web"}},{"namedAs":"webx"},{"namedAs":"web"}]}' >"$schedules/shop.json"
  printf '%s\n' '{"namedAs":"other"}' >"$schedules/other.json"
  local before
  before=$(stat -c %i "$schedules/other.json")
  trigger post-app-rename-setup web a.b-c
  assert_success
  assert_equal "$output$stderr" ''
  assert_equal "$(<"$schedules/shop.json")" '{"version":1,"schedules":[{"id":"k3f9","namedAs":"a.b-c","labels":{"target":"web","namedas":"web"}},{"namedAs":"webx"},{"namedAs":"a.b-c"}]}'
  assert_equal "$(stat -c '%i %a' "$schedules/other.json")" "$before 644"
  trigger post-app-rename-setup 'a b' web
  assert_success
  rm -r "$schedules"
  trigger post-app-rename-setup web www
  assert_success
  assert_equal "$output$stderr" ''
}

@test "a trigger that can do nothing does not fail Dokku's command" {
  prepare '@daily;dokku pgbackup:run shop --schedule k3f9'
  echo '{"namedAs":"web"}' >"$schedules/shop.json"
  rm "$tools"/{flock,mv,rm,plugn}
  trigger service-action post-delete postgres shop
  assert_success
  trigger post-app-rename-setup web www
  assert_success
  assert_equal "$output" ''
}
