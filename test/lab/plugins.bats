#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # literal $ and ` in arguments; bats sets stderr
# Installing plugins, their triggers, and the crontab they share, as the stand-in does it.

bats_require_minimum_version 1.13.0
DEFAULT_ROOT=${PGBACKUP_LAB_ROOT:-/var/lib/pgbackup-lab}
DEFAULT_ROOT=${DEFAULT_ROOT%-plugins}
export PGBACKUP_LAB_ROOT=$DEFAULT_ROOT-plugins
source "$BATS_TEST_DIRNAME/probe.bash"

setup_file() { start_probe_lab; }
teardown_file() { stop_probe_lab; }
setup() { load_assertions; }

@test 'plugin commands are for root alone' {
  run -1 as_dokku "$PGBACKUP_LAB_ROOT/bin/dokku" plugin:install "$PROBE" other
  assert_output ' !     This command must be run as root'
}

@test 'plugin:install runs the install trigger as root and gives the files to dokku' {
  run -0 cat "$BATS_FILE_TMPDIR/install.log"
  assert_line 'installed by root'
  local target=$PGBACKUP_LAB_ROOT/lib/plugins/available/probe
  assert_equal "$(stat -c %U "$target/install")" dokku
  assert [ -x "$target/subcommands/args" ]
  assert [ ! -e "$target/ignored" ]
}

@test 'plugin:install clones a repository, plugin:update follows it, plugin:uninstall removes it' {
  local repository=$BATS_TEST_TMPDIR/dokku-other
  cp -a "$PROBE" "$repository"
  git -C "$repository" add -A
  git -C "$repository" -c user.name=t -c user.email=t@example.com commit -qm one
  run -0 dokku plugin:install "file://$repository"
  run -0 dokku other:args
  assert_output '[other:args]'
  printf '#!/bin/sh\necho two\n' >"$repository/subcommands/args"
  git -C "$repository" -c user.name=t -c user.email=t@example.com commit -qam two
  run -0 dokku plugin:update other
  assert_line updated
  run -0 dokku other:args
  assert_output two
  run -0 dokku plugin:uninstall other
  run -1 dokku plugin:installed other
}

@test "a disabled plugin's commands do not exist" {
  run -0 dokku plugin:disable maintenance
  run -1 dokku maintenance:report
  assert_line ' !     `maintenance:report` is not a dokku command.'
  run -0 dokku plugin:enable maintenance
}

@test 'plugn trigger runs the hook of every plugin that has it' {
  run -0 plugn trigger say-hello 'a b' c
  assert_output $'hello a b\nhello c'
  run -0 plugn trigger nobody-answers
  assert_output ''
}

@test 'user-auth-app decides which apps exist for a caller' {
  run -0 dokku apps:create hidden-app
  local hook=$PGBACKUP_LAB_ROOT/lib/plugins/available/probe/user-auth-app
  printf '#!/bin/sh\nexit 0\n' >"$hook"
  chmod 755 "$hook"
  run -20 dokku apps:exists hidden-app
  rm "$hook"
  run -0 dokku apps:exists hidden-app
  run -0 dokku --force apps:destroy hidden-app
}

@test 'a crontab line has the command and its log, and cron:list shows it' {
  local hook=$PGBACKUP_LAB_ROOT/lib/plugins/available/probe/cron-entries file=$PGBACKUP_LAB_ROOT/lib/crontab
  printf '#!/bin/sh\necho "*/5 * * * *;dokku probe:args;/var/log/dokku/probe.log"\n' >"$hook"
  chmod 755 "$hook"
  run -0 plugn trigger scheduler-cron-write
  assert_output -- '-----> Updated schedule file'
  run -0 cat "$file"
  assert_output $'PATH=/usr/local/bin:/usr/bin:/bin\nSHELL=/bin/bash\n\n*/5 * * * * dokku probe:args &>> /var/log/dokku/probe.log'
  run -0 dokku cron:list --global --format json
  assert_output --partial '"command":"dokku probe:args","global":true,"schedule":"*/5 * * * *"'
}

@test 'one bad line leaves the crontab as it was, one blank line empties it' {
  local hook=$PGBACKUP_LAB_ROOT/lib/plugins/available/probe/cron-entries file=$PGBACKUP_LAB_ROOT/lib/crontab
  run -0 plugn trigger scheduler-cron-write
  printf '#!/bin/sh\necho "@daily;dokku probe:args"; echo "61 * * * *;dokku probe:args"\n' >"$hook"
  run -1 plugn trigger scheduler-cron-write
  run -0 grep -c '^\*/5 ' "$file"
  printf '#!/bin/sh\necho "@daily;dokku probe:args"; echo; echo "@daily;dokku probe:args"\n' >"$hook"
  run -0 plugn trigger scheduler-cron-write
  assert [ ! -e "$file" ]
  rm "$hook"
}
