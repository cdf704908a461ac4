#!/bin/bash
# Lets open requests finish before Envoy ends, because Envoy itself ends at once on SIGTERM.
#
#   drain.sh COMMAND…   runs Envoy; on SIGTERM or SIGINT, drains it and then ends it; a second signal ends it at once
#   drain.sh            drains the Envoy of this container and returns: a preStop hook for Kubernetes
#
# It needs Envoy's admin interface on 127.0.0.1, and no other program than bash. Variables, with their defaults:
#
#   DRAIN_SECONDS=60            how long open requests may take
#   SHUTDOWN_DELAY_SECONDS=0    how long new connections are still accepted although readiness is false
#   ADMIN_PORT=9901             the port of the admin interface
set -u

# The response of the admin interface to METHOD PATH.
admin() {
  { exec 3<>"/dev/tcp/127.0.0.1/${ADMIN_PORT:-9901}"; } 2>/dev/null || return 1
  printf '%s %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' "$1" "$2" >&3
  local line
  while IFS= read -r line || [[ $line ]]; do printf '%s\n' "$line"; done <&3
  exec 3>&-
}

# Waits for SECONDS: nothing is ever written to this pipe.
pause() {
  read -rt "$1" <> <(:) || :
}

# How many requests are open, plus the bytes that clients have not read yet.
still_open() {
  local line sum=0
  while read -r line; do
    [[ $line =~ downstream_[a-z_]+:\ ([0-9]+) ]] && sum=$((sum + BASH_REMATCH[1]))
  done < <(admin GET '/stats?filter=^http\.gateway\.downstream_(rq_active|cx_tx_bytes_buffered)$')
  echo "$sum"
}

drain() {
  admin POST /healthcheck/fail >/dev/null || return
  pause "${SHUTDOWN_DELAY_SECONDS:-0}"
  admin POST /drain_listeners >/dev/null
  local until=$((SECONDS + ${DRAIN_SECONDS:-60})) left
  while left=$(still_open) && ((left > 0)); do
    if ((SECONDS >= until)); then
      echo "drain.sh: requests are cut after ${DRAIN_SECONDS:-60} s" >&2
      break
    fi
    pause 0.2
  done
}

if (($# == 0)); then
  drain
  exit
fi

# shellcheck disable=SC2329 # a trap calls it
stop() {
  trap 'kill "$envoy"' TERM INT
  drain &
  wait $!
  kill "$envoy" 2>/dev/null
}

trap stop TERM INT
"$@" &
envoy=$!
# A trapped signal interrupts `wait`, which then has to be called again.
while wait "$envoy"; code=$?; kill -0 "$envoy" 2>/dev/null; do :; done
exit "$code"
