# Changes nothing: one of the agent's verbs that only look. $1 is that verb, and names no folder here.
if find_agent; then
    say agent "$agent"
    say begin report
    "$agent" "$1" --json | base64
    say end report
fi
say finished ask
