#!/usr/bin/env python3
"""A support bundle of a booted machine: everything is in it, no secret is, and nothing that hangs holds it up."""
import json
import os
import re
import sys
import tarfile
import unittest

from device import CONFIG
from lab import wait_until
from watched import Watched

TALK = ("HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey=PLANTEDkey=", "Authorization: Bearer PLANTED-bearer",
        "GET /?sr=h&sig=PLANTED-signature&se=1", "amqps://user:PLANTED-user@h.azure-devices.net", "word PLANTED-variable-of-a-module",
        "-----BEGIN PRIVATE KEY-----", "PLANTEDaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0", "PLANTEDend==",
        "-----END PRIVATE KEY-----", "a line that stays")


class Bundle(unittest.TestCase):
    def setUp(self):
        self.device = Watched("writable", 192)
        self.addCleanup(self.device.down)
        self.device.install_watcher()
        talk = "".join(f"ExecStartPre=/bin/echo '{line}'\n" for line in TALK)
        self.device.push(f"[Service]\nEnvironment=LAB_KEY=PLANTED-variable-of-a-unit\n{talk}".encode(),
                         "/etc/systemd/system/aziot-tpmd.service.d/talk.conf")
        self.device.up()
        self.device.start_watcher()
        self.device.wait_for_sources()

    def bundle(self, name, *prefix):
        path = f"/var/tmp/{name}.tar.gz"
        done = self.device.exec(*prefix, "eflow-agent", "--json", "support-bundle", "--output", path)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, report)
        with tarfile.open(self.device.path(path), "r:gz") as archive:
            entries = {member.name.partition("/")[2]: archive.extractfile(member).read().decode() for member in archive}
        return entries, {one["what"]: one["why"] for one in report["data"]["missing"]}

    def test_everything_is_in_it_and_no_secret(self):
        device = self.device
        code, report = device.provision(device.identity("leaf"))
        self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)
        device.wait_for_phase("awaiting-deployment")
        device.exec("systemctl", "start", "aziot-tpmd.service")
        device.create_hub("--env", "DB_KEY=PLANTED-variable-of-a-module", "--env", "RuntimeLogLevel=debug",
                          "--label", 'net.azure-devices.edge.create-options={"Env":["A=PLANTED-in-a-label"]}', name="leaky",
                          command=("/bin/sh", "-c", "; ".join(f"echo '{line}'" for line in TALK) + "; exec sleep 1000"))
        self.assertEqual(device.docker("start", "leaky").returncode, 0)
        wait_until(lambda: "a line that stays" in device.docker("logs", "leaky").stdout, "the module to have said it all")
        wait_until(lambda: "a line that stays" in device.journal("aziot-tpmd"), "tpmd to have said it all")
        with device.path(CONFIG).open("a") as config:
            config.write('[agent]\nname = "edgeAgent"\ntype = "docker"\n[agent.config]\nimage = "a:1"\n[agent.config.auth]\n'
                         'password = "PLANTED-registry"\n[agent.env]\nX = "PLANTED-variable"\n')

        entries, missing = self.bundle("whole")
        for name, text in entries.items():
            self.assertNotIn("PLANTED", text, name)
            self.assertNotRegex(text, r"-----BEGIN [A-Z ]*PRIVATE KEY|SharedAccessKey=(?!\*\*\*)|\bsig=(?!\*\*\*)", name)
        self.assertFalse(set(missing) & {"units", "modules", "units/properties.txt", CONFIG}, missing)
        self.assertIn("a line that stays", entries["journals/aziot-tpmd.txt"])
        self.assertIn("a line that stays", entries["modules/leaky/log.txt"])
        self.assertIn("Deployment config in edge agent's desired properties is empty", entries["modules/edgeAgent/log.txt"])
        inspection = json.loads(entries["modules/leaky/inspect.json"])
        self.assertLessEqual({"DB_KEY=***", "RuntimeLogLevel=debug"}, set(inspection["Config"]["Env"]))
        self.assertEqual(inspection["Config"]["Labels"]["net.azure-devices.edge.create-options"], "***")
        properties = entries["units/properties.txt"]
        self.assertIn("Id=aziot-edged.service", properties)
        self.assertRegex(properties, r"Environment=.*LAB_KEY=\*\*\*")
        for unit in ("aziot-edged", "aziot-identityd", "aziot-keyd", "aziot-certd", "docker"):
            self.assertTrue(entries[f"journals/{unit}.txt"].strip(), unit)
        self.assertEqual(json.loads(entries["reports/status.json"])["data"]["hub"]["device_id"], "device-1")
        changes = [json.loads(line) for line in entries["watcher/history.jsonl"].splitlines()]
        self.assertIn("awaiting-deployment", [one["to"] for one in changes if one["kind"] == "phase"])
        self.assertRegex(entries["files.txt"], r"-r--r----- root +aziotks .*/var/aziot/secrets/device-id-\w{8}\.key\.pem")
        page = entries["report.html"]
        for told in ("leaky", "aziot-edged.service", "Test Intermediate", "device-1", "<svg"):
            self.assertIn(told, page)
        self.assertFalse(re.search(r"<script|\bsrc=|\bhref=", page))

    def test_a_container_engine_that_hangs_is_said_to(self):
        device = self.device
        device.exec("systemctl", "kill", "--kill-who=main", "--signal=STOP", "docker.service", check=True)
        try:
            entries, missing = self.bundle("hanging")
        finally:
            device.exec("systemctl", "kill", "--kill-who=main", "--signal=CONT", "docker.service", check=True)
        self.assertIn("did not answer in time", missing["modules"])
        self.assertIn("Not seen:", entries["report.html"])
        self.assertIn("journals/docker.txt", entries)

    def test_without_root_it_says_what_is_missing(self):
        code, report = self.device.provision(self.device.identity("leaf"))
        self.assertEqual(code, 0, report)
        entries, missing = self.bundle("unprivileged", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        self.assertIn("sudo", missing["what only root may see"])
        for what in (CONFIG, "modules", "/etc/aziot/keyd/config.d/00-super.toml", "journals/aziot-edged.txt"):
            self.assertIn(what, missing)
        self.assertIn("watcher/status.json", entries)
        self.assertIn("units/properties.txt", entries)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the lab needs root")
    unittest.main(verbosity=2)
