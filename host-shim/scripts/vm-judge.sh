# Unpacks what was copied and has the agent judge it, before anything of the device is touched.
mkdir -m 0700 "$stage/work" && tar -x -f "$stage/bundle.tar" -C "$stage/work" --no-same-owner && say unpacked yes
wipe_file "$stage/bundle.tar"
find_agent
[ -f "$stage/work/eflow-agent" ] && agent=$stage/work/eflow-agent && chmod 0700 "$agent"
shift
"$agent" post-install --bundle "$stage/work/bundle" --dry-run --json "$@" >"$stage/report.json"
say code $?
send report "$stage/report.json"
say finished judge
