#!/usr/bin/env bats
# The private Node, fetched by install from a mirror on loopback.

load helpers

setup_file() {
  export FILES=$BATS_FILE_TMPDIR/files REQUESTS=$BATS_FILE_TMPDIR/requests
  mkdir "$FILES"
  : >"$REQUESTS"
  "$real_node" "$BATS_TEST_DIRNAME/mirror.mjs" "$FILES" "$BATS_FILE_TMPDIR/port" "$REQUESTS" 3>&- &
  export MIRROR_PID=$!
  wait_until test -s "$BATS_FILE_TMPDIR/port"
  export MIRROR
  MIRROR=http://127.0.0.1:$(<"$BATS_FILE_TMPDIR/port")
}

teardown_file() {
  kill "$MIRROR_PID"
}

setup() {
  make_host
  only_tools bash env cat chmod chown curl df flock gzip install ln mkdir mktemp mv readlink rm setpriv \
    sha256sum stat sync tail tar test uname
  rm -f "${FILES:?}"/*
  : >"$REQUESTS"
  export PGBACKUP_NODE_ARCH=x86_64 PGBACKUP_NODE_MIRROR=$MIRROR/good
  data=$lib/data/pgbackup
  publish 'echo v24.19.0'
}

teardown() {
  ! mountpoint -q "$lib" || umount "$lib"
}

wait_until() {
  local tries=200
  until "$@"; do
    ((tries-- > 0)) || fail "never true: $*"
    sleep 0.05
  done
}

# Puts a distribution on the mirror whose node is a script saying $1, padded with $2 (a file, if any),
# and pins it in the copied node.lock.
publish() {
  local name=node-v24.19.0-linux-x64 build=$BATS_TEST_TMPDIR/build
  mkdir -p "$build/$name/bin" "$build/$name/include"
  printf '#!/bin/bash\n%s\nexit\n' "$1" >"$build/$name/bin/node"
  [[ ! ${2-} ]] || cat "$2" >>"$build/$name/bin/node"
  chmod 755 "$build/$name/bin/node"
  echo 'MIT' >"$build/$name/LICENSE"
  echo 'not needed' | tee "$build/$name/README.md" >"$build/$name/include/node.h"
  tar -czf "$FILES/$name.tar.gz" -C "$build" "$name"
  pin x64 "$(sha256sum <"$FILES/$name.tar.gz" | cut -d' ' -f1)"
}

pin() {
  sed -i "s/^$1 .*/$1 $2/" "$plugin/node.lock"
}

install() {
  run_apart env PATH="$tools" "$plugin/install"
}

# In the data directory are our directories and, of Node, $1 entries: link and copy, or nothing.
assert_tidy() {
  run bash -c 'ls -A "$1" | grep -v ^node' - "$data"
  assert_output $'backups\ncache\nspool\nstate'
  run bash -c 'ls -A "$1" | grep -c ^node' - "$data"
  assert_output "$1"
}

# A failed fetch is told on stderr, and keeps nobody else's plugin from being installed.
assert_refused() {
  assert_success
  assert_equal "${stderr_lines[0]}" " !     pgbackup could not get its private Node: $1."
  assert_equal "${stderr_lines[1]}" ' !     Until there is one, dokku pgbackup:* does not work.'
  [[ ${stderr_lines[2]} == *'PGBACKUP_NODE_MIRROR'*'as root: dokku plugin:install' ]] || fail "no next step: $stderr"
  assert_equal "${#stderr_lines[@]}" 3
  assert_tidy 0
}

archive() { printf '%s/v24.19.0/node-v24.19.0-linux-x64.tar.gz' "$1"; }

@test "without a Node, install fetches the pinned one, and the launcher uses it" {
  install
  assert_success
  assert_equal "$stderr" ''
  assert_line "-----> Fetching Node v24.19.0 for pgbackup: $(archive "$MIRROR/good")"
  assert_line '-----> Node v24.19.0 is ready'
  assert_equal "$("$data/node/bin/node")" v24.19.0
  assert_tidy 2
  run_apart env PATH="$tools" "$plugin/bin/pgbackup" pgbackup:run
  assert_success
  assert_output v24.19.0
}

@test "only the binary and its licence stay, for user dokku to run and to own" {
  umask 077
  install
  run bash -c 'cd "$1" && find . -printf "%P %m %u\n" | sort' - "$data/node/"
  assert_output ' 755 nobody
LICENSE 644 nobody
VERSION 644 nobody
bin 755 nobody
bin/node 755 nobody'
}

@test "the second run does nothing, and says nothing" {
  install
  local before
  before=$(find "$lib" "$BATS_TEST_TMPDIR/log" -printf '%p %i %m %u %g %C@\n' | sort)
  : >"$REQUESTS"
  install
  assert_success
  assert_equal "$output$stderr" ''
  assert_equal "$(<"$REQUESTS")" ''
  assert_equal "$(find "$lib" "$BATS_TEST_TMPDIR/log" -printf '%p %i %m %u %g %C@\n' | sort)" "$before"
}

@test "a Node that suits, where cron and SSH find it, makes a fetch needless" {
  make_node "$common/node" v22.15.0
  install
  assert_success
  assert_equal "$output$stderr$(<"$REQUESTS")" ''
}

@test "a Node that only root can reach is no reason not to fetch" {
  make_node "$BATS_TEST_TMPDIR/nvm/node" v24.19.0
  chmod 700 "$BATS_TEST_TMPDIR/nvm"
  ln -s "$BATS_TEST_TMPDIR/nvm/node" "$common/node"
  install
  assert_line '-----> Node v24.19.0 is ready'
}

@test "a PGBACKUP_NODE that suits makes a fetch needless, one that does not is told" {
  make_node "$BATS_TEST_TMPDIR/mine/node" v24.19.0
  PGBACKUP_NODE=$BATS_TEST_TMPDIR/mine/node install
  assert_equal "$output$stderr" ''
  PGBACKUP_NODE=/nowhere/node install
  assert_success
  assert_equal "$stderr" ' !     PGBACKUP_NODE is /nowhere/node, which user nobody cannot run; it must be Node 22.15 or newer. Correct it or unset it.'
  assert_equal "$(<"$REQUESTS")" ''
}

@test "wget serves where there is no curl" {
  rm "$tools/curl"
  only_tools wget
  install
  assert_success
  assert_equal "$stderr" ''
  assert_line '-----> Node v24.19.0 is ready'
  assert_tidy 2
}

@test "neither curl nor wget: said" {
  rm "$tools/curl"
  install
  assert_refused "$(archive "$MIRROR/good") did not arrive: neither curl nor wget is installed"
}

@test "a wrong SHA-256 is refused before anything is unpacked" {
  local wrong=0000000000000000000000000000000000000000000000000000000000000000 right size
  right=$(sha256sum <"$FILES/node-v24.19.0-linux-x64.tar.gz" | cut -d' ' -f1)
  size=$(stat -c %s "$FILES/node-v24.19.0-linux-x64.tar.gz")
  pin x64 "$wrong"
  rm "$tools/tar" # unpacking would fail in other words
  install
  assert_refused "$(archive "$MIRROR/good") is not what was pinned: $size bytes with SHA-256 $right, not $wrong. It was not unpacked"
}

@test "a file cut short on the mirror is refused by its SHA-256" {
  PGBACKUP_NODE_MIRROR=$MIRROR/short install
  assert_success
  [[ ${stderr_lines[0]} == *"$(archive "$MIRROR/short") is not what was pinned: "*' It was not unpacked.' ]] || fail "$stderr"
  assert_tidy 0
}

@test "a connection that breaks midway is told as such, by curl and by wget" {
  PGBACKUP_NODE_MIRROR=$MIRROR/cut install
  assert_success
  [[ ${stderr_lines[0]} == *"$(archive "$MIRROR/cut") did not arrive: curl: (18) "* ]] || fail "$stderr"
  assert_tidy 0
  rm "$tools/curl"
  only_tools wget
  PGBACKUP_NODE_MIRROR=$MIRROR/cut install
  assert_success
  [[ ${stderr_lines[0]} == *"$(archive "$MIRROR/cut") did not arrive: "?* ]] || fail "$stderr"
  assert_tidy 0
}

@test "a mirror without the file: its 404 is told" {
  rm "$FILES"/*
  install
  assert_refused "$(archive "$MIRROR/good") did not arrive: curl: (22) The requested URL returned error: 404"
}

@test "a mirror that is down is told" {
  PGBACKUP_NODE_MIRROR=http://127.0.0.1:1 install
  assert_success
  [[ ${stderr_lines[0]} == *"$(archive http://127.0.0.1:1) did not arrive: curl: (7) "* ]] || fail "$stderr"
  assert_tidy 0
}

@test "an address that is none is refused before anything is run" {
  local address
  for address in ftp://127.0.0.1 file:///etc 'http://a b' $'http://a\noutput = /x' 'http://a"' nonsense; do
    PGBACKUP_NODE_MIRROR=$address install
    assert_refused 'PGBACKUP_NODE_MIRROR must be an http or https address'
  done
}

@test "an unknown architecture is named" {
  PGBACKUP_NODE_ARCH=armv7l install
  assert_refused 'Node has no official build for armv7l'
  PGBACKUP_NODE_ARCH=version install # a word node.lock has, but for something else
  assert_refused 'Node has no official build for version'
  assert_equal "$(<"$REQUESTS")" ''
}

@test "each architecture asks for its own file" {
  local pair
  for pair in x86_64:x64 aarch64:arm64 ppc64le:ppc64le s390x:s390x; do
    rm -f "$FILES"/*
    : >"$REQUESTS"
    PGBACKUP_NODE_ARCH=${pair%:*} install
    assert_equal "$(<"$REQUESTS")" "/good/v24.19.0/node-v24.19.0-linux-${pair#*:}.tar.gz"
  done
}

@test "the pins are four whole SHA-256" {
  run grep -cE '^(x64|arm64|ppc64le|s390x) [0-9a-f]{64}$' "$repository/node.lock"
  assert_output 4
}

@test "too little free space is seen before the fetch" {
  mount -t tmpfs -o size=4m tmpfs "$lib"
  mkdir "$lib/data"
  install
  assert_refused "$data has 4 MB free, and 250 MB are needed"
  assert_equal "$(<"$REQUESTS")" ''
}

@test "a disk that fills while the file arrives leaves nothing behind" {
  mount -t tmpfs -o size=2m tmpfs "$lib"
  mkdir "$lib/data"
  sed -i 's/^room .*/room 0/' "$plugin/node.lock"
  head -c 4000000 /dev/urandom >"$BATS_TEST_TMPDIR/padding"
  publish 'echo v24.19.0' "$BATS_TEST_TMPDIR/padding"
  install
  assert_success
  [[ ${stderr_lines[0]} == *"$(archive "$MIRROR/good") did not arrive: "*" (the disk of $data is full)." ]] || fail "$stderr"
  assert_tidy 0
}

@test "a disk that fills while it is unpacked leaves nothing behind" {
  mount -t tmpfs -o size=2m tmpfs "$lib"
  mkdir "$lib/data"
  sed -i 's/^room .*/room 0/' "$plugin/node.lock"
  head -c 4000000 /dev/zero >"$BATS_TEST_TMPDIR/padding"
  publish 'echo v24.19.0' "$BATS_TEST_TMPDIR/padding"
  install
  assert_success
  [[ ${stderr_lines[0]} == *"could not unpack it into $data: "*" (the disk of $data is full)." ]] || fail "$stderr"
  assert_tidy 0
}

@test "an archive without a node in it is refused" {
  tar -czf "$FILES/node-v24.19.0-linux-x64.tar.gz" -C "$BATS_TEST_TMPDIR/build" node-v24.19.0-linux-x64/LICENSE
  pin x64 "$(sha256sum <"$FILES/node-v24.19.0-linux-x64.tar.gz" | cut -d' ' -f1)"
  install
  assert_success
  [[ ${stderr_lines[0]} == *"could not unpack it into $data: "*'node-v24.19.0-linux-x64/bin/node'* ]] || fail "$stderr"
  assert_tidy 0
}

@test "a build that does not run here (an old glibc) is told in its own words, and not used" {
  publish "echo \"libc.so.6: version GLIBC_2.28 not found\" >&2; exit 1"
  install
  assert_refused "Node's official build does not run on this system (libc.so.6: version GLIBC_2.28 not found). It needs glibc 2.28, and a file system not mounted noexec"
}

@test "the older copy stays in use until the newer one has answered" {
  make_private_node v24.18.0
  publish 'exit 1'
  install
  assert_success
  assert_equal "${stderr_lines[1]}" ' !     Node v24.18.0, fetched before, stays in use.'
  assert_equal "$("$data/node/bin/node" --version)" v24.18.0
  assert_tidy 2
  publish 'echo v24.19.0'
  install
  assert_equal "$stderr" ''
  assert_equal "$("$data/node/bin/node")" v24.19.0
  assert_tidy 2
}

@test "a private copy that no longer runs is replaced" {
  install
  : >"$data/node/bin/node"
  install
  assert_equal "$stderr" ''
  assert_equal "$("$data/node/bin/node")" v24.19.0
  assert_tidy 2
}

@test "a directory called node that is not ours is left alone" {
  mkdir -p "$data/node"
  echo mine >"$data/node/file"
  install
  assert_success
  [[ ${stderr_lines[0]} == *"$data/node was not made by this plugin: move it away." ]] || fail "$stderr"
  assert_equal "$(<"$data/node/file")" mine
  assert_tidy 1
}

start_slow_install() {
  # bash starts what is in the background with SIGINT ignored
  env --default-signal=INT PATH="$tools" PGBACKUP_NODE_MIRROR="$1" "$plugin/install" >"$BATS_TEST_TMPDIR/slow" 2>&1 3>&- &
  installing=$!
  wait_until compgen -G "$data/node-v24.19.0-linux-x64.*/download.tar.gz" >/dev/null
}

@test "kill -9 midway leaves the older copy in use, and the next run finishes and tidies up" {
  make_private_node v24.18.0
  start_slow_install "$MIRROR/slow"
  kill -9 "$installing"
  wait "$installing" || true
  assert_equal "$("$data/node/bin/node" --version)" v24.18.0
  install
  assert_success
  assert_equal "$stderr" ''
  assert_equal "$("$data/node/bin/node")" v24.19.0
  assert_tidy 2
}

@test "kill -9 between the link and its renaming is put right by the next run" {
  make_private_node v24.18.0
  mkdir "$data/node-v24.19.0-linux-x64.killed"
  ln -s node-v24.19.0-linux-x64.killed "$data/node.new"
  install
  assert_equal "$stderr" ''
  assert_equal "$("$data/node/bin/node")" v24.19.0
  assert_tidy 2
}

@test "SIGTERM, SIGINT and SIGHUP end the fetch at once, with everything temporary" {
  local pair status
  for pair in TERM:143 INT:130 HUP:129; do
    start_slow_install "$MIRROR/slow"
    kill "-${pair%:*}" "$installing"
    status=0
    wait "$installing" || status=$?
    assert_equal "$status" "${pair#*:}"
    assert_tidy 0
    wait_until no_download_runs
  done
}

no_download_runs() { ! pgrep -f "$data/node-v24.19.0" >/dev/null; }

@test "a password in the mirror's address shows in no process list, message or trace (pitfall 49)" {
  export DOKKU_TRACE=1
  start_slow_install "${MIRROR/:\/\//://someone:s3cret@}/slow"
  pgrep -f "$data/node-v24.19.0" >/dev/null || fail 'no download to be seen'
  run pgrep -fa s3cret
  assert_output ''
  kill "$installing"
  wait "$installing" || true
  run cat "$BATS_TEST_TMPDIR/slow"
  assert_line "-----> Fetching Node v24.19.0 for pgbackup: $(archive "$MIRROR/slow")"
  refute_output --partial s3cret
}

@test "a second installation waits for the first, and need not fetch it again" {
  start_slow_install "$MIRROR/late"
  install
  assert_success
  assert_equal "$output$stderr" ''
  wait "$installing"
  assert_equal "$(<"$REQUESTS")" /late/v24.19.0/node-v24.19.0-linux-x64.tar.gz
  assert_equal "$("$data/node/bin/node")" v24.19.0
  assert_tidy 2
}
