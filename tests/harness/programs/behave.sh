#!/bin/sh
# A container that behaves as its first argument says:
#   exit CODE [SECONDS]       ends with that code, after so many seconds
#   log LINES [SECONDS]       writes "line 1" … to stdout and "problem 1" … to stderr, a pause after each; then stays
#   burst BYTES               writes that many bytes of log at once, then stays
#   graceful [SECONDS]        on SIGTERM says "stopping", takes so long, ends with 0
#   deaf                      says "heard TERM" on SIGTERM and stays
#   memory MIB                takes so much memory, says "took", stays
#   fork COUNT                starts so many children, says "forked" each ten, stays
#   spin                      uses all the CPU it gets
#   serve [PORT]              an HTTP server whose / is its hostname
#   stay                      stays, ends at once on SIGTERM
what=${1:-stay}; [ $# -eq 0 ] || shift
stay() { trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done; }
case $what in
exit) sleep "${2:-0}"; exit "${1:-0}" ;;
log)
  n=1
  while [ "$n" -le "$1" ]; do echo "line $n"; echo "problem $n" >&2; n=$((n + 1)); sleep "${2:-0}"; done
  stay ;;
burst) head -c "$1" /dev/zero | tr '\0' x | fold -w 99; echo end; stay ;;
graceful)
  trap 'echo stopping; sleep '"${1:-0}"'; exit 0' TERM
  echo ready; while :; do sleep 3600 & wait $!; done ;;
deaf) trap 'echo heard TERM' TERM; echo ready; while :; do sleep 3600 & wait $!; done ;;
memory) block=$(head -c "${1}m" /dev/zero | tr '\0' x); echo took ${#block}; stay ;;
fork)
  n=0
  while [ "$n" -lt "$1" ]; do sleep 3600 & n=$((n + 1)); [ $((n % 10)) -ne 0 ] || echo "forked $n"; done
  stay ;;
spin) while :; do :; done ;;
serve)
  mkdir -p /dev/shm/www && hostname > /dev/shm/www/index.html
  trap 'kill $!; exit 0' TERM INT
  httpd -f -p "${1:-8080}" -h /dev/shm/www & wait $! ;;
stay) stay ;;
*) echo "behave: no such behaviour: $what" >&2; exit 64 ;;
esac
