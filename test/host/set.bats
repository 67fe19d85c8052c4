#!/usr/bin/env bats
# pgbackup:set

load helper

setup_file() {
  begin_file
  make_service pgbt-opts
  make_app pgbt-opter pgbt-opts
  # The value for all that is there before is put back at the end.
  GLOBAL_JOBS=$(dokku pgbackup:report pgbt-opts --format json | setting jobs global)
  export GLOBAL_JOBS
}

teardown_file() {
  dokku pgbackup:set --global jobs "$GLOBAL_JOBS" >/dev/null
  end_file compression-level jobs passphrase
}

# usage: setting <key> own|global|effective, a report as JSON on stdin.
setting() { json "[s for s in d['settings'] if s['key'] == '$1'][0]['$2']"; }

# usage: value_of <key> own|global|effective
value_of() { dokku pgbackup:report pgbt-opts --format json | setting "$@"; }

@test "set keeps a value, shows it in the report, and forgets it again" {
  assert_equal "$(value_of compression-level effective)" 3
  run dokku pgbackup:set pgbt-opts compression-level 1
  assert_success
  assert_output '=====> compression-level of pgbt-opts is 1'
  assert_equal "$(value_of compression-level own) $(value_of compression-level effective)" '1 1'
  run dokku pgbackup:run pgbt-opts --format json
  assert_equal "$(json 'd["archive"]["compression"]' <<<"$output")" zstd:1
  run dokku pgbackup:set pgbt-opts compression-level
  assert_success
  assert_output '=====> compression-level of pgbt-opts is back to its default'
  assert_equal "$(value_of compression-level effective)" 3
}

@test "set with an app means its service" {
  run dokku pgbackup:set pgbt-opter jobs 2
  assert_success
  assert_equal "$(value_of jobs own)" 2
  dokku pgbackup:set pgbt-opts jobs >/dev/null
}

@test "set --global counts where a service has no value of its own" {
  run dokku pgbackup:set --global jobs 3
  assert_success
  assert_output '=====> jobs of all services is 3'
  assert_equal "$(value_of jobs own) $(value_of jobs global) $(value_of jobs effective)" ' 3 3'
  dokku pgbackup:set pgbt-opts jobs 7 >/dev/null
  assert_equal "$(value_of jobs effective)" 7
  dokku pgbackup:set pgbt-opts jobs >/dev/null
  dokku pgbackup:set --global jobs >/dev/null
  assert_equal "$(value_of jobs effective)" ''
}

@test "set moves backups to the directory that backup-dir names" {
  install -d -m 0777 "$PGBT/other dir"
  dokku pgbackup:set pgbt-opts backup-dir "$PGBT/other dir" >/dev/null
  run dokku pgbackup:run pgbt-opts --format json
  dokku pgbackup:set pgbt-opts backup-dir "$PGBT/backups" >/dev/null
  assert_success
  assert_equal "$(json 'd["place"]' <<<"$output" | cut -d/ -f1-4)" "$PGBT/other dir"
  # Those in the old place are not listed any more, and not lost.
  assert [ -n "$(find "$PGBT/other dir" -name manifest.json)" ]
  refute_output --partial "$PGBT/backups"
}

@test "set refuses a directory that dokku cannot write to, or that is not there, with exit 7" {
  install -d -m 0755 "$PGBT/readonly"
  for place in "$PGBT/readonly" "$PGBT/missing"; do
    run dokku pgbackup:set pgbt-opts backup-dir "$place"
    assert_failure 7
    assert_output --partial "$place"
  done
  assert_equal "$(value_of backup-dir effective)" "$PGBT/backups"
}

@test "a backup into a directory that has become unwritable, or is gone, fails with exit 7 and says which" {
  install -d -m 0777 "$PGBT/other"
  dokku pgbackup:set pgbt-opts backup-dir "$PGBT/other" >/dev/null
  chmod 755 "$PGBT/other"
  run dokku pgbackup:run pgbt-opts
  assert_failure 7
  assert_output --partial "$PGBT/other"
  rmdir "$PGBT/other"
  run dokku pgbackup:run pgbt-opts
  dokku pgbackup:set pgbt-opts backup-dir "$PGBT/backups" >/dev/null
  assert_failure 7
  assert_output --partial "$PGBT/other"
  assert_nothing_left pgbt-opts
}

@test "set refuses what a key does not take with exit 2, and changes nothing" {
  before=$(dokku pgbackup:report pgbt-opts --format json)
  while read -r key value; do
    run dokku pgbackup:set pgbt-opts "$key" "$value"
    assert_failure 2
    assert_output --partial "$key"
  done <<'WORDS'
nope 1
__proto__ 1
compression-level 0
compression-level 20
compression-level fast
jobs 0
jobs 65
lock-timeout soon
lock-timeout -1
keep-previous 1w2
backup-dir relative/path
backup-dir /tmp/../etc
backup-dir /with:colon
WORDS
  assert_equal "$(dokku pgbackup:report pgbt-opts --format json)" "$before"
}

@test "set asks for a target and a key" {
  run dokku pgbackup:set
  assert_failure 2
  run dokku pgbackup:set pgbt-opts
  assert_failure 2
  assert_output --partial 'Name a setting'
  run dokku pgbackup:set --global jobs 1 2
  assert_failure 2
  run dokku pgbackup:set pgbt-nope jobs 1
  assert_failure 4
}

@test "a secret that comes on standard input without a dash is not taken for its end" {
  printf 'long enough a passphrase' | dokku pgbackup:set pgbt-opts passphrase - >/dev/null
  run bash -c "printf 'another long passphrase' | dokku pgbackup:set pgbt-opts passphrase"
  assert_failure 2
  assert_line --partial 'To set it, add a dash: dokku pgbackup:set pgbt-opts passphrase -'
  refute_output --partial 'another long'
  assert_equal "$(value_of passphrase own)" '***'
  # Nobody waits for what never comes.
  run dokku pgbackup:set pgbt-opts passphrase < <(sleep 5)
  assert_success
  run dokku pgbackup:set pgbt-opts passphrase </dev/null
  assert_success
}
