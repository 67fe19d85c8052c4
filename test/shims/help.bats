#!/usr/bin/env bats
# `commands`, which Dokku runs for every plugin on help and on each unknown command.

load helpers

setup() {
  make_host
  # Nothing else can be run: what succeeds here has started no Node and no other program.
  only_tools bash env
}

commands() {
  run_apart env PATH="$tools" "$plugin/commands" "$@"
}

@test "another plugin's command is left at once with Dokku's own exit code, in silence" {
  local command
  for command in apps:list postgres:help pgbackup:nope pgbackup:run pgbackup: 'help pgbackup' ''; do
    commands "$command"
    assert_equal "$status" 10
    assert_equal "$output$stderr" ''
  done
  DOKKU_NOT_IMPLEMENTED_EXIT=17 commands apps:list
  assert_equal "$status" 17
}

@test "it reads no file before it has left" {
  # Loading lib/ or help.txt would fail here.
  rm -rf "${plugin:?}"/{lib,dist,plugin.toml}
  commands apps:list
  assert_equal "$status" 10
  assert_equal "$output$stderr" ''
}

@test "dokku help shows one line, with no comma but the one that parts the columns" {
  commands help
  assert_success
  assert_equal "$stderr" ''
  assert_equal "${#lines[@]}" 1
  assert_line --regexp '^    pgbackup, [^,]+$'
}

@test "dokku help --all shows every command, for Dokku's bash completion" {
  # Dokku tells its plugins only by its own command line.
  run env PATH="$tools" bash -c '"$1" help; exit $?' dokku "$plugin/commands" --all
  assert_success
  assert_output "$(<"$plugin/dist/help.txt")"
}

@test "pgbackup:help lists the commands as Dokku's plugins do" {
  commands pgbackup:help
  assert_success
  assert_equal "$stderr" ''
  assert_line --index 0 'Usage: dokku pgbackup[:COMMAND]'
  assert_line 'Additional commands:'
  run bash -c 'sed "1,/Additional commands:/d" <<<"$1"' - "$output"
  assert_output "$(column -c2 -t -s, "$plugin/dist/help.txt")"
}

@test "a comma in a summary stays where it is" {
  printf '    pgbackup:undo <target>, Swap back, if it was kept\n' >"$plugin/dist/help.txt"
  commands pgbackup:help
  assert_line '    pgbackup:undo <target>   Swap back, if it was kept'
}

@test "pgbackup:help <verb> prints that command's page, named with or without its prefix" {
  local verb
  for verb in run pgbackup:run; do
    commands pgbackup:help "$verb" --quiet
    assert_success
    assert_output 'Usage: dokku pgbackup:run <target>'
  done
}

@test "pgbackup:help <unknown> says which there are and exits 2" {
  local verb
  for verb in nope ../help '*' 'run/../run'; do
    commands pgbackup:help "$verb"
    assert_failure 2
    assert_output ''
    assert_equal "$stderr" " !     pgbackup has no command $verb.
 !     There are: list run"
  done
}

@test "a plugin without its built help says so" {
  rm -r "$plugin/dist"
  commands pgbackup:help
  assert_failure 1
  [[ $stderr == ' !     The plugin is incomplete (no dist/help.txt)'* ]] || fail "$stderr"
}
