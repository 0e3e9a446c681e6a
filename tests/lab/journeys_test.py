#!/usr/bin/env python3
"""From a broken start to a device that is up, by the words of the product alone: each journey runs the commands that the
findings' remedies print, and nothing else. Where a remedy says to run eflow-agent provision again, that is the command
that once provisioned the device."""
import re
import sys
import unittest

from device import CERTIFICATES, CONFIG, SCOPE, SECRETS, Device
from lab import LabError, wait_until

UP = ("awaiting-deployment", "deploying", "running")
# What changes something; looking on (journalctl, timedatectl, systemctl show) is left to people.
CHANGES = re.compile(r"(?:systemctl (?:start|restart|unmask|reset-failed|enable|daemon-reload|reload)|chown|chmod|chgrp|gpasswd|"
                     r"usermod|mkdir|install|hostnamectl|iotedge (?:config apply|system \w+)|"
                     r"eflow-agent (?:provision|undo|post-install))\b[^;\n]*")
# Where prose goes on after a command in the same line.
PROSE = re.compile(r"(?:\. |, (?:then|and|which) | (?:again|shows?|brings?|writes?|finishes|sets|completes|does)\b|: |\.$).*")
# A warning that has the reason of a failure beside it.
TELLS_CAUSES = ("services.last-error",)
DESTROYS = re.compile(r"\b(?:rm|shred|wipefs|mkfs|dd|truncate) ")


def commands(finding):
    """The commands of a remedy, in their order."""
    remedy = finding["remedy"].replace("sudo ", "")
    return [PROSE.sub("", found.group(0)).strip() for found in CHANGES.finditer(remedy)]


class Journey(unittest.TestCase):
    variant = "writable"

    def setUp(self):
        self.device = Device(self.variant)
        self.addCleanup(self.device.down)
        self.device.up()
        self.identity = self.device.identity("leaf")
        self.arguments = ()

    def provision(self):
        code, report = self.device.provision(self.identity, *self.arguments)
        self.assertEqual((code, report.get("phase")), (0, "awaiting-deployment"), report)

    def sh(self, text):
        return self.device.exec("sh", "-c", text, timeout=120)

    def placed(self, directory, suffix):
        return f"{directory}/{self.device.placed(directory, suffix)[0]}"

    def key(self):
        return self.placed(SECRETS, ".key.pem")

    def certificate(self):
        return self.placed(CERTIFICATES, ".cert.pem")

    def restart(self):
        """A day passes: everything of IoT Edge starts anew."""
        self.sh("systemctl stop aziot-edged aziot-identityd aziot-keyd aziot-certd; iotedge system restart")

    def look(self):
        code, report = self.device.agent("check", "--offline")
        return code, report, [one for one in report["findings"] if one["severity"] == "failed"]

    def is_up(self):
        _, report, failed = self.look()
        return report["phase"] in UP and not failed and self.device.containers().get("edgeAgent") == "running"

    def run_command(self, command):
        if command.startswith("eflow-agent provision"):
            return self.device.provision(self.identity, *self.arguments)[1]
        done = self.sh(command)
        return done.stdout + done.stderr

    def told(self):
        """What check says, and the commands in it that people would run."""
        _, report, _ = self.look()
        told = [one for one in report["findings"] if one["severity"] == "failed" or one["id"] in TELLS_CAUSES]
        return report, told, [command for finding in told for command in commands(finding)]

    def follow(self, rounds=5):
        """Runs what the failed findings say until the device is up; the story of it is in the failure."""
        self.assertFalse(self.is_up(), "nothing is broken")
        story = []
        for _ in range(rounds):
            report, told, said = self.told()
            story.append((report["phase"], report["data"].get("because"),
                          [(one["id"], one["summary"], one["detail"][-300:], one["remedy"]) for one in told], said))
            for command in dict.fromkeys(said):
                self.assertIsNone(DESTROYS.search(command), f"a remedy destroys: {command}")
                story.append((command, str(self.run_command(command))[-200:]))
            try:
                # With nothing left to run it is a matter of time: what was just stopped may be a restart, and what ended
                # too often has to run for a while.
                if said:
                    wait_until(self.is_up, "the device to come up", patience=8)
                else:
                    wait_until(lambda: self.is_up() or self.told()[2], "the device to come up, or a remedy", patience=80)
            except LabError:
                if not said:
                    break
            if self.is_up():
                return
        self.fail("\n".join(map(str, story)))


class Permissions(Journey):
    def test_key_of_root(self):
        self.provision()
        self.sh(f"chown root:root {self.key()}; chmod 600 {self.key()}")
        self.restart()
        self.follow()

    def test_certificate_of_root(self):
        self.provision()
        self.sh(f"chown root:root {self.certificate()}; chmod 600 {self.certificate()}")
        self.restart()
        self.follow()

    def test_directory_of_the_key_closed(self):
        self.provision()
        self.sh(f"chown root:root {SECRETS}; chmod 700 {SECRETS}")
        self.restart()
        self.follow()

    def test_directory_of_everything_closed(self):
        self.provision()
        self.sh("chmod 700 /var/aziot")
        self.restart()
        self.follow()

    def test_key_for_everybody(self):
        self.provision()
        self.sh(f"chmod 755 {SECRETS}; chmod 644 {self.key()}")
        self.follow()

    def test_config_for_everybody(self):
        self.provision()
        self.sh(f"chmod 777 {CONFIG}")
        self.follow()


class Units(Journey):
    def test_edged_stopped(self):
        self.provision()
        self.sh("systemctl stop aziot-edged.service")
        self.follow()

    def test_edged_masked(self):
        self.provision()
        self.sh("systemctl stop aziot-edged.service; systemctl mask aziot-edged.service")
        self.follow()

    def test_identityd_masked(self):
        self.provision()
        self.sh("systemctl stop aziot-edged aziot-identityd; systemctl mask aziot-identityd.service; docker rm -f edgeAgent; "
                "systemctl start aziot-edged")
        self.follow()

    def test_docker_stopped(self):
        self.provision()
        self.sh("systemctl stop docker.service docker.socket")
        self.follow()

    def test_docker_masked(self):
        self.provision()
        self.sh("systemctl stop docker.service docker.socket; systemctl mask docker.service")
        self.follow()

    def test_socket_of_identityd_dead(self):
        self.provision()
        self.sh("systemctl stop aziot-edged aziot-identityd.socket aziot-identityd; docker rm -f edgeAgent; systemctl start aziot-edged")
        self.follow()

    def test_socket_of_keyd_dead(self):
        self.provision()
        self.sh("systemctl stop aziot-edged aziot-keyd.socket aziot-keyd aziot-identityd; systemctl start aziot-edged")
        self.follow()


class Settings(Journey):
    def test_edited_and_not_applied(self):
        self.provision()
        self.sh(f"sed -i '1i # edited' {CONFIG}; sed -i 's/^id_scope/cloud_dummy = 1\\nid_scope/' {CONFIG}; sed -i '/cloud_dummy/d' {CONFIG}; "
                f"echo '[iotedge_max_requests]\nmanagement = 40\nworkload = 10' >> {CONFIG}")
        self.sh("systemctl stop aziot-edged.service")
        self.follow()

    def test_daemon_json_that_does_not_load(self):
        """A person takes out what stands in the way; the rest is the remedy's."""
        self.provision()
        before = self.device.path("/etc/docker/daemon.json").read_bytes()
        self.device.push(b'{"log-driver": "json-file",}\n', "/etc/docker/daemon.json")
        self.sh("systemctl restart docker.service")
        wait_until(lambda: self.device.show("docker.service", "ActiveState") == "failed", "systemd to give docker up")
        self.device.push(before, "/etc/docker/daemon.json")
        self.follow()


class Identity(Journey):
    def test_scope_of_another_dps(self):
        self.provision()
        self.device.tell_cloud(scopes=["0ne00FFFFFF"])
        self.sh("systemctl stop aziot-edged aziot-identityd; rm -f /var/lib/aziot/identityd/device_info; docker rm -f edgeAgent; "
                "iotedge system restart")
        wait_until(lambda: "not found" in self.device.journal("aziot-identityd"), "DPS to refuse")
        self.assertIn("scope", str(self.look()[2]).lower())
        self.device.tell_cloud(scopes=[SCOPE])  # the other DPS was the wrong one
        wait_until(self.is_up, "the device to come up by itself")

    def test_enrollment_disabled_and_enabled(self):
        self.provision()
        group = dict(self.device.cloud["groups"][0])
        self.device.tell_cloud(groups=[{**group, "provisioningStatus": "disabled"}])
        self.sh("systemctl stop aziot-edged aziot-identityd; rm -f /var/lib/aziot/identityd/device_info; iotedge system restart")
        wait_until(lambda: "Expected one of" in self.device.journal("aziot-identityd"), "DPS to refuse")
        self.assertIn("Enable the enrollment", str(self.look()[2]))
        self.device.tell_cloud(groups=[group])
        wait_until(self.is_up, "the device to come up by itself")

    def test_key_file_gone(self):
        self.provision()
        self.sh(f"rm {self.key()}")
        self.restart()
        self.follow()

    def test_certificate_file_gone(self):
        self.provision()
        self.sh(f"rm {self.certificate()}")
        self.restart()
        self.follow()

    def test_provision_that_was_cut_off(self):
        device = self.device
        device.tell_cloud(faults=[{"on": "register", "kind": "slow", "times": 1, "delayMs": 20000}])
        running = device.start("eflow-agent", "provision", "--scope-id", SCOPE, "--registration-id", "device-1", "--cert",
                               self.identity[0], "--key", self.identity[1])
        wait_until(lambda: "Sending DPS registration" in device.journal("aziot-identityd"), "the request to DPS")
        self.sh("kill -KILL $(pidof eflow-agent)")
        running.communicate(timeout=60)
        device.tell_cloud(faults=[])
        self.sh("systemctl stop aziot-edged aziot-identityd")
        self.follow()


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
