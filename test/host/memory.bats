#!/usr/bin/env bats
# What the program itself needs at its peak does not depend on how much goes through it, whichever way that goes.

load helper
load s3

# The archive has more bytes than a command may take; of those that it does take, half are Node.
ARCHIVE_MB=300 AT_MOST_MB=250

setup_file() {
  begin_file
  begin_s3 memory
  (umask 077 && age-keygen -o "$PGBT/key.txt") 2>/dev/null
  make_service pgbt-memory
  make_storage pgbt-memory "$BUCKET" --prefix m
  # Bytes that no compression makes fewer.
  sql pgbt-memory "CREATE TABLE noise AS SELECT n, (SELECT string_agg(sha512((n || ':' || i)::bytea), NULL) FROM generate_series(1, 1600) i) AS bytes
    FROM generate_series(1, $((ARCHIVE_MB * 10))) n"
  # The Node there is, which tells at its end what it needed at most, in MB.
  cat >"$PGBT/peak.cjs" <<END
const { EOL } = require('os');
process.on('exit', () => {
  require('fs').appendFileSync('$PGBT/peak', Math.round(process.resourceUsage().maxRSS / 1000) + ' ' + process.argv[2] + EOL);
});
END
  printf '#!/bin/sh\nexec "%s" --require "%s" "$@"\n' "$(type -P "${PGBACKUP_NODE:-node}")" "$PGBT/peak.cjs" >"$PGBT/node"
  chmod 755 "$PGBT/node"
  chmod 644 "$PGBT/peak.cjs"
  : >"$PGBT/peak"
  chmod 666 "$PGBT/peak"
  export PGBACKUP_NODE=$PGBT/node
}

teardown_file() {
  end_s3
  end_file recipients
}

# usage: assert_little_memory <command of the plugin>...: it succeeds, and needs less than there is to be moved.
assert_little_memory() {
  : >"$PGBT/peak"
  run dokku "pgbackup:$1" "${@:2}"
  assert_success
  local peak
  peak=$(sed -n "s/ pgbackup:$1\$//p" "$PGBT/peak")
  echo "# $1: $peak MB" >&3
  [[ -n $peak ]] || fail "nothing is known of the memory of $1: $(<"$PGBT/peak")"
  ((peak < AT_MOST_MB)) || fail "$1 needed $peak MB"
}

@test "a backup to two storages needs little memory, whatever its size, and so does all that is done with it" {
  assert_little_memory run pgbt-memory --storage local --storage pgbt-memory
  bytes=$(dokku pgbackup:list pgbt-memory --storage local --format json | json 'd[0]["archive"]["storedBytes"]')
  ((bytes > ARCHIVE_MB * 1000 * 1000)) || fail "the archive has only $bytes bytes"
  assert_little_memory verify pgbt-memory --storage pgbt-memory
  assert_little_memory restore pgbt-memory --latest --storage pgbt-memory --force
}

@test "so does an encrypted one, and its copy" {
  dokku pgbackup:set pgbt-memory recipients "$(age-keygen -y "$PGBT/key.txt")" >/dev/null
  assert_little_memory run pgbt-memory --storage pgbt-memory
  assert_little_memory verify pgbt-memory --storage pgbt-memory --identity - <"$PGBT/key.txt"
  assert_little_memory copy pgbt-memory --storage pgbt-memory --to local
}
