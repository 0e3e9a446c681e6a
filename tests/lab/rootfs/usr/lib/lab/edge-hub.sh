# edgeHub: starts, says so, waits; ends with the code in /exit when something writes one there.
say() { echo "<$1> $(date -u +%Y-%m-%d\ %H:%M:%S.000) +00:00 [$2] - $3"; }
trap 'say 6 INF "Termination requested, initiating shutdown."; exit 0' TERM
say 6 INF "Starting Edge Hub"
say 6 INF "Scheduling server certificate renewal."
say 6 INF "Started HTTP head."
while :; do
    [ -e /exit ] && exit "$(cat /exit)"
    sleep 0.1 & wait $!
done
