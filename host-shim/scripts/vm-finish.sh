# Puts the agent in, has it adopt what Provision-EflowVm wrote, and removes what was staged, whatever came of it.
code=0
find_agent
if [ -f "$stage/work/eflow-agent" ]; then
    "$stage/work/eflow-agent" install-self --json >"$stage/install.json"
    code=$?
    say install-code "$code"
    send install "$stage/install.json"
    find_agent
fi
shift
if [ "$code" -eq 0 ]; then
    "$agent" post-install --bundle "$stage/work/bundle" --json "$@" >"$stage/report.json"
    say code $?
    send report "$stage/report.json"
fi
wipe "$stage" && say removed "$stage"
say finished finish
