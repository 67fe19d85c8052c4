#!/usr/bin/env bats
# bin/pgbackup: which Node it takes, and with which environment.

load helpers

setup() {
  make_host
  only_tools bash env
  launcher=$plugin/bin/pgbackup
}

# With nothing on PATH but bash, env and what is in common.
launch() {
  run_apart env PATH="$common:$tools" "$launcher" pgbackup:run
}

assert_program_ran_on() {
  assert_success
  assert_output '["pgbackup:run"]'
  assert_equal "$(tail -n 1 "$calls")" "$1 ${launcher%/*}/../dist/main.js"
}

@test "PGBACKUP_NODE comes before the node on PATH" {
  make_node "$common/node" v24.19.0
  make_node "$BATS_TEST_TMPDIR/mine/node" v22.15.0
  export PGBACKUP_NODE=$BATS_TEST_TMPDIR/mine/node
  launch
  assert_program_ran_on "$PGBACKUP_NODE"
  refute grep -qF "$common/node" "$calls"
}

@test "a node on PATH comes before the private copy, and is asked for its version once" {
  make_node "$common/node" v24.19.0
  make_private_node v24.19.0
  launch
  assert_program_ran_on "$common/node"
  assert_equal "$(grep -c -- --version "$calls")" 1
}

@test "the private copy is used where PATH has no node, and is not asked for its version" {
  make_private_node v24.19.0
  launch
  assert_program_ran_on "$lib/data/pgbackup/node-v24.19.0/bin/node"
  refute grep -q -- --version "$calls"
}

@test "a node on PATH that is too old is passed over for the private copy" {
  local old
  make_private_node v24.19.0
  for old in v0.10.48 v8.17.0 v18.20.8 v20.20.2 v22.14.0 v23.7.0 '' nonsense 'v1000000.0.0'; do
    make_node "$common/node" "$old"
    launch
    assert_program_ran_on "$lib/data/pgbackup/node-v24.19.0/bin/node"
  done
}

@test "a newer node later on PATH is found behind one that is too old" {
  make_node "$common/node" v20.20.2
  make_node "$BATS_TEST_TMPDIR/later/node" v24.19.0
  run_apart env PATH="$common:$BATS_TEST_TMPDIR/later:$tools" "$launcher" pgbackup:run
  assert_program_ran_on "$BATS_TEST_TMPDIR/later/node"
}

@test "every version from 22.15 on, whose zlib knows zstd, is taken" {
  local new
  for new in v22.15.0 v22.22.1 v23.8.0 v24.0.0 v26.1.0-nightly20260501 v100.0.0; do
    make_node "$common/node" "$new"
    launch
    assert_program_ran_on "$common/node"
  done
}

@test "a node that cannot be run is passed over" {
  make_private_node v24.19.0
  printf '\x7fELF damaged' >"$common/node"
  chmod 755 "$common/node"
  launch
  assert_program_ran_on "$lib/data/pgbackup/node-v24.19.0/bin/node"
}

@test "no Node at all: one line that says what to do, exit 1" {
  launch
  assert_failure 1
  assert_output ''
  assert_equal "${#stderr_lines[@]}" 1
  assert_equal "$stderr" ' !     pgbackup needs Node 22.15 or newer (on PATH: none). To fetch a private copy, run as root: dokku plugin:install'
}

@test "only an old Node: the line names its version" {
  make_node "$common/node" v18.20.8
  launch
  assert_failure 1
  assert_equal "${#stderr_lines[@]}" 1
  [[ $stderr == *'(on PATH: v18.20.8)'* ]] || fail "$stderr"
}

@test "a private copy that is too old, or that lost its VERSION, is not used" {
  make_private_node v20.20.2
  launch
  assert_failure 1
  make_private_node v24.19.0
  rm "$lib/data/pgbackup/node/VERSION"
  launch
  assert_failure 1
  assert_equal "${#stderr_lines[@]}" 1
}

@test "a PGBACKUP_NODE that is missing or too old is an error, not a reason to take another" {
  make_node "$common/node" v24.19.0
  PGBACKUP_NODE=/nowhere/node launch
  assert_failure 1
  assert_equal "$stderr" ' !     PGBACKUP_NODE is /nowhere/node, which does not run; it must be Node 22.15 or newer. Correct it or unset it.'
  make_node "$BATS_TEST_TMPDIR/old/node" v20.20.2
  PGBACKUP_NODE=$BATS_TEST_TMPDIR/old/node launch
  assert_failure 1
  assert_equal "$stderr" " !     PGBACKUP_NODE is $BATS_TEST_TMPDIR/old/node, v20.20.2; it must be Node 22.15 or newer. Correct it or unset it."
}

@test "an incomplete plugin is named as such" {
  make_node "$common/node" v24.19.0
  rm "$plugin/dist/main.js"
  launch
  assert_failure 1
  assert_equal "${#stderr_lines[@]}" 1
  [[ $stderr == *'no dist/main.js'* ]] || fail "$stderr"
}

@test "what steers Node, its TLS trust or an S3 client does not come in from the caller" {
  make_node "$common/node" v24.19.0
  NODE_OPTIONS='--require /nowhere.js' NODE_PATH=/x NODE_EXTRA_CA_CERTS=/x NODE_TLS_REJECT_UNAUTHORIZED=0 \
    NODE_V8_COVERAGE=$BATS_TEST_TMPDIR/coverage NODE_DEBUG=fs NODE_REPL_HISTORY=/x NODE_COMPILE_CACHE=/x \
    NODE_REDIRECT_WARNINGS=/x OPENSSL_CONF=/x SSL_CERT_FILE=/x AWS_ACCESS_KEY_ID=x AWS_PROFILE=x \
    DOKKU_QUIET_OUTPUT=1 PGBACKUP_OWN=1 DO=names launch
  assert_success
  assert_equal "$stderr" ''
  refute_output --regexp '(^| )(NODE_|AWS_|OPENSSL_|SSL_)'
  assert_output --regexp '(^| )DOKKU_QUIET_OUTPUT '
  assert_output --regexp '(^| )PGBACKUP_OWN( |$)'
}

@test "the program's files are for its user alone, whatever the caller's umask" {
  make_node "$common/node" v24.19.0
  umask 000
  DO=umask launch
  assert_output 77
}

@test "compiled code is kept only in a cache directory of our own" {
  make_node "$common/node" v24.19.0
  DO=cache launch
  assert_output none
  mkdir -p "$lib/data/pgbackup/cache"
  DO=cache launch
  assert_output "$lib/data/pgbackup/cache"
  chown nobody "$lib/data/pgbackup/cache"
  DO=cache launch
  assert_output none
}

@test "dokku pgbackup is its help, and needs no Node" {
  run_apart env PATH="$tools" "$plugin/commands" pgbackup:help
  local help=$output
  assert_success
  run_apart env PATH="$tools" "$plugin/subcommands/default" pgbackup
  assert_success
  assert_output "$help"
  run_apart env PATH="$tools" "$plugin/subcommands/default" pgbackup:default
  assert_output "$help"
}
