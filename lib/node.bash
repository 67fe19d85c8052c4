#!/usr/bin/env bash
# Which Node may run the program. Every command pays for this file: builtins only, no forks.

# Takes what `node --version` prints. 22.15 and 23.8 are the first whose zlib speaks zstd.
node_version_suits() {
  [[ ${1-} =~ ^v([1-9][0-9]{0,4})\.([0-9]{1,4})\. ]] || return 1
  local major=${BASH_REMATCH[1]} minor=$((10#${BASH_REMATCH[2]}))
  ((major >= 24 || (major == 23 && minor >= 8) || (major == 22 && minor >= 15)))
}

# Sets REPLY to the version of the private copy in directory $1; fails where there is none.
# install wrote VERSION after that binary had answered with it, so it need not be run to be known.
private_node_version() {
  REPLY=
  [[ -x $1/bin/node && -r $1/VERSION ]] && read -r REPLY <"$1/VERSION"
}
