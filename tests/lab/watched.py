"""A device with the watcher running as its unit, and what the watcher says of it."""
import json
import pathlib

from device import REPOSITORY, Device
from lab import wait_until

UNITS = REPOSITORY / "packaging/units"
STATUS = "/run/eflow-agent/status.json"
HISTORY = "/var/lib/eflow-agent/watch/history.jsonl"


def worst(report):
    """By id, the worst severity of a report."""
    order = ["skipped", "ok", "warning", "failed"]
    severities = {}
    for finding in (report or {}).get("findings", []):
        known = severities.get(finding["id"], "skipped")
        severities[finding["id"]] = max(known, finding["severity"], key=order.index)
    return severities


class Watched(Device):
    def install_watcher(self):
        """Before boot or after: the unit, its user, its folders."""
        unit = (UNITS / "eflow-agent.service.in").read_text().replace("@AGENT@", "/usr/bin/eflow-agent")
        self.push(unit.encode(), "/etc/systemd/system/eflow-agent.service")
        self.push(UNITS / "eflow-agent.sysusers.conf", "/etc/sysusers.d/eflow-agent.conf")

    def start_watcher(self):
        self.exec("systemd-sysusers", check=True)
        self.exec("systemctl", "daemon-reload", check=True)
        self.exec("systemctl", "start", "eflow-agent", check=True)

    def live_path(self, vm_path):
        """A path as it is inside, mounts of its own (/run) too."""
        return pathlib.Path(f"/proc/{self.leader}/root") / str(vm_path).lstrip("/")

    def seen(self):
        """The watcher's status file, or nothing."""
        try:
            return json.loads(self.live_path(STATUS).read_text())
        except FileNotFoundError:
            return None

    def severities(self):
        return worst(self.seen())

    def history(self, kind=None, what=None):
        entries = []
        for name in (HISTORY.replace(".jsonl", ".1.jsonl"), HISTORY):
            path = self.live_path(name)
            if path.exists():
                entries += [json.loads(line) for line in path.read_text().splitlines()]
        return [one for one in entries if (not kind or one["kind"] == kind) and (not what or one["what"] == what)]

    def wait_for(self, finding, severity):
        wait_until(lambda: self.severities().get(finding) == severity, f"the watcher to say {finding} is {severity}")

    def wait_for_phase(self, phase):
        wait_until(lambda: (self.seen() or {}).get("phase") == phase, f"the watcher to say {phase}")

    def wait_for_sources(self):
        def followed():
            watcher = ((self.seen() or {}).get("data") or {}).get("watcher") or {}
            return watcher.get("systemd") == "followed" and watcher.get("docker") == "followed"
        wait_until(followed, "the watcher to follow systemd and docker")

    def let_tpmd_idle(self):
        """aziot-tpmd.service as a program that does nothing, and may be started and stopped as often as one likes."""
        self.push(b"[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=\nExecStart=/bin/sleep infinity\n",
                  "/etc/systemd/system/aziot-tpmd.service.d/idle.conf")
        self.push(b"[Unit]\nStartLimitIntervalSec=0\n", "/etc/systemd/system/aziot-tpmd.socket.d/limit.conf")
        self.exec("systemctl", "daemon-reload", check=True)

    def pid_of(self, container):
        return self.docker("inspect", "--format", "{{.State.Pid}}", container).stdout.strip()

    def create_hub(self, *options, name="edgeHub", command=()):
        """As edgeAgent would: created, not started."""
        labels = ["--label", "net.azure-devices.edge.owner=Microsoft.Azure.Devices.Edge.Agent"]
        done = self.docker("create", "--name", name, "--network", "none", "--stop-timeout", "1", *labels, *options,
                           "mcr.microsoft.com/azureiotedge-hub:1.5", *command)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
