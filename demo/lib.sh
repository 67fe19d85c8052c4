#!/usr/bin/env bash
# How the demo talks, and how it looks at its data. Sourced by run, which sets work, service and app.
# shellcheck disable=SC2154

if [[ -t 1 || -n ${FORCE_COLOR:-} ]]; then
  dim=$'\e[2m' bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  dim='' bold='' red='' green='' plain=''
fi

say() { printf '\n%s# %s%s\n' "$dim" "$*" "$plain"; }
shown() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; }
good() { printf '%s%s%s\n' "$green" "$*" "$plain"; }

fail() {
  printf '%s%s%s\n' "$red" "$*" "$plain" >&2
  exit 1
}

# Prints a command and runs it.
typed() {
  shown "$*"
  "$@"
}

# The same for what is not the point: its output is shown only when it fails.
quietly() {
  shown "$*"
  "$@" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "failed: $*"
  }
}

# usage: sql <statement>: shown as it would be typed.
sql() {
  shown "dokku postgres:connect $service <<< \"$1\""
  dokku --quiet postgres:connect "$service" <<<"$1" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "failed: $1"
  }
}

# One line a table: rows, and a hash over every column of every row.
fingerprint() {
  local table
  for table in users products orders; do
    printf '%-9s %s\n' "$table" "$(docker exec "dokku.postgres.$service" psql -X -A -t -F ' ' -U postgres -d "${service//-/_}" \
      -c "SELECT lpad(count(*)::text, 6) || ' rows', md5(string_agg(t::text, E'\n' ORDER BY id)) FROM $table t" 2>&1 | head -n 1)"
  done
}

# The page as a visitor gets it from the app's container.
page() {
  typed docker exec "$app.web.1" busybox wget -qO- localhost:5000
}

maintenance() { dokku maintenance:report "$app" --maintenance-enabled 2>/dev/null || true; }

# Notes every change of the app's maintenance mode, until it is killed or the demo is.
watch_maintenance() {
  local state last=''
  while kill -0 "$$" 2>/dev/null; do
    state=$(maintenance)
    [[ $state == "$last" ]] || echo "$state"
    last=$state
    sleep 0.05
  done
}
