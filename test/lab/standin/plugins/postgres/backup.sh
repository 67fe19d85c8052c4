#!/usr/bin/env bash
# dokku-postgres's own backups to S3: where it keeps keys, passphrase and schedule, and what they do.
# From the recordings, and where those end from the source of dokku-postgres 1.48.0 and docker-s3backup 0.18.0.

# usage: cron_file <service>. On a host it lies in /etc/cron.d, which two labs would share.
cron_file() { echo "$DOKKU_LIB_ROOT/cron.d/dokku-postgres-$1"; }

# usage: need_argument <value> <what is to be specified>
need_argument() { [[ -n $1 ]] || dokku_log_fail "Please specify $2"; }

cmd-postgres-backup-auth() {
  local service=$1 root=$SERVICES/$1/backup
  need_argument "$service" "a valid name for the service"
  need_argument "$2" "an aws access key id"
  need_argument "$3" "an aws secret access key"
  verify_service_name "$service"
  # Twice is refused by mkdir: keys change by backup-deauth.
  mkdir "$root" || exit
  echo "$2" >"$root/AWS_ACCESS_KEY_ID"
  echo "$3" >"$root/AWS_SECRET_ACCESS_KEY"
  [[ -z $4 ]] || echo "$4" >"$root/AWS_DEFAULT_REGION"
  [[ -z $5 ]] || echo "$5" >"$root/AWS_SIGNATURE_VERSION"
  [[ -z $6 ]] || echo "$6" >"$root/ENDPOINT_URL"
}

cmd-postgres-backup-deauth() {
  need_argument "$1" "a valid name for the service"
  verify_service_name "$1"
  rm -rf "${SERVICES:?}/$1/backup"
}

cmd-postgres-backup-schedule() {
  local service=$1 schedule=$2 bucket=$3 flag=$4
  need_argument "$service" "a valid name for the service"
  need_argument "$schedule" "a schedule for the backup"
  need_argument "$bucket" "an aws bucket for the backup"
  verify_service_name "$service"
  [[ -z $flag || $flag == --use-iam || $flag == -u ]] || dokku_log_fail "Invalid flag provided, only '--use-iam' allowed"
  mkdir -p "$DOKKU_LIB_ROOT/cron.d"
  # The space at its end is theirs. Nor do they look at what they write.
  echo "$schedule dokku /usr/bin/dokku postgres:backup $service $bucket $flag" >"$(cron_file "$service")"
}

cmd-postgres-backup-schedule-cat() {
  need_argument "$1" "a valid name for the service"
  verify_service_name "$1"
  [[ -f $(cron_file "$1") ]] || dokku_log_fail "There is no scheduled backup for $1."
  cat "$(cron_file "$1")"
}

cmd-postgres-backup-unschedule() {
  need_argument "$1" "a valid name for the service"
  verify_service_name "$1"
  rm -f "$(cron_file "$1")"
}

# usage: set_encryption <service> <file> <value> <what is to be specified>
set_encryption() {
  need_argument "$1" "a valid name for the service"
  need_argument "$3" "$4"
  verify_service_name "$1"
  mkdir -p "$SERVICES/$1/backup-encryption"
  echo "$3" >"$SERVICES/$1/backup-encryption/$2"
}

# usage: unset_encryption <service> <file>
unset_encryption() {
  need_argument "$1" "a valid name for the service"
  verify_service_name "$1"
  rm "$SERVICES/$1/backup-encryption/$2" || exit
}

cmd-postgres-backup-set-encryption() { set_encryption "$1" ENCRYPTION_KEY "$2" "a GPG backup passphrase"; }
cmd-postgres-backup-unset-encryption() { unset_encryption "$1" ENCRYPTION_KEY; }

cmd-postgres-backup-set-public-key-encryption() {
  set_encryption "$1" ENCRYPT_WITH_PUBLIC_KEY_ID "$2" "a valid GPG Public Key ID (or fingerprint)"
}
cmd-postgres-backup-unset-public-key-encryption() { unset_encryption "$1" ENCRYPT_WITH_PUBLIC_KEY_ID; }

# A real one, of keys that were given; neither IAM nor the key server of a public key is there in the lab.
cmd-postgres-backup() {
  local service=$1 bucket=$2 flag=$3 root=$SERVICES/$1
  need_argument "$service" "a valid name for the service"
  need_argument "$bucket" "an aws bucket for the backup"
  verify_service_name "$service"
  if [[ -n $flag ]]; then
    [[ $flag == --use-iam || $flag == -u ]] || dokku_log_fail "Provide AWS credentials or use the --use-iam flag"
    dokku_log_fail "The lab has no instance metadata"
  fi
  [[ -f $root/backup/AWS_ACCESS_KEY_ID ]] || dokku_log_fail "Missing AWS_ACCESS_KEY_ID file"
  [[ -f $root/backup/AWS_SECRET_ACCESS_KEY ]] || dokku_log_fail "Missing AWS_SECRET_ACCESS_KEY file"
  [[ ! -f $root/backup-encryption/ENCRYPT_WITH_PUBLIC_KEY_ID ]] || dokku_log_fail "The lab has no key server"
  docker container inspect "dokku.postgres.$service" >/dev/null 2>&1 || dokku_log_fail "Service container does not exist"
  # Its name tells the time in UTC: `date -u`, and in a container without a time zone.
  upload_backup "$service" "$bucket" "postgres-$service-$(date -u +%Y-%m-%d-%H-%M-%S)"
}

# usage: upload_backup <service> <bucket, perhaps with a path> <name without its ending>
upload_backup() (
  local service=$1 bucket=$2 name=$3 root=$SERVICES/$1 folder passphrase='' region endpoint
  folder=$(mktemp -d)
  # shellcheck disable=SC2064 # its value of now
  trap "rm -rf '$folder'" EXIT
  mkdir "$folder/backup"
  cmd-postgres-export "$service" >"$folder/backup/export" || exit
  tar -czf "$folder/archive" -C "$folder" backup/
  name+=.tgz
  [[ ! -f $root/backup-encryption/ENCRYPTION_KEY ]] || passphrase=$(<"$root/backup-encryption/ENCRYPTION_KEY")
  if [[ -n $passphrase ]]; then
    GNUPGHOME=$folder gpg --batch --no-tty --quiet --symmetric --cipher-algo AES256 --pinentry-mode loopback --passphrase-fd 0 \
      --output "$folder/encrypted" "$folder/archive" <<<"$passphrase" || exit
    mv "$folder/encrypted" "$folder/archive"
    name+=.gpg
  fi
  region=$(cat "$root/backup/AWS_DEFAULT_REGION" 2>/dev/null || echo us-east-1)
  endpoint=$(cat "$root/backup/ENDPOINT_URL" 2>/dev/null || echo "https://s3.$region.amazonaws.com")
  # Without the header curl signs what no server takes (7.88).
  curl --silent --show-error --fail --output /dev/null --config - --upload-file "$folder/archive" \
    --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --aws-sigv4 "aws:amz:$region:s3" "${endpoint%/}/$bucket/$name" \
    <<<"user = \"$(<"$root/backup/AWS_ACCESS_KEY_ID"):$(<"$root/backup/AWS_SECRET_ACCESS_KEY")\"" || {
    echo "Backup of backup/ has failed. Please investigate the issue."
    exit 1
  }
  echo "$(date -u +%Y-%m-%d-%H-%M-%S): The backup for postgres-$service finished successfully."
)
