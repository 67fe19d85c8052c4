#!/usr/bin/env bash
# Where things lie on a Dokku host and how we speak there. Sourced by the triggers.
# shellcheck disable=SC2034 # read by those who source this file

data=${DOKKU_LIB_ROOT:-/var/lib/dokku}/data/pgbackup
config=${DOKKU_LIB_ROOT:-/var/lib/dokku}/config/pgbackup
logs=${DOKKU_LOGS_DIR:-/var/log/dokku}
owner=${DOKKU_SYSTEM_USER:-dokku}
group=${DOKKU_SYSTEM_GROUP:-dokku}

inform() {
  printf -- '-----> %s\n' "$1"
  (($# == 1)) || printf '       %s\n' "${@:2}"
}

warn() {
  printf ' !     %s\n' "$@" >&2
}

# What root may read and run, dokku often may not (a node in /root/.nvm): ask as dokku.
as_dokku() {
  if ((EUID == 0)); then
    setpriv --reuid="$owner" --regid="$group" --init-groups -- "$@"
  else
    "$@"
  fi
}
