#!/usr/bin/env bash
# A copy of the plugin in a temporary Dokku, with a stand-in for the built program.

bats_require_minimum_version 1.13.0
load ../../node_modules/bats-support/load
load ../../node_modules/bats-assert/load

repository=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
real_node=$(node -p process.execPath)

# Sets plugin (as Dokku reaches it, through enabled/), lib, common (the PATH of cron) and calls.
make_host() {
  local home=$BATS_TEST_TMPDIR available=$BATS_TEST_TMPDIR/plugins/available/pgbackup
  chmod 755 "$BATS_RUN_TMPDIR" "${home%/*}" "$home"
  lib=$home/lib common=$home/common calls=$home/calls tools=$home/tools
  plugin=$home/plugins/enabled/pgbackup
  mkdir -p "$available/dist/help" "$home/plugins/enabled" "$common" "$lib/data" "$lib/config" "$tools"
  (cd "$repository" && cp -a bin lib subcommands commands install update uninstall report cron-entries service-action post-app-rename-setup plugin.toml node.lock "$available")
  ln -s "$available" "$plugin"
  write_program "$available/dist/main.js"
  printf '    pgbackup:%s\n' 'list [<target>], List backups' 'run <target> [--note text], Take a backup' >"$available/dist/help.txt"
  printf 'Usage: dokku pgbackup:run <target>\n' >"$available/dist/help/run.txt"
  : >"$available/dist/help/list.txt"
  : >"$calls"
  chmod 666 "$calls"
  export DOKKU_LIB_ROOT=$lib DOKKU_LOGS_DIR=$home/log DOKKU_NOT_IMPLEMENTED_EXIT=10
  export DOKKU_SYSTEM_USER=nobody DOKKU_SYSTEM_GROUP
  DOKKU_SYSTEM_GROUP=$(id -gn nobody)
  export PGBACKUP_COMMON_PATH=$common
  unset PGBACKUP_NODE PGBACKUP_NODE_MIRROR PGBACKUP_NODE_ARCH DOKKU_TRACE
}

# Prints how it was called; DO in the environment asks for more.
write_program() {
  cat >"$1" <<'EOF'
import { createHash } from 'node:crypto';
const told = {
  argv: () => JSON.stringify(process.argv.slice(2)),
  names: () => Object.keys(process.env).sort().join(' '),
  cache: () => process.env.NODE_COMPILE_CACHE ?? 'none',
  umask: () => process.umask().toString(8),
  pid: () => String(process.pid),
  nothing: () => '',
};
const wanted = process.env.DO ?? 'argv';
if (wanted === 'hash') {
  const hash = createHash('sha256');
  for await (const chunk of process.stdin) hash.update(chunk);
  console.log(hash.digest('hex'));
} else if (wanted === 'hang') {
  await new Promise((resolve) => setTimeout(resolve, 60_000));
} else {
  console.log(told[wanted]());
}
if (process.env.COMPLAIN) console.error(process.env.COMPLAIN);
process.exitCode = Number(process.env.EXIT ?? 0);
EOF
}

# A node at $1 that says it is version $2 and runs programs on the real one; it notes every call.
make_node() {
  mkdir -p "${1%/*}"
  cat >"$1" <<EOF
#!/bin/bash
printf '%s %s\n' "$1" "\${1-}" >>"$calls"
if [[ \${1-} == --version ]]; then
  cat >/dev/null # as a careless wrapper would eat stdin
  echo "$2"
  exit
fi
exec "$real_node" "\$@"
EOF
  chmod 755 "$1"
}

# A private copy as install leaves it.
make_private_node() {
  mkdir -p "$lib/data/pgbackup"
  make_node "$lib/data/pgbackup/node-$1/bin/node" "$1"
  printf '%s\n' "$1" >"$lib/data/pgbackup/node-$1/VERSION"
  ln -sfn "node-$1" "$lib/data/pgbackup/node"
}

# Fills the directory tools with links to these programs: as a PATH it holds nothing else.
only_tools() {
  local tool
  for tool in "$@"; do
    ln -sf "$(type -P "$tool")" "$tools/$tool"
  done
}

# `run`, with stderr apart in stderr and stderr_lines. (bats's own --separate-stderr drops leading
# blanks, which Dokku's prefix has, and breaks under a PATH without mktemp.)
run_apart() {
  run bash -c '"$@" 2>"$0"' "$BATS_TEST_TMPDIR/stderr" "$@"
  stderr=$(<"$BATS_TEST_TMPDIR/stderr")
  mapfile -t stderr_lines <"$BATS_TEST_TMPDIR/stderr"
}
