# What every command in the VM begins with. It runs as root from a pipe, with validated words as arguments: $1 names the
# staging folder. Nothing goes to standard error, which the host's module may take for a failure; answers are lines
# "eflow-shim KEY VALUE", and a file travels as base64 between "eflow-shim begin KEY" and "eflow-shim end KEY".
exec 2>/dev/null
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
stage=/run/eflow-shim-$1
say() { printf 'eflow-shim %s %s\n' "$1" "$2"; }
send() {
    say begin "$1"
    base64 <"$2"
    say end "$1"
}
# Overwritten before it goes: whoever finds the blocks later finds zeroes.
wipe_file() {
    size=$(stat -c %s "$1") && dd if=/dev/zero of="$1" bs=4096 count=$((size / 4096 + 1)) conv=notrunc
    rm -f "$1"
}
# A staging folder: the key first.
wipe() {
    find "$1" -type f -name '*.key.pem' | while IFS= read -r file; do wipe_file "$file"; done
    find "$1" -type f -name '*.tar' | while IFS= read -r file; do wipe_file "$file"; done
    rm -rf "$1"
    [ ! -e "$1" ]
}
find_agent() {
    for agent in /usr/bin/eflow-agent /var/lib/eflow-agent/bin/eflow-agent; do
        [ -x "$agent" ] && return 0
    done
    agent=
    return 1
}
