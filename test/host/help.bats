#!/usr/bin/env bats
# Help, and what is no command.

load helper

setup_file() { begin_file; }

teardown_file() { end_file; }

verbs() { dokku pgbackup:help | sed -n 's/^ *pgbackup:\([a-z-]*\) .*/\1/p'; }

@test "dokku help has one line for the plugin" {
  run bash -c 'dokku help 2>/dev/null | grep -c pgbackup'
  assert_output 1
}

@test "pgbackup:help lists every command with its summary, and so does dokku pgbackup" {
  run verbs
  for verb in run restore undo list info verify download delete set report log doctor; do
    assert_line "$verb"
  done
  run dokku pgbackup
  assert_success
  assert_output "$(dokku pgbackup:help)"
}

@test "every command has help of its own, with usage, options and an example" {
  for verb in $(verbs); do
    run dokku pgbackup:help "$verb"
    assert_success
    assert_output --regexp "^(Usage: )?dokku pgbackup:$verb"
    assert_output --partial 'Options:'
    assert_output --partial 'Examples:'
    run dokku "pgbackup:$verb" --help
    assert_success
    assert_output --regexp "^(Usage: )?dokku pgbackup:$verb"
  done
}

@test "help of what is no command fails with exit 2, and says what there is" {
  run dokku pgbackup:help nope
  assert_failure 2
  assert_line ' !     pgbackup has no command nope.'
  assert_output --partial 'restore'
}

@test "what is no command is left to Dokku to refuse" {
  run dokku pgbackup:nope
  assert_failure 1
  assert_output --partial 'is not a dokku command'
}

@test "every command refuses an option that it does not have with exit 2, and shows its usage" {
  for verb in $(verbs); do
    run dokku "pgbackup:$verb" --no-such-option
    assert_failure 2
    assert_line --partial "Usage: dokku pgbackup:$verb"
  done
}
