"""The inside of the EFLOW VM, as far as the shim goes: its commands run for real, by a real shell, in a mount namespace
whose /run, /home and /var/lib are the test's own. The agent in it is a stand-in that the test scripts."""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

SSH_USER = 1000

SUDO = """#!/bin/sh
export SUDO_UID=1000 SUDO_GID=1000 SUDO_USER=iotedge-user
exec "$@"
"""

# What the stand-in of the agent does; the ELF program that bears the agent's name hands over to it.
AGENT = """#!/bin/sh
# $0 is this script, $1 the path that the agent was called by
self=$1; shift
printf '%s\\n' "$(printf '%s|' "$self" "$@")" >>"$MODEL/calls"
verb=$1
case $verb in
    --version) cat "$MODEL/version"; exit 0 ;;
    install-self)
        if [ "$2" = --uninstall ]; then rm -f /var/lib/eflow-agent/bin/eflow-agent; verb=uninstall
        else mkdir -p /var/lib/eflow-agent/bin && cp "$self" /var/lib/eflow-agent/bin/eflow-agent; fi ;;
    post-install)
        cp "$3/device.toml" "$MODEL/device.toml"; cp "$3/identity.cert.pem" "$3/identity.key.pem" "$MODEL/"
        stat -c '%a %U %n' "$3" "$3"/* >"$MODEL/modes"
        [ "$4" = --dry-run ] && verb=judge ;;
    support-bundle) echo bundle >"$3" ;;
esac
[ -e "$MODEL/$verb.hang" ] && { touch "$MODEL/hanging"; sleep 3600; }
[ -e "$MODEL/$verb.json" ] && cat "$MODEL/$verb.json"
[ -e "$MODEL/$verb.code" ] && exit "$(cat "$MODEL/$verb.code")"
exit 0
"""


def report(verb, exit_code=0, phase="awaiting-deployment", findings=(), changes=(), data=None):
    """A report as the agent prints it."""
    return {"schema": 1, "program": "eflow-agent", "version": "0.1.0", "verb": verb, "ok": exit_code == 0,
            "exit_code": exit_code, "phase": phase, "findings": list(findings), "changes": list(changes),
            "data": data or {}}


class VirtualMachine:
    def __init__(self, agent_program):
        self.agent_program = pathlib.Path(agent_program)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="eflow-vm-"))
        for name in ("run", "home/iotedge-user", "lib", "model", "bin", "etc"):
            (self.folder / name).mkdir(parents=True)
        os.chown(self.folder / "home/iotedge-user", SSH_USER, SSH_USER)
        for path, text in ((self.folder / "bin/sudo", SUDO), (self.folder / "model/agent.sh", AGENT)):
            path.write_text(text)
            path.chmod(0o755)
        self.model = self.folder / "model"
        (self.model / "version").write_text("eflow-agent 0.1.0\n")
        self.answer("judge", report("post-install", phase="not-provisioned"))
        self.answer("post-install", report("post-install"))
        self.answer("install-self", report("install-self"))
        self.answer("status", report("status", exit_code=1, phase="not-provisioned"), exit_code=1)
        self.answer("check", report("check"))
        self.answer("deprovision", report("deprovision"))
        self.answer("uninstall", report("install-self"))

    def answer(self, verb, body, exit_code=None):
        """What the agent prints, and ends with, for a verb."""
        (self.model / f"{verb}.json").write_text(body if isinstance(body, str) else json.dumps(body))
        code = body.get("exit_code", 0) if exit_code is None and isinstance(body, dict) else exit_code or 0
        (self.model / f"{verb}.code").write_text(f"{code}\n")

    def install_agent(self, version="eflow-agent 0.1.0"):
        target = self.folder / "lib/eflow-agent/bin/eflow-agent"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.agent_program, target)
        (self.model / "version").write_text(version + "\n")

    def path(self, inside):
        """Where a path of the VM is on this machine."""
        for prefix, outside in (("/run/", "run"), ("/home/", "home"), ("/var/lib/", "lib"), ("/etc/", "etc")):
            if inside.startswith(prefix):
                return self.folder / outside / inside[len(prefix):]
        raise ValueError(f"the model of the VM has no {inside}")

    def run(self, command):
        """What Invoke-EflowVmCommand runs: (exit code, standard output, standard error)."""
        here = shlex.quote(str(self.folder))
        script = (f"mount --make-rprivate / && mount --bind {here}/run /run && mount --bind {here}/home /home && "
                  f"mount --bind {here}/lib /var/lib && cd / && exec sh -c \"$COMMAND\"")
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, env={"PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                              "COMMAND": command, "MODEL": str(self.model)})
        return done.returncode, done.stdout, done.stderr

    def calls(self):
        """How the agent was called, a list of its arguments each time, its own path first."""
        path = self.model / "calls"
        return [line.rstrip("|").split("|") for line in path.read_text().splitlines()] if path.exists() else []

    def staged(self):
        """What stands in staging folders."""
        return sorted(str(path.relative_to(self.folder)) for path in (self.folder / "run").rglob("*"))

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
