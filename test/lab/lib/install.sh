#!/usr/bin/env bash
# Puts the stand-in under the lab root, where user dokku can read it: a checkout often cannot be.

install_standin() {
  local lib=$LAB_ROOT/lib stamp=$LAB_ROOT/standin.hash hash directory
  hash=$(content_hash "$LAB_SOURCE/standin")
  [[ $(cat "$stamp" 2>/dev/null) == "$hash" && -d $lib/plugins/enabled ]] && return 0
  say "installing the Dokku stand-in under $LAB_ROOT"
  rm -f "$stamp"
  for directory in home lib/config lib/data lib/services/postgres lib/plugins/available \
    lib/plugins/enabled lib/core-plugins/available lib/core-plugins/enabled log/dokku; do
    mkdir -p "$LAB_ROOT/$directory"
  done
  # bash reads a script as it runs it: a new file is moved into place, none is overwritten.
  rm -rf "$LAB_ROOT/bin.new" && cp -a "$LAB_SOURCE/standin/bin" "$LAB_ROOT/bin.new"
  mkdir -p "$LAB_ROOT/bin" && mv -f "$LAB_ROOT/bin.new/"* "$LAB_ROOT/bin/" && rmdir "$LAB_ROOT/bin.new"
  install_plugins core-plugins
  install_plugins plugins
  echo 0.38.27 >"$lib/STABLE_VERSION"
  chown -R dokku:dokku "$lib/plugins" "$lib/core-plugins" "$LAB_ROOT/log/dokku"
  chown dokku:dokku "$LAB_ROOT/home" "$lib" "$lib"/{config,data,services,services/postgres}
  chmod 755 "$LAB_ROOT" "$LAB_ROOT"/{bin,home,lib,log}
  echo "$hash" >"$stamp"
}

# usage: install_plugins <core-plugins|plugins>
# As on a host: `available` holds them, `enabled` the links, and all of them are in plugins/enabled.
install_plugins() {
  local kind=$1 source name available=$LAB_ROOT/lib/$1/available
  for source in "$LAB_SOURCE/standin/$kind"/*/; do
    name=$(basename "$source")
    rm -rf "$available/.$name.new" && cp -a "$source" "$available/.$name.new"
    [[ $name == common ]] || ln -s "$LAB_ROOT/lib/core-plugins/available/common/help-line" "$available/.$name.new/commands"
    rm -rf "${available:?}/$name" && mv "$available/.$name.new" "$available/$name"
    ln -sfn "$available/$name" "$LAB_ROOT/lib/$kind/enabled/$name"
    ln -sfn "$available/$name" "$LAB_ROOT/lib/plugins/enabled/$name"
    [[ $kind == plugins ]] || ln -sfn "$available/$name" "$LAB_ROOT/lib/plugins/available/$name"
  done
}
