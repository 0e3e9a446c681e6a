# Makes the staging folder, in memory and for the SSH user alone, and tells what the VM has.
for old in /run/eflow-shim-*; do
    [ -e "$old" ] && wipe "$old" && say leftover "$old"
done
mkdir -m 0700 "$stage" && chown "${SUDO_UID:-0}:${SUDO_GID:-0}" "$stage" && say stage "$stage"
command -v tar >/dev/null && say tar yes
say arch "$(uname -m)"
# A copy of an earlier Provision-EflowVm that belongs to another user stops the next one.
for folder in /home/iotedge-user/certs /home/iotedge-user/private; do
    [ -d "$folder" ] && [ ! -L "$folder" ] && [ -n "${SUDO_UID:-}" ] && chown -RhP "$SUDO_UID:$SUDO_GID" "$folder"
done
if find_agent; then
    say agent "$agent"
    say agent-version "$("$agent" --version)"
    "$agent" status --json >"$stage/status.json"
    send status "$stage/status.json"
    rm -f "$stage/status.json"
fi
say finished prepare
