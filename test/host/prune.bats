#!/usr/bin/env bats
# pgbackup:prune

load helper

setup_file() {
  begin_file
  make_service pgbt-keep
  make_items pgbt-keep 20
}

teardown_file() { end_file "${RULES[@]}"; }

RULES=(keep-last keep-hourly keep-daily keep-weekly keep-monthly keep-yearly keep-within min-keep)

setup() {
  for key in "${RULES[@]}"; do dokku pgbackup:set pgbt-keep "$key" >/dev/null; done
  rm -rf "$PGBT/backups"
  install -d -m 0777 "$PGBT/backups"
}

# usage: take_backups <count>: sets the array ids, oldest first.
take_backups() {
  ids=()
  for ((n = 0; n < $1; n++)); do ids+=("$(take_backup pgbt-keep)"); done
}

# usage: ids_of <service>: the ids that are listed, oldest first.
ids_of() { dokku pgbackup:list "$1" --format json | json '" ".join(b["id"] for b in d)'; }

# usage: age <n> <days>: makes ${ids[n]} one that was taken so many days ago, with the id that it would have had then.
age() {
  local folder
  folder=$(dirname "$(archive_of pgbt-keep "${ids[$1]}")")
  ids[$1]=$(
    python3 - "$folder" "$2" <<'PYTHON'
import datetime, json, os, re, sys
folder, days = sys.argv[1], int(sys.argv[2])
manifest = json.load(open(f"{folder}/manifest.json"))
at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
manifest["startedAt"] = at.strftime("%Y-%m-%dT12:00:00.000Z")
manifest["id"] = re.sub(r"-\d{8}T\d{6}Z-", at.strftime("-%Y%m%dT120000Z-"), manifest["id"])
json.dump(manifest, open(f"{folder}/manifest.json", "w"))
os.rename(folder, f"{os.path.dirname(folder)}/{manifest['id']}")
print(manifest["id"])
PYTHON
  )
}

# usage: own_folder: where this host keeps the backups of the service.
own_folder() { dirname "$(dirname "$(archive_of pgbt-keep "$1")")"; }

@test "prune removes nothing while no rule is set, and says so" {
  take_backups 3
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_line '-----> Pruning pgbt-keep: no retention policy is set, nothing is removed'
  assert_equal "$(ids_of pgbt-keep)" "${ids[*]}"
}

@test "prune keeps the last two of five, and tells beforehand what it would do and why" {
  take_backups 5
  dokku pgbackup:set pgbt-keep keep-last 2 >/dev/null
  # A backup prunes by itself, and a rule that is set afterwards waits for the next one.
  run dokku pgbackup:prune pgbt-keep --dry-run
  assert_success
  assert_line --regexp "^REMOVE +${ids[0]}  .*  no rule keeps it \(keep-last 2\)$"
  assert_line --regexp "^KEEP +${ids[3]}  .*  last 2, min-keep 2$"
  assert_line --regexp "^KEEP +${ids[4]}  .*  newest proven, last 2, min-keep 2$"
  assert_line --regexp '^=====> 3 backups of pgbt-keep would be removed \(.*\), 2 kept$'
  assert_equal "$(ids_of pgbt-keep)" "${ids[*]}"
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_line --regexp '^=====> 3 backups of pgbt-keep removed \(.*\), 2 kept$'
  assert_equal "$(ids_of pgbt-keep)" "${ids[*]:3}"
  assert_equal "$(find "$PGBT/backups" -name '*.dump' | wc -l)" 2
  # What is kept restores.
  run dokku pgbackup:restore pgbt-keep "${ids[3]}" --force
  assert_success
  run dokku pgbackup:log pgbt-keep
  assert_output --partial '3 backups removed'
}

@test "prune keeps the newest of each day and week, and says which" {
  take_backups 6
  for n in 0 1 2 3 4; do age "$n" $((40 - 8 * n)); done
  dokku pgbackup:set pgbt-keep keep-daily 2 >/dev/null
  dokku pgbackup:set pgbt-keep keep-weekly 3 >/dev/null
  dokku pgbackup:set pgbt-keep min-keep 1 >/dev/null
  run dokku pgbackup:prune pgbt-keep --format json
  assert_success
  assert_equal "$(json '" ".join(b["id"] for b in d["storages"][0]["backups"] if b["removed"])' <<<"$output")" "${ids[*]:0:3}"
  assert_equal "$(json 'd["storages"][0]["backups"][4]["reasons"][0][:15]' <<<"$output")" "$(date --utc --date '8 days ago' '+daily %Y-%m-%d' | cut -c1-15)"
  assert_equal "$(ids_of pgbt-keep)" "${ids[*]:3}"
}

@test "prune never removes the newest proven ones, however old they are (pitfall 48)" {
  take_backups 3
  for n in 0 1 2; do age "$n" $((900 - n)); done
  dokku pgbackup:set pgbt-keep keep-within 1h >/dev/null
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_equal "$(ids_of pgbt-keep)" "${ids[*]:1}"
  run dokku pgbackup:prune pgbt-keep
  assert_line --regexp '^=====> 0 backups of pgbt-keep removed'
}

@test "prune never touches a backup dated in the future, nor lets it stand in for others (pitfall 24)" {
  take_backups 4
  age 0 -3000
  dokku pgbackup:set pgbt-keep keep-last 2 >/dev/null
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_line --regexp "^KEEP +${ids[0]}  .*  dated in the future$"
  assert_line --regexp "^REMOVE +${ids[1]}  "
  assert_equal "$(ids_of pgbt-keep)" "${ids[2]} ${ids[3]} ${ids[0]}"
}

@test "prune leaves a damaged manifest to people, and lets an archive that is cut off push no whole one out" {
  take_backups 4
  echo '{' >"$(dirname "$(archive_of pgbt-keep "${ids[0]}")")/manifest.json"
  truncate -s 100 "$(archive_of pgbt-keep "${ids[3]}")"
  dokku pgbackup:set pgbt-keep keep-last 2 >/dev/null
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_line --partial "${ids[0]}/manifest.json is not JSON"
  assert_line --regexp "^KEEP +${ids[3]}  .* its archive has 100 bytes, and [0-9]+ were stored$"
  assert_equal "$(ids_of pgbt-keep 2>/dev/null)" "${ids[*]:1}"
  assert [ -e "$(own_folder "${ids[1]}")/${ids[0]}/archive.dump" ]
}

@test "prune never touches what another host has taken into the same directory (pitfall 23)" {
  take_backups 1
  own=$(own_folder "${ids[0]}")
  other=$PGBT/backups/another-host/pgbt-keep
  install -d -o dokku -m 755 "$(dirname "$other")"
  mv "$own" "$other"
  foreign=${ids[0]}
  install -D -o dokku /dev/null "$other/pgbt-keep-20200101T000000Z-dead/archive.dump"
  touch -d '2 years ago' "$other"/*/*
  take_backups 3
  dokku pgbackup:set pgbt-keep keep-last 1 >/dev/null
  dokku pgbackup:set pgbt-keep min-keep 1 >/dev/null
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_line --regexp "^KEEP +$foreign  .*  of another host \(another-host\)$"
  assert_equal "$(ids_of pgbt-keep)" "$foreign ${ids[2]}"
  assert [ -e "$other/pgbt-keep-20200101T000000Z-dead/archive.dump" ]
}

@test "prune sweeps an archive without a manifest, and what an upload left, once they are a day old" {
  take_backups 1
  own=$(own_folder "${ids[0]}")
  for name in old0 new0; do
    install -D -o dokku /dev/null "$own/pgbt-keep-20260101T000000Z-$name/archive.dump"
    install -D -o dokku /dev/null "$own/pgbt-keep-20260102T000000Z-$name/archive.dump.partial"
    chown -R dokku "$own"/*-"$name"
  done
  touch -d '25 hours ago' "$own"/*-old0/*
  run dokku pgbackup:prune pgbt-keep --dry-run
  assert_success
  assert_line --partial 'Would remove what is left of pgbt-keep-20260101T000000Z-old0, which has no manifest'
  refute_output --partial new0
  assert_equal "$(find "$own" -name '*-old0' | wc -l)" 2
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_equal "$(find "$own" -name '*-old0' | wc -l)" 0
  assert_equal "$(find "$own" -name '*-new0' | wc -l)" 2
}

@test "prune and delete leave alone what a restore into another service reads" {
  make_service pgbt-keep-qa
  take_backups 3
  dokku pgbackup:set pgbt-keep keep-last 1 >/dev/null
  dokku pgbackup:set pgbt-keep min-keep 1 >/dev/null
  dokku pgbackup:restore pgbt-keep "${ids[0]}" --into pgbt-keep-qa --force --check "$(slow_check 8)" >"$PGBT/restore" 2>&1 3>&- &
  restoring=$!
  wait_for at_slow_check pgbt-keep-qa
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_line --regexp "^KEEP +${ids[0]}  .*  being read by a restore since .* UTC \(process [0-9]+\)$"
  run dokku pgbackup:delete pgbt-keep "${ids[0]}" --force
  assert_failure 6
  assert_line --partial "Backup ${ids[0]} is being read by a restore since"
  wait "$restoring"
  assert_equal "$(ids_of pgbt-keep)" "${ids[0]} ${ids[2]}"
  run dokku pgbackup:prune pgbt-keep
  assert_equal "$(ids_of pgbt-keep)" "${ids[2]}"
}

@test "a restore that was killed while it read a backup keeps nobody from pruning it" {
  dokku postgres:info pgbt-keep-qa >/dev/null 2>&1 || make_service pgbt-keep-qa
  take_backups 2
  dokku pgbackup:set pgbt-keep keep-last 1 >/dev/null
  dokku pgbackup:set pgbt-keep min-keep 1 >/dev/null
  dokku pgbackup:restore pgbt-keep "${ids[0]}" --into pgbt-keep-qa --force --check "$(slow_check 30)" >"$PGBT/restore" 2>&1 3>&- &
  wait_for at_slow_check pgbt-keep-qa
  pid=$(dokku pgbackup:prune pgbt-keep --dry-run | sed -n 's/.*being read by a restore since .*(process \([0-9]*\)).*/\1/p')
  kill -9 "$pid"
  wait || true
  run dokku pgbackup:prune pgbt-keep
  assert_success
  assert_equal "$(ids_of pgbt-keep)" "${ids[1]}"
  dokku pgbackup:doctor pgbt-keep-qa
}

@test "prune fails with exit 3 where it may not delete, and no backup is harmed (pitfall 19)" {
  take_backups 3
  folder=$(dirname "$(archive_of pgbt-keep "${ids[0]}")")
  dokku pgbackup:set pgbt-keep keep-last 2 >/dev/null
  chattr +i "$folder/manifest.json" 2>/dev/null || chown -R root "$folder"
  chmod 755 "$folder"
  run dokku pgbackup:prune pgbt-keep
  chattr -i "$folder/manifest.json" 2>/dev/null || chown -R dokku "$folder"
  assert_failure 3
  assert_line --partial 'Not everything could be pruned. local: Cannot delete'
  assert_equal "$(ids_of pgbt-keep)" "${ids[*]}"
  run dokku pgbackup:verify pgbt-keep --all
  assert_success
}

@test "prune --all goes through every service that has backups; with a target it is refused" {
  take_backups 3
  dokku pgbackup:set pgbt-keep keep-last 2 >/dev/null
  run dokku pgbackup:prune --all --dry-run --format json
  assert_success
  assert_equal "$(json '[len([b for b in s["storages"][0]["backups"] if not b["keep"]]) for s in d if s["service"] == "pgbt-keep"]' <<<"$output")" '[1]'
  run dokku pgbackup:prune --all pgbt-keep
  assert_failure 2
  run dokku pgbackup:prune
  assert_failure 2
  run dokku pgbackup:prune pgbt-nope
  assert_failure 4
}
