#!/usr/bin/env bats
# What Dokku starts for `dokku pgbackup:<verb> …`.

load helpers

setup() {
  make_host
  make_node "$common/node" v24.19.0
  PATH=$common:$PATH
}

@test "the shims are byte-identical" {
  run bash -c 'sha256sum "$1"/subcommands/* | cut -d" " -f1 | uniq -c | wc -l' - "$repository"
  assert_output 1
}

@test "every shim, launcher and trigger is executable, since plugn passes over one that is not" {
  local file
  for file in "$repository"/subcommands/* "$repository"/{commands,install,update,uninstall,report,cron-entries,service-action,post-app-rename-setup,bin/pgbackup}; do
    [[ -f $file && -x $file ]] || fail "$file is not executable"
  done
}

@test "every shim but default hands its own name to the program" {
  local shim verb
  for shim in "$plugin"/subcommands/*; do
    verb=${shim##*/}
    [[ $verb != default ]] || continue
    run "$shim" "pgbackup:$verb" shop
    assert_success
    assert_output "[\"pgbackup:$verb\",\"shop\"]"
  done
}

@test "arguments arrive untouched: spaces, quotes, empty, non-ASCII, globs, line breaks, flags" {
  run "$plugin/subcommands/run" pgbackup:run 'a b' $'it\'s "so"' '' 'naïve ☃' '*' '$HOME' $'two\nlines' -- --note=x -e
  assert_success
  assert_output '["pgbackup:run","a b","it'\''s \"so\"","","naïve ☃","*","$HOME","two\nlines","--","--note=x","-e"]'
}

@test "exit codes pass through" {
  local code
  for code in 0 1 2 5 8 10 130 255; do
    EXIT=$code run "$plugin/subcommands/list" pgbackup:list
    assert_equal "$status" "$code"
  done
}

@test "stdout and stderr stay apart" {
  COMPLAIN=' !     no' run_apart "$plugin/subcommands/list" pgbackup:list
  assert_output '["pgbackup:list"]'
  assert_equal "$stderr" ' !     no'
}

@test "binary stdin reaches the program whole, though node --version was asked before" {
  head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/archive"
  DO=hash run "$plugin/subcommands/restore" pgbackup:restore shop - <"$BATS_TEST_TMPDIR/archive"
  assert_output "$(sha256sum <"$BATS_TEST_TMPDIR/archive" | cut -d' ' -f1)"
}

@test "shim, launcher and program are one process, so that signals and kill reach the program" {
  DO=pid "$plugin/subcommands/run" pgbackup:run >"$BATS_TEST_TMPDIR/pid" &
  local pid=$!
  wait "$pid"
  assert_equal "$(<"$BATS_TEST_TMPDIR/pid")" "$pid"
}

@test "a shim works from a directory its user cannot read, such as root's own" {
  mkdir -m 0700 "$BATS_TEST_TMPDIR/root"
  cd "$BATS_TEST_TMPDIR/root"
  run setpriv --reuid=nobody --regid="$DOKKU_SYSTEM_GROUP" --clear-groups -- "$plugin/subcommands/run" pgbackup:run
  assert_success
  assert_output '["pgbackup:run"]'
}

@test "a trace goes to stderr alone and shows no value of the environment (pitfall 49)" {
  DOKKU_TRACE=1 PGPASSWORD=s3cret AWS_SECRET_ACCESS_KEY=s3cret NODE_AUTH_TOKEN=s3cret \
    run_apart "$plugin/subcommands/run" pgbackup:run
  assert_output '["pgbackup:run"]'
  [[ $stderr == *'+ exec '* ]] || fail "no trace: $stderr"
  [[ $stderr != *s3cret* ]] || fail "a secret in: $stderr"
}
