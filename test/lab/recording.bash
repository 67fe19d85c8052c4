#!/usr/bin/env bash
# Reading the recording of a real host, and making its answers comparable with ours.

RECORDING=$BATS_TEST_DIRNAME/../fixtures/dokku/dokku-0.38.27.txt

# The recording's names and ours, of equal length so that padded columns stay comparable. Names
# of our own, since containers are named after them and the engine may serve another lab too.
NAMES=(
  shop=shoq lonely=lonelz regress=regresz big=biq big2=biq2 rec=rez
  web=wez blank=blanq blank2=blanq2 legacy=legacz
)

# usage: recorded_commands: one a line, in their order.
recorded_commands() { sed -n 's/^\$ //p' "$RECORDING"; }

# usage: recorded <number> <exit|out|err>: that part of the number-th command's record.
recorded() {
  awk -v number="$1" -v part="$2" '
    /^\$ / { n++; next }
    n != number { next }
    part == "exit" && /^\[exit / { gsub(/[^0-9]/, ""); print }
    part != "exit" && index($0, part "| ") == 1 { print substr($0, 6) }
  ' "$RECORDING"
}

# usage: to_ours < command / to_theirs < answer
to_ours() {
  local name script=''
  for name in "${NAMES[@]}"; do script+="s/\\b${name%=*}\\b/${name#*=}/g;"; done
  sed -E "$script"
}

to_theirs() {
  local name script="s#$PGBACKUP_LAB_ROOT/lib#/var/lib/dokku#g;s#$PGBACKUP_LAB_ROOT/home#/home/dokku#g;"
  for name in "${NAMES[@]}"; do script+="s/\\b${name#*=}\\b/${name%=*}/g;"; done
  sed -E "$script"
}

# usage: normalise < answer: what differs from host to host, day to day and engine to engine.
normalise() {
  sed -E \
    -e 's/[0-9a-f]{64}/<id>/g' \
    -e 's/\(CID: [0-9a-f]{11}\)/(CID: <cid>)/' \
    -e 's#(postgres://postgres:)[0-9a-f]{32}@#\1<password>@#' \
    -e 's/\b172\.[0-9.]+ */<ip>/' \
    -e 's#\b(pgbackup-lab/)?postgres:1[0-9](\.[0-9]+)?( +|$)#<image>#' \
    -e 's#^[0-9/]{10} [0-9:]{8} \[notice\] [0-9]+\#[0-9]+: #<nginx> #' \
    -e 's/(Random port) [0-9]+/\1 <port>/' \
    -e 's/daemon: [Cc]ontainer/daemon: container/'
}
