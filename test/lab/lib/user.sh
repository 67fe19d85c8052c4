#!/usr/bin/env bash
# User dokku as a real host has it: a system user that may talk to Docker.

ensure_user() {
  if ! id -u dokku >/dev/null 2>&1; then
    say "making system user dokku"
    useradd --system --create-home --home-dir /home/dokku --shell /bin/bash --user-group dokku
  fi
  getent group docker >/dev/null || groupadd --system docker
  [[ " $(id -nG dokku) " == *" docker "* ]] || usermod -aG docker dokku
  # A daemon that was started before the group existed left its socket to root alone.
  [[ $(stat -c %G /var/run/docker.sock) != root ]] || chgrp docker /var/run/docker.sock
}
