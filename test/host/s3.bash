#!/usr/bin/env bash
# What tests need that have a bucket on Ceph RGW: the bucket, a look into it behind the plugin's back, a storage
# there, and servers of test/tools that stand beside it or before it. Loaded after a helper with begin_file.

# To be called in setup_file, after begin_file. usage: begin_s3 <word>: a bucket of its own, $BUCKET.
begin_s3() {
  need_s3 || return
  BUCKET=pgbt-$1-$RANDOM$RANDOM
  SERVED=$(mktemp -d /tmp/pgbt-served-XXXXXX)
  export BUCKET SERVED
  make_bucket "$BUCKET"
}

# To be called in teardown_file, before end_file. usage: end_s3 [bucket]...: those that the file made beside $BUCKET.
end_s3() {
  local bucket
  stop_served
  for bucket in "$BUCKET" "$@"; do remove_bucket "$bucket"; done
  rm -rf "${SERVED:?}"
}

# To be called in setup_file by what needs a bucket.
need_s3() {
  [[ -n ${PGBACKUP_TEST_RGW:-} ]] && return
  echo 'There is no S3 server: start one with test/lab/s3-up rgw, and export what it prints' >&2
  return 1
}

# usage: s3 <arguments of curl>...: a signed request to RGW. (Without the header curl signs what no server takes.)
s3() {
  curl --silent --show-error --fail --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --aws-sigv4 aws:amz:us-east-1:s3 \
    --user "$PGBACKUP_TEST_RGW_KEY:$PGBACKUP_TEST_RGW_SECRET" "$@"
}

make_bucket() { s3 --request PUT "$PGBACKUP_TEST_RGW/$1"; }

# usage: objects_in <bucket>: the keys, one a line.
objects_in() { s3 "$PGBACKUP_TEST_RGW/$1?list-type=2" | { grep -o '<Key>[^<]*' || true; } | cut -c6-; }

# usage: uploads_in <bucket>: `key id` of those that were begun and neither completed nor aborted.
uploads_in() {
  s3 "$PGBACKUP_TEST_RGW/$1?uploads=" | python3 -c 'import re, sys
for key, id in re.findall(r"<Upload>.*?<Key>(.*?)</Key>.*?<UploadId>(.*?)</UploadId>", sys.stdin.read(), re.S): print(key, id)'
}

# usage: deny <bucket> <action>...: takes rights from everybody, the bucket's owner too. `allow <bucket>` gives them back.
deny() {
  local bucket=$1 policy=$SERVED/policy
  shift
  python3 -c 'import json, sys
bucket, *actions = sys.argv[1:]
resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
print(json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resources}]}))' \
    "$bucket" "$@" >"$policy"
  # Of --data curl would sign the content.
  s3 --upload-file "$policy" "$PGBACKUP_TEST_RGW/$bucket?policy="
}

allow() { s3 --request DELETE "$PGBACKUP_TEST_RGW/$1?policy="; }

# usage: remove_bucket <bucket>: with all that is in it. One that is gone is no failure.
remove_bucket() {
  local key id
  s3 --output /dev/null "$PGBACKUP_TEST_RGW/$1?location=" 2>/dev/null || return 0
  allow "$1"
  while read -r key id; do s3 --request DELETE "$PGBACKUP_TEST_RGW/$1/$key?uploadId=$id"; done < <(uploads_in "$1")
  empty_bucket "$1"
  s3 --request DELETE "$PGBACKUP_TEST_RGW/$1"
}

empty_bucket() {
  local keys
  while mapfile -t keys < <(objects_in "$1") && ((${#keys[@]} > 0)); do
    printf "$PGBACKUP_TEST_RGW/$1/%s\n" "${keys[@]}" | xargs -n 50 bash -c 's3 --request DELETE "$@"' -
  done
}
export -f s3

# usage: corrupt_object <bucket> <key> [position]: turns every bit of one byte of it, behind everybody's back.
corrupt_object() {
  local copy
  copy=$(mktemp "$SERVED/object-XXXXXX")
  s3 --output "$copy" "$PGBACKUP_TEST_RGW/$1/$2"
  python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    at = int(sys.argv[2]); f.seek(at); byte = f.read(1)[0]; f.seek(at); f.write(bytes([byte ^ 255]))' "$copy" "${3:-$(($(stat -c %s "$copy") / 2))}"
  s3 --upload-file "$copy" "$PGBACKUP_TEST_RGW/$1/$2"
  rm -f "$copy"
}

# usage: make_storage <name> <bucket> [options of storage-create]...: in RGW, and it has its keys.
make_storage() {
  dokku pgbackup:storage-create "$1" s3 --bucket "$2" --endpoint "$PGBACKUP_TEST_RGW" "${@:3}" >/dev/null &&
    give_keys "$1"
}

give_keys() { printf '%s\n%s\n' "$PGBACKUP_TEST_RGW_KEY" "$PGBACKUP_TEST_RGW_SECRET" | dokku pgbackup:storage-auth "$1" >/dev/null; }

# usage: serve <arguments of test/tools/serve.ts>...: in the background until stop_served, for ten minutes at the most.
# Sets URL (where it listens) and SERVER_LOG (its address, then what it was asked, one request a line).
serve() {
  local folder
  folder=$(mktemp -d "$SERVED/server-XXXXXX")
  "${PGBACKUP_NODE:-node}" --experimental-strip-types --disable-warning=ExperimentalWarning \
    "$BATS_TEST_DIRNAME/../tools/serve.ts" "$@" >"$folder/log" 2>"$folder/errors" 3>&- &
  echo $! >"$folder/pid"
  SERVER_LOG=$folder/log
  wait_for test -s "$SERVER_LOG" 2>/dev/null || {
    cat "$folder/errors" >&2
    return 1
  }
  URL=$(head -n 1 "$SERVER_LOG")
}

stop_served() {
  local file
  for file in "$SERVED"/server-*/pid; do
    [[ ! -e $file ]] || { kill "$(<"$file")" 2>/dev/null || true; }
    rm -f "$file"
  done
}
