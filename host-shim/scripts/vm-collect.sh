# The agent's support bundle, in a folder that the SSH user can read.
if find_agent; then
    say agent "$agent"
    mkdir -m 0700 "$stage"
    "$agent" support-bundle --output "$stage/support.tar.gz"
    say code $?
    [ -f "$stage/support.tar.gz" ] && chown -R "${SUDO_UID:-0}:${SUDO_GID:-0}" "$stage" && say bundle "$stage/support.tar.gz"
fi
say finished collect
