#!/usr/bin/env bash
# plugin:* as `dokku` answers it, always as root.

cmd-plugin-install() {
  local source=$1 name='' committish=''
  [[ -n $source ]] || {
    run_install
    return
  }
  shift
  # Positional words after a URL are ignored, as on a host; a path of the lab's own needs a name.
  [[ $source != /* || -z $1 || $1 == --* ]] || { name=$1 && shift; }
  while (($# > 0)); do
    case "$1" in
      --name) name=$2 && shift ;;
      --committish) committish=$2 && shift ;;
    esac
    shift
  done
  if [[ -z $name ]]; then
    name=${source##*/} name=${name%.git} name=${name#dokku-}
  fi
  local target=$PLUGIN_AVAILABLE_PATH/$name
  [[ ! -e $target ]] || dokku_log_fail "Plugin ($name) is already installed"
  case "$source" in
    https:* | git* | ssh:* | file:*)
      dokku_log_info1_quiet "Cloning plugin repo $source to $target"
      git clone -q "$source" "$target"
      [[ -z $committish ]] || git -C "$target" checkout -q "$committish"
      ;;
    /*)
      dokku_log_info1_quiet "Copying plugin $source to $target"
      copy_checkout "$source" "$target"
      ;;
    *) dokku_log_fail "Please retry with valid arguments" ;;
  esac
  property_set plugin "$name" origin "$source"
  ln -sfn "$target" "$PLUGIN_ENABLED_PATH/$name"
  dokku_log_info1_quiet "Plugin $name enabled"
  run_install
}

# As root, for every plugin, however often: install must be idempotent.
run_install() {
  plugn trigger install
  set_permissions
  dokku_log_info1_quiet "Priming bash-completion cache"
}

set_permissions() {
  chown -hR dokku:dokku "$PLUGIN_CORE_AVAILABLE_PATH" "$PLUGIN_AVAILABLE_PATH" "$PLUGIN_CORE_ENABLED_PATH" "$PLUGIN_ENABLED_PATH"
}

# What a clone of the checkout's next commit would hold: tracked and new files, none ignored.
copy_checkout() {
  local source=$1 target=$2
  rm -rf "$target" && mkdir -p "$target"
  git -c safe.directory='*' -C "$source" ls-files -co --exclude-standard -z |
    (cd "$source" && while IFS= read -r -d '' file; do [[ ! -e $file && ! -L $file ]] || printf '%s\0' "$file"; done) |
    tar -C "$source" --null --no-recursion -T - -cf - | tar -C "$target" --no-same-owner -xf -
}

cmd-plugin-uninstall() {
  local name=$1
  [[ -n $name ]] || dokku_log_fail "Please specify a plugin to uninstall"
  [[ ! -e $PLUGIN_CORE_AVAILABLE_PATH/$name ]] || dokku_log_fail "Cannot uninstall a core plugin"
  [[ -e $PLUGIN_AVAILABLE_PATH/$name ]] || dokku_log_fail "Plugin ($name) is not currently installed"
  plugn trigger uninstall "$name"
  rm -rf "${PLUGIN_ENABLED_PATH:?}/$name" "${PLUGIN_AVAILABLE_PATH:?}/$name" "$DOKKU_LIB_ROOT/config/plugin/$name"
  dokku_log_info1_quiet "Plugin $name uninstalled"
}

# usage: plugin:update [name [committish]]
cmd-plugin-update() {
  local name=$1 target=$PLUGIN_AVAILABLE_PATH/$1 origin
  if [[ -n $name ]]; then
    [[ -L $PLUGIN_ENABLED_PATH/$name ]] || dokku_log_fail "Specified plugin not enabled or installed"
    [[ ! -e $PLUGIN_CORE_AVAILABLE_PATH/$name ]] ||
      dokku_log_fail "Cannot trigger plugin:update against core plugin, please update Dokku instead"
    origin=$(property_get plugin "$name" origin)
    if [[ $origin == /* ]]; then
      copy_checkout "$origin" "$PLUGIN_PATH/.$name.new"
      rm -rf "$target"
      mv "$PLUGIN_PATH/.$name.new" "$target"
    else
      # The files are dokku's by now, and git trusts only its own user's.
      git -c safe.directory='*' -C "$target" pull -q --ff-only
      [[ -z $2 ]] || git -c safe.directory='*' -C "$target" checkout -q "$2"
    fi
  fi
  plugn trigger update
  set_permissions
  dokku_log_info1_quiet "Priming bash-completion cache"
}

cmd-plugin-enable() {
  [[ ! -e $PLUGIN_ENABLED_PATH/$1 ]] || dokku_log_fail "Plugin already enabled"
  [[ -e $PLUGIN_AVAILABLE_PATH/$1 ]] || dokku_log_fail "Plugin does not exist"
  ln -sfn "$PLUGIN_AVAILABLE_PATH/$1" "$PLUGIN_ENABLED_PATH/$1"
  dokku_log_info1_quiet "Plugin $1 enabled"
}

cmd-plugin-disable() {
  [[ ! -e $PLUGIN_CORE_AVAILABLE_PATH/$1 ]] || dokku_log_fail "Cannot disable a core plugin"
  [[ -e $PLUGIN_ENABLED_PATH/$1 ]] || dokku_log_fail "Plugin already disabled"
  rm "$PLUGIN_ENABLED_PATH/$1"
  dokku_log_info1_quiet "Plugin $1 disabled"
}

cmd-plugin-installed() { [[ -n $1 && -e $PLUGIN_AVAILABLE_PATH/$1 ]]; }

# usage: toml_value <plugin> <key>
toml_value() { sed -n "s/^$2 *= *\"\(.*\)\"/\1/p" "$PLUGIN_AVAILABLE_PATH/$1/plugin.toml"; }

cmd-plugin-list() {
  local root name state
  for root in "$PLUGIN_AVAILABLE_PATH"/*/; do
    name=${root%/} name=${name##*/} state=disabled
    [[ ! -e $PLUGIN_ENABLED_PATH/$name ]] || state=enabled
    printf '  %-20s %s %s    %s\n' "$name" "$(toml_value "$name" version)" "$state" "$(toml_value "$name" description)"
  done
}

cmd-plugin-trigger() { sudo -u dokku -E -H "${DOKKU_LIB_ROOT%/lib}/bin/plugn" trigger "$@"; }
