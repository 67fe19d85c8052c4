#!/usr/bin/env bats
# A client that goes on writing while its database is exchanged.

load helper

setup_file() {
  begin_file
  make_service pgbt-busy
  # Some 10 MB beside the table that is written to.
  sql pgbt-busy "CREATE TABLE bulk AS SELECT n, md5(n::text) AS a, md5((n * 7)::text) AS b FROM generate_series(1, 100000) n;
    CREATE TABLE marker AS SELECT generate_series(1, 100) AS n;
    CREATE TABLE ticks (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"
}

teardown_file() {
  docker rm -f pgbt-writer >/dev/null 2>&1 || true
  end_file
}

# Every 20 ms a row, and a line for each that was committed: time, database, id, what it sees of the
# marker. Cut off, it comes back at once.
start_writer() {
  docker run -d --name pgbt-writer --network container:dokku.postgres.pgbt-busy -e PGPASSWORD="$(dokku postgres:info pgbt-busy --dsn | sed 's/.*postgres:\(.*\)@.*/\1/')" \
    --entrypoint bash "$(docker inspect -f '{{.Image}}' dokku.postgres.pgbt-busy)" -c '
    while :; do
      printf "%s\n" "INSERT INTO ticks DEFAULT VALUES RETURNING extract(epoch FROM clock_timestamp()), (SELECT oid FROM pg_database WHERE datname = current_database()), id, (SELECT count(*) FROM marker)" "\\watch 0.02" |
        psql -X -q -A -t -h 127.0.0.1 -U postgres -d pgbt_busy 2>/dev/null
    done' >/dev/null
}

# The lines so far. (\watch also prints a heading and blank lines.)
ticks() { docker logs pgbt-writer 2>/dev/null | grep -E '^[0-9.]+\|[0-9]+\|[0-9]+\|[0-9]+$'; }

enough_ticks() { (($(ticks | wc -l) > 20)); }

writes_to() { (($(ticks | grep -c "|$1|") > ${2:-0} + 5)); }

# usage: gap <tick>: milliseconds between rows where the database changes, after the line of that number.
gap() {
  ticks | tail -n +"$1" | python3 -c '
import sys
last, gaps = None, []
for line in sys.stdin:
    at, oid, tick, marker = line.split("|")
    # Nobody ever sees a database that is not whole.
    assert int(marker) == 100, line
    if last and last[1] != oid: gaps.append(round((float(at) - last[0]) * 1000))
    last = float(at), oid
assert len(gaps) == 1, gaps
print(gaps[0])'
}

@test "a client that writes every 20 ms is cut off for less than 200 ms by restore --online, and loses nothing from before the backup" {
  start_writer
  wait_for enough_ticks
  ticks | cut -d'|' -f3 >"$PGBT/before"
  id=$(take_backup pgbt-busy)
  old=$(database_oid pgbt-busy)
  run dokku pgbackup:restore pgbt-busy "$id" --online --force
  assert_success
  new=$(database_oid pgbt-busy)
  refute [ "$old" = "$new" ]
  wait_for writes_to "$new"
  gap 1 >"$PGBT/gaps"
  ticks >"$PGBT/ticks"
  # What was committed before the backup began is in the restored database, each row of it.
  sql pgbt-busy 'SELECT id FROM ticks' >"$PGBT/after"
  run grep -vxFf "$PGBT/after" "$PGBT/before"
  assert_failure 1
  assert_output ''
  # And what was committed to the new database since the swap.
  grep "|$new|" "$PGBT/ticks" | cut -d'|' -f3 >"$PGBT/since"
  run grep -vxFf "$PGBT/after" "$PGBT/since"
  assert_failure 1
  assert_equal "$(sql pgbt-busy 'SELECT count(*), count(DISTINCT a) FROM bulk')" '100000|100000'
  # The same swap twice more, by undo: once in three times the machine may be busy otherwise.
  for live in "$old" "$new"; do
    count=$(ticks | wc -l)
    written=$(ticks | grep -c "|$live|")
    run dokku pgbackup:undo pgbt-busy --force
    assert_success
    assert_equal "$(database_oid pgbt-busy)" "$live"
    wait_for writes_to "$live" "$written"
    gap "$count" >>"$PGBT/gaps"
  done
  echo "# cut off for $(xargs <"$PGBT/gaps") ms" >&3
  assert [ "$(sort -n "$PGBT/gaps" | sed -n 2p)" -lt 200 ]
}
