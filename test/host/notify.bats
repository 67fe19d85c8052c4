#!/usr/bin/env bats
# Heartbeats, webhooks and pgbackup:notify-test (pitfalls 47 and 49)

load helper

setup_file() {
  begin_file
  export SECRET=pgbt-Webhook-Geheim TOKEN=pgbt-t0ken-of-the-monitor
  make_service pgbt-bell
  make_items pgbt-bell 20
  make_app pgbt-ringer pgbt-bell
  : >"$PGBT/hook"
  echo 200 >"$PGBT/answer"
  "${PGBACKUP_NODE:-node}" --experimental-strip-types --disable-warning=ExperimentalWarning \
    "$BATS_TEST_DIRNAME/../tools/hook-server.ts" "$PGBT/hook" "$PGBT/answer" >"$PGBT/hook.log" 2>&1 3>&- &
  echo $! >"$PGBT/hook.pid"
  wait_for test -s "$PGBT/hook"
  HOOK=http://127.0.0.1:$(head -1 "$PGBT/hook")
  export HOOK
}

teardown_file() {
  kill "$(<"$PGBT/hook.pid")" || true
  end_file "${NOTICE_KEYS[@]}"
}

NOTICE_KEYS=(heartbeat-url heartbeat-fail-url heartbeat-method heartbeat-style webhook-url webhook-secret webhook-events notify-timeout)

setup() {
  echo 200 >"$PGBT/answer"
  for key in "${NOTICE_KEYS[@]}"; do dokku pgbackup:set pgbt-bell "$key" >/dev/null; done
  forget
}

# Forgets what the endpoint was sent so far.
forget() { sed -i '2,$d' "$PGBT/hook"; }

# usage: sent: `METHOD path` of each request.
sent() { tail -n +2 "$PGBT/hook" | python3 -c 'import json, sys
for line in sys.stdin: r = json.loads(line); print(r["method"], r["url"])'; }

# usage: posted <expression>, the body of the last request being d and its headers h.
posted() {
  tail -n 1 "$PGBT/hook" | python3 -c 'import json, sys
r = json.load(sys.stdin); h = r["headers"]; d = json.loads(r["body"]); v = eval(sys.argv[1]); print(v if isinstance(v, str) else json.dumps(v))' "$1"
}

set_secret() { printf '%s' "$SECRET" | dokku pgbackup:set pgbt-bell webhook-secret -; }

# A run that fails, however it is asked for: nobody can write there.
failing_run() { run dokku pgbackup:run pgbt-bell --schema nope; }

@test "S0.2 a heartbeat is called when a backup succeeded, and another on failure" {
  dokku pgbackup:set pgbt-bell heartbeat-url "$HOOK/ping/$TOKEN" >/dev/null
  dokku pgbackup:set pgbt-bell heartbeat-fail-url "$HOOK/alarm/$TOKEN" >/dev/null
  run dokku pgbackup:run pgbt-bell
  assert_success
  assert_equal "$(sent)" "GET /ping/$TOKEN"
  forget
  failing_run
  assert_failure 4
  assert_equal "$(sent)" "GET /alarm/$TOKEN"
}

@test "a heartbeat in the way of healthchecks.io tells also of beginning and failure" {
  dokku pgbackup:set pgbt-bell heartbeat-url "$HOOK/$TOKEN" >/dev/null
  dokku pgbackup:set pgbt-bell heartbeat-style healthchecks >/dev/null
  dokku pgbackup:set pgbt-bell heartbeat-method POST >/dev/null
  dokku pgbackup:run pgbt-ringer >/dev/null
  failing_run
  assert_equal "$(sent)" "POST /$TOKEN/start
POST /$TOKEN
POST /$TOKEN/start
POST /$TOKEN/fail"
}

@test "a webhook is posted JSON that openssl finds well signed" {
  dokku pgbackup:set pgbt-bell webhook-url "$HOOK/hook" >/dev/null
  run set_secret
  assert_success
  assert_output '=====> webhook-secret of pgbt-bell is set'
  id=$(take_backup pgbt-bell)
  assert_equal "$(sent)" 'POST /hook'
  assert_equal "$(posted '[d["event"], d["operation"], d["outcome"], d["service"], d["id"]]')" "[\"success\", \"backup\", \"ok\", \"pgbt-bell\", \"$id\"]"
  assert_equal "$(posted 'd["storedBytes"]')" "$(stat -c %s "$(archive_of pgbt-bell "$id")")"
  assert_equal "$(posted 'h["x-pgbackup-event"] + " " + h["x-pgbackup-delivery"]')" "success $id-success"
  tail -n 1 "$PGBT/hook" | python3 -c 'import json, sys
r = json.load(sys.stdin); sys.stdout.write(r["headers"]["x-pgbackup-timestamp"] + "." + r["body"])' >"$PGBT/signed"
  assert_equal "$(posted 'h["x-pgbackup-signature"]')" "sha256=$(openssl dgst -sha256 -hmac "$SECRET" -r "$PGBT/signed" | cut -d' ' -f1)"
  age=$(($(date +%s) - $(posted 'h["x-pgbackup-timestamp"]')))
  assert [ "$age" -ge 0 -a "$age" -lt 60 ]
}

@test "a webhook hears of failures, restores and undos as far as it is subscribed to them" {
  dokku pgbackup:set pgbt-bell webhook-url "$HOOK/hook" >/dev/null
  dokku pgbackup:set pgbt-bell webhook-events failure,restore >/dev/null
  take_backup pgbt-bell
  dokku pgbackup:restore pgbt-bell --latest --dry-run >/dev/null
  assert_equal "$(sent)" ''
  dokku pgbackup:restore pgbt-bell --latest --force >/dev/null
  assert_equal "$(posted '[d["event"], d["operation"], d["outcome"]]')" '["restore", "restore", "ok"]'
  dokku pgbackup:undo pgbt-bell --force >/dev/null
  assert_equal "$(posted '[d["event"], d["operation"], d["outcome"]]')" '["restore", "undo", "ok"]'
  failing_run
  assert_equal "$(posted '[d["event"], d["operation"], d["outcome"], d["code"]]')" '["failure", "backup", "failed", "not-found"]'
  assert_equal "$(sent | wc -l)" 3
}

@test "a backup is good, and not long in coming, when its endpoints hang, fail, reset or are not there (pitfall 47)" {
  dokku pgbackup:set pgbt-bell heartbeat-url "$HOOK/$TOKEN" >/dev/null
  dokku pgbackup:set pgbt-bell webhook-url "$HOOK/hook" >/dev/null
  dokku pgbackup:set pgbt-bell notify-timeout 1s >/dev/null
  for answer in hang 500 reset slow-head; do
    echo "$answer" >"$PGBT/answer"
    began=$(date +%s)
    run_apart dokku pgbackup:run pgbt-bell
    assert_success
    assert_equal "$(grep -c '^ !     Not notified: ' <<<"$errors")" 2
    assert [ $(($(date +%s) - began)) -lt 15 ]
    refute [ -n "$(grep -F "$TOKEN" <<<"$errors$output")" ]
  done
  dokku pgbackup:set pgbt-bell heartbeat-url http://127.0.0.1:9/x >/dev/null
  dokku pgbackup:set pgbt-bell webhook-url http://nowhere.invalid/x >/dev/null
  run dokku pgbackup:run pgbt-bell
  assert_success
  assert_output --partial 'Not notified: heartbeat http://127.0.0.1:9/…'
  assert_output --partial 'Not notified: webhook http://nowhere.invalid/…'
  assert_equal "$(dokku pgbackup:log pgbt-bell --last 1 --format json | json 'd[0]["outcome"]')" ok
}

@test "a backup ends in time when the name server never answers (pitfall 47)" {
  dokku pgbackup:set pgbt-bell webhook-url http://hook.example.org/x >/dev/null
  dokku pgbackup:set pgbt-bell notify-timeout 2s >/dev/null
  echo 'nameserver 127.0.0.1' >"$PGBT/resolv.conf"
  cat >"$PGBT/apart" <<'SCRIPT'
mount --make-rprivate /
mount --bind "$1" "$(realpath /etc/resolv.conf)"
ip link set lo up
python3 -c 'import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53)); time.sleep(60)' &
sleep 0.3
began=$(date +%s%N)
dokku pgbackup:notify-test pgbt-bell
code=$?
echo "took $((($(date +%s%N) - began) / 1000000)) ms"
dokku pgbackup:run pgbt-bell || code=9
kill %1
exit "$code"
SCRIPT
  run unshare --mount --net bash "$PGBT/apart" "$PGBT/resolv.conf"
  assert_failure 3
  assert_output --partial 'is taken and proven'
  assert_output --partial 'Not notified: webhook http://hook.example.org/…: '
  # glibc alone would keep the process for 10 s.
  took=$(sed -n 's/^took \([0-9]*\) ms$/\1/p' <<<"$output")
  assert [ "$took" -lt 6000 ]
}

@test "notify-test calls each endpoint, and exits 3 when one fails and 4 when there is none" {
  run dokku pgbackup:notify-test pgbt-bell
  assert_failure 4
  assert_output --partial 'has nobody to notify'
  dokku pgbackup:set pgbt-bell heartbeat-url "$HOOK/$TOKEN" >/dev/null
  dokku pgbackup:set pgbt-bell webhook-url "$HOOK/hook" >/dev/null
  run dokku pgbackup:notify-test pgbt-ringer
  assert_success
  assert_line '=====> 2 of 2 endpoints of pgbt-bell were reached'
  refute_output --partial "$TOKEN"
  assert_equal "$(sent | sort)" "GET /$TOKEN
POST /hook"
  echo 503 >"$PGBT/answer"
  run_apart dokku pgbackup:notify-test pgbt-bell --format json
  assert_failure 3
  assert_equal "$(json '[[o["endpoint"], o["ok"], o["status"]] for o in d["outcomes"]]' <<<"$output")" '[["heartbeat", false, 503], ["webhook", false, 503]]'
}

@test "a secret is taken from standard input alone, kept for user dokku alone, and shown nowhere (pitfall 49)" {
  run dokku pgbackup:set pgbt-bell webhook-secret "$SECRET"
  assert_failure 2
  assert_output --partial 'is taken from standard input only'
  refute_output --partial "$SECRET"
  : >"$PGBT/watch"
  while [[ -e $PGBT/watch ]]; do
    ps -eo args
    sleep 0.02
  done >"$PGBT/processes" 2>/dev/null 3>&- &
  set_secret >/dev/null
  printf '%s\n' "$HOOK/$TOKEN" | dokku pgbackup:set pgbt-bell webhook-url - >/dev/null
  take_backup pgbt-bell --trace >"$PGBT/out" 2>&1
  failing_run
  echo "$output" >>"$PGBT/out"
  echo 500 >"$PGBT/answer"
  dokku pgbackup:run pgbt-bell --trace >>"$PGBT/out" 2>&1
  dokku pgbackup:notify-test pgbt-bell --trace >>"$PGBT/out" 2>&1 || true
  rm "$PGBT/watch"
  for verb in report log list status; do
    dokku "pgbackup:$verb" pgbt-bell || true
    dokku "pgbackup:$verb" pgbt-bell --format json || true
  done >>"$PGBT/out" 2>&1
  tail -n +2 "$PGBT/hook" | json_bodies >"$PGBT/bodies"
  assert [ -s "$PGBT/bodies" ]
  run grep -lF -e "$SECRET" -e "$TOKEN" "$PGBT/processes" "$PGBT/out" "$PGBT/bodies"
  assert_failure 1
  run grep -c 'pgbackup:run pgbt-bell' "$PGBT/processes"
  assert_success
  assert_equal "$(dokku pgbackup:report pgbt-bell --format json | json '[s["own"] for s in d["settings"] if s["key"] in ("webhook-secret", "webhook-url")]' | sort)" "$(python3 -c 'import json, sys; print(json.dumps([sys.argv[1] + "/…", "***"]))' "$HOOK")"
  data=$(spool_of pgbt-bell)
  file=${data%/data/pgbackup/spool}/config/pgbackup/pgbt-bell/webhook-secret
  assert_equal "$(stat -c %a "$file")" 600
}

# usage: json_bodies: the bodies of the requests on stdin.
json_bodies() { python3 -c 'import json, sys
for line in sys.stdin: print(json.loads(line)["body"])'; }
