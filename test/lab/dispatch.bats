#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # literal $ and ` in arguments; bats sets stderr
# How the stand-in hands a command to a plugin: users, environment, arguments, streams, exit
# codes. The rules are those of Dokku 0.38.27's `dokku` script.

bats_require_minimum_version 1.13.0
DEFAULT_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab}
DEFAULT_ROOT=${DEFAULT_ROOT%-dispatch}
export PGBACKUP_LAB_ROOT=$DEFAULT_ROOT-dispatch
source "$BATS_TEST_DIRNAME/probe.bash"

setup_file() { start_probe_lab; }
teardown_file() { stop_probe_lab; }
setup() { load_assertions; }

@test 'arguments reach a subcommand untouched, the command first' {
  run -0 dokku probe:args 'a b' "it's" '"q"' '' '*' '$HOME' --key=value --flag -- -x
  assert_output $'[probe:args]\n[a b]\n[it\'s]\n["q"]\n[]\n[*]\n[$HOME]\n[--key=value]\n[--flag]\n[--]\n[-x]'
}

@test 'a plugin called by its name alone runs its default subcommand' {
  run -0 dokku probe
  assert_output 'default[probe]'
}

@test "a subcommand runs as user dokku, who may use docker, in the caller's directory" {
  cd "$BATS_TEST_TMPDIR"
  run -0 dokku probe:where
  assert_line --index 0 dokku
  assert_line --index 1 --regexp '\bdocker\b'
  assert_line --index 2 "$BATS_TEST_TMPDIR"
}

@test "the environment is Dokku's own, and the caller's comes along" {
  AWS_ACCESS_KEY_ID=from-caller TMPDIR=/nowhere run -0 dokku probe:env
  local variable
  for variable in HOME=/home/dokku SSH_USER=root SSH_NAME=default AWS_ACCESS_KEY_ID=from-caller \
    "DOKKU_ROOT=$PGBACKUP_LAB_ROOT/home" "DOKKU_LIB_ROOT=$PGBACKUP_LAB_ROOT/lib" \
    "PLUGIN_PATH=$PGBACKUP_LAB_ROOT/lib/plugins" "PLUGIN_ENABLED_PATH=$PGBACKUP_LAB_ROOT/lib/plugins/enabled" \
    "PLUGIN_AVAILABLE_PATH=$PGBACKUP_LAB_ROOT/lib/plugins/available" \
    "PLUGIN_CORE_AVAILABLE_PATH=$PGBACKUP_LAB_ROOT/lib/core-plugins/available" \
    DOKKU_SYSTEM_USER=dokku DOKKU_SYSTEM_GROUP=dokku DOCKER_BIN=docker DOKKU_NOT_IMPLEMENTED_EXIT=10; do
    assert_line "$variable"
  done
  assert_line --regexp '^DOKKU_PID=[0-9]+$'
  refute_line --regexp '^TMPDIR='
  refute_line --regexp '^DOKKU_(QUIET_OUTPUT|TRACE|APPS_FORCE_DELETE|APP_NAME)='
}

@test 'global flags after the command stay in the arguments and are set in the environment' {
  run -0 dokku probe:args --quiet x --force
  assert_output $'[probe:args]\n[--quiet]\n[x]\n[--force]'
  run -0 dokku probe:env --quiet --force --app some-app
  assert_line DOKKU_QUIET_OUTPUT=1
  assert_line DOKKU_APPS_FORCE_DELETE=1
  assert_line DOKKU_APP_NAME=some-app
}

@test 'global flags before the command are set in the environment and leave the arguments' {
  run -0 dokku --quiet --app some-app --force probe:args x
  assert_output $'[probe:args]\n[x]'
  run -0 dokku --quiet --app some-app --force probe:env
  assert_line DOKKU_QUIET_OUTPUT=1
  assert_line DOKKU_APPS_FORCE_DELETE=1
  assert_line DOKKU_APP_NAME=some-app
}

@test '--app gives a core plugin its app, and no other plugin' {
  run -20 dokku --app nope git:report
  assert_output ' !     App nope does not exist'
  run -0 dokku --app nope probe:args
  assert_output '[probe:args]'
}

@test '--quiet takes the headings from nested calls too' {
  run -0 dokku apps:create dispatch-app
  run -0 --separate-stderr dokku probe:nested apps:list
  assert_output $'=====> My Apps\ndispatch-app'
  run -0 --separate-stderr dokku --quiet probe:nested apps:list
  assert_output dispatch-app
  run -0 dokku --force apps:destroy dispatch-app
}

@test '--trace traces on stderr, and leaves stdout alone' {
  run -0 --separate-stderr dokku --trace probe:env
  assert_line DOKKU_TRACE=1
  [[ $stderr == *'+ '*probe* ]]
}

@test 'stdin passes through, byte for byte' {
  head -c 300000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
  dokku probe:cat <"$BATS_TEST_TMPDIR/bytes" >"$BATS_TEST_TMPDIR/copy"
  run -0 cmp "$BATS_TEST_TMPDIR/bytes" "$BATS_TEST_TMPDIR/copy"
}

@test 'both streams and every exit code pass through' {
  local code
  for code in 0 1 5 10 20 130; do
    run "-$code" --separate-stderr dokku probe:fail "$code"
    assert_output to-out
    assert_equal "$stderr" to-err
  done
}

@test 'a subcommand that dies of SIGTERM gives 143' {
  run -143 dokku probe:killed
}

@test "an unknown command is offered to every plugin's commands and then refused" {
  run -1 --separate-stderr dokku probe:nothing x
  assert_output ''
  assert_equal "${stderr_lines[0]# }" '!     `probe:nothing x` is not a dokku command.'
  assert_equal "${stderr_lines[1]}" ' !     See `dokku help` for a list of available commands.'
  run -7 dokku probe:odd
}

@test 'help shows one line a plugin, help --all every line' {
  run -0 dokku help
  assert_line --regexp '^    probe  +A probe$'
  assert_line --regexp '^    apps  +'
  run -0 dokku help --all
  assert_line --regexp '^    probe:args <app>  +Prints its arguments$'
}

@test "over SSH the words are split once, and the key's name is known" {
  run -0 as_dokku SSH_USER=dokku NAME=alice SSH_ORIGINAL_COMMAND="probe:args 'a b' c" "$PGBACKUP_LAB_ROOT/bin/dokku"
  assert_output $'[probe:args]\n[a b]\n[c]'
  run -0 as_dokku SSH_USER=dokku NAME=alice SSH_ORIGINAL_COMMAND=probe:env "$PGBACKUP_LAB_ROOT/bin/dokku"
  assert_line SSH_NAME=alice
  assert_line SSH_USER=dokku
}

@test 'a nested call takes less than 60 ms' {
  run -0 dokku apps:create timed-app
  local best=1000000 start took _
  # The best of ten: the machine may be busy with something else.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    start=${EPOCHREALTIME/./}
    as_dokku "$PGBACKUP_LAB_ROOT/bin/dokku" apps:exists timed-app
    took=$((${EPOCHREALTIME/./} - start))
    ((took >= best)) || best=$took
  done
  run -0 dokku --force apps:destroy timed-app
  assert [ "$best" -lt 60000 ]
}
