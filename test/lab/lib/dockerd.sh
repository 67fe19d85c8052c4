#!/usr/bin/env bash
# A Docker engine that answers, started here only when none does.

docker_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

start_dockerd() {
  need_package docker docker.io iptables
  docker_answers && return 0
  need_package dockerd docker.io iptables
  need_package iptables iptables
  if [[ -d /run/systemd/system ]]; then
    say "starting docker through systemd"
    systemctl start docker
  else
    say "starting dockerd (log: $LAB_ROOT/log/dockerd.log)"
    # dockerd outlives this run, and would keep the locks of this run and of its callers.
    (
      close_inherited_descriptors
      exec setsid dockerd --exec-opt native.cgroupdriver=cgroupfs --group docker \
        >>"$LAB_ROOT/log/dockerd.log" 2>&1 </dev/null
    ) &
    echo $! >"$LAB_ROOT/dockerd.pid"
  fi
  local deadline=$((SECONDS + 60))
  until docker_answers; do
    if ((SECONDS >= deadline)); then
      tail -n 10 "$LAB_ROOT/log/dockerd.log" >&2 || true
      fail "dockerd does not answer after 60 s"
    fi
    sleep 0.2
  done
}
