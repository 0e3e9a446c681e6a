#!/usr/bin/env python3
"""`eflow-agent post-install` on a booted machine, after everything that Provision-EflowVm can leave behind."""
import sys
import unittest

from device import CERTIFICATES, CONFIG, SECRETS, snapshot
from eflow_device import BUNDLE, HOME, TEMPLATE, EflowDevice
from lab import wait_until


def text_of(report):
    return str(report["data"]) + "\n".join(f"{one['summary']} {one['detail']}" for one in report["findings"])


class Adoption(unittest.TestCase):
    variant = "writable"

    def setUp(self):
        self.device = EflowDevice(self.variant)
        self.addCleanup(self.device.down)
        self.device.up()
        self.device.pki.leaf("leaf", "device-1")

    def assert_adopted(self, result, gone=()):
        """Healthy, in the contract's places, and the copies are gone."""
        device = self.device
        code, report = result
        self.assertEqual((code, report.get("phase")), (0, "awaiting-deployment"), report)
        certificate = f"{CERTIFICATES}/{device.placed(CERTIFICATES, '.cert.pem')[0]}"
        keys = [path.name for path in device.path(SECRETS).iterdir()]
        self.assertEqual(len(keys), 1, keys)
        key = f"{SECRETS}/{keys[0]}"
        self.assertEqual({path: device.owner_and_mode(path) for path in
                          (CONFIG, "/var/aziot", CERTIFICATES, SECRETS, certificate, key)},
                         {CONFIG: "root:root 600", "/var/aziot": "root:root 755",
                          CERTIFICATES: "root:aziotcs 755", SECRETS: "root:aziotks 750",
                          certificate: "root:aziotcs 644", key: "root:aziotks 440"})
        text = device.path(CONFIG).read_text()
        self.assertTrue(text.startswith(TEMPLATE), text)
        self.assertIn(f'identity_pk = "file://{key}"', text)
        removed = {change["path"] for change in report["changes"] if change["action"] == "removed"}
        for path in gone:
            self.assertFalse(device.path(path).exists(), path)
            self.assertIn(path, removed)
        code, status = device.agent("status")
        self.assertEqual((code, status["phase"]), (0, "awaiting-deployment"), status)
        return report

    def registrations(self):
        return len([answer for answer in self.device.cloud_log() if "/register?" in answer["target"]])


class Adopted(Adoption):
    def test_what_the_services_cannot_read(self):
        """The home of EFLOW's user is closed to aziotcs, so what Provision-EflowVm calls OK never comes up."""
        device = self.device
        certificate, key = device.copy_material()
        device.write_config(certificate, key)
        device.apply()
        wait_until(lambda: "registration ID is unknown" in device.journal("aziot-identityd"), "identityd to fail")
        self.assert_adopted(device.post_install(), gone=[key])
        self.assertTrue(device.path(certificate).exists(), "the certificate is no secret")

    def test_a_device_that_runs_already_stays_registered(self):
        device = self.device
        for folder, owner in ((CERTIFICATES, "aziotcs"), (SECRETS, "aziotks")):
            device.exec("install", "-d", "-m", "0755", "-o", owner, "-g", owner, folder, check=True)
        device.exec("chmod", "0700", SECRETS, check=True)
        certificate, key = device.copy_material("leaf", f"{CERTIFICATES}/leaf.pem", f"{SECRETS}/leaf.key.pem", "aziotks:aziotks", 0o600)
        device.write_config(certificate, key, "device-1")
        device.apply()
        wait_until(lambda: device.containers().get("edgeAgent") == "running", "edgeAgent")
        self.assert_adopted(device.post_install(), gone=[key])
        self.assertEqual(self.registrations(), 1)
        self.assertNotIn("registration_id", device.path(CONFIG).read_text())

        # As Provision-EflowVm had left it, the next unreadable certificate would have cost the key.
        placed = next(device.path(SECRETS).iterdir())
        before = placed.read_bytes()
        device.exec("chmod", "0700", CERTIFICATES, check=True)
        device.exec("chown", "root:root", CERTIFICATES, check=True)
        device.exec("iotedge", "system", "restart", check=True)
        wait_until(lambda: "registration ID is unknown" in device.journal("aziot-identityd"), "identityd to fail")
        self.assertEqual(placed.read_bytes(), before)

    def test_the_umask_of_the_vm(self):
        """sudo mkdir -p /var/aziot/{certs,secrets} leaves every level 0750 there."""
        device = self.device
        device.exec("sh", "-c", f"umask 027; mkdir -p {CERTIFICATES} {SECRETS}", check=True)
        self.assertEqual(device.owner_and_mode("/var/aziot"), "root:root 750")
        certificate, key = device.copy_material("leaf", f"{CERTIFICATES}/leaf.pem", f"{SECRETS}/leaf.key", "root:root", 0o644)
        device.write_config(certificate, key)
        device.apply()
        self.assert_adopted(device.post_install(), gone=[key])

    def test_again_and_again(self):
        device = self.device
        device.write_config(*device.copy_material())
        device.stage()
        self.assert_adopted(device.post_install("--bundle", BUNDLE))
        before = snapshot(device, "/etc/aziot", "/var/aziot")
        for arguments in (("--bundle", BUNDLE), ()):
            code, report = device.post_install(*arguments)
            self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)
            self.assertLessEqual({change["action"] for change in report["changes"]}, {"kept", "removed"}, report)
            self.assertEqual(snapshot(device, "/etc/aziot", "/var/aziot"), before)
        # The last run was not told of the folder: to it the key in there was one more copy.
        self.assertFalse(device.path(f"{BUNDLE}/leaf.key").exists())

    def test_a_copy_that_will_not_go_is_told_of(self):
        device = self.device
        certificate, key = device.copy_material()
        device.write_config(certificate, key)
        device.exec("mount", "--bind", f"{HOME}/private", f"{HOME}/private", check=True)
        device.exec("mount", "-o", "remount,bind,ro", f"{HOME}/private", check=True)
        code, report = device.post_install()
        self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)
        self.assertIn("could not be removed", text_of(report))
        self.assertTrue(device.path(key).exists())
        device.exec("umount", f"{HOME}/private", check=True)
        self.assert_adopted(device.post_install(), gone=[key])


class Completed(Adoption):
    variant = "vm"

    def test_from_the_files_alone(self):
        _, key = self.device.copy_material()
        self.device.stage()
        self.assert_adopted(self.device.post_install("--bundle", BUNDLE), gone=[key])
        self.assertTrue(self.device.path(f"{BUNDLE}/leaf.key").exists(), "whoever staged it removes it")

    def test_from_half_a_config(self):
        device = self.device
        certificate, key = device.copy_material()
        device.write_config(certificate, key)
        text = device.path(CONFIG).read_bytes()
        device.push(text[:text.index(b"identity_cert") + 20], CONFIG)
        device.stage()
        report = self.assert_adopted(device.post_install("--bundle", BUNDLE), gone=[key])
        self.assertIn("written anew", text_of(report))

    def test_from_nothing_at_all_and_after_a_reboot(self):
        device = self.device
        device.stage()
        self.assert_adopted(device.post_install("--bundle", BUNDLE))
        device.reboot()
        wait_until(lambda: device.agent("status")[1]["phase"] == "awaiting-deployment", "the device after its reboot")

    def test_a_power_cut_in_the_middle(self):
        device = self.device
        certificate, key = device.copy_material()
        device.write_config(certificate, key)
        device.tell_cloud(faults=[{"on": "register", "kind": "slow", "times": 1, "delayMs": 20000}])
        running = device.start("eflow-agent", "post-install")
        wait_until(lambda: "Sending DPS registration" in device.journal("aziot-identityd"), "the request to DPS")
        device.power_cut()
        running.communicate(timeout=60)
        self.assertTrue(device.path(key).exists(), "nothing was healthy yet")
        device.tell_cloud(faults=[])
        device.up()
        self.assert_adopted(device.post_install(), gone=[key])


class TakenBack(Adoption):
    def assert_untouched(self, before, copy):
        self.assertEqual(snapshot(self.device, "/etc/aziot", "/home"), before)
        self.assertEqual(self.device.path(copy).read_bytes(), self.device.pki.file("leaf.key").read_bytes())

    def test_dps_refuses_and_then_takes_it(self):
        device = self.device
        certificate, key = device.copy_material()
        device.write_config(certificate, key)
        before = snapshot(device, "/etc/aziot", "/home")
        group = dict(device.cloud["groups"][0])
        device.tell_cloud(groups=[{**group, "provisioningStatus": "disabled"}])
        code, report = device.post_install()
        self.assertEqual(code, 8, report)
        self.assertIn("Expected one of [202]", text_of(report))
        self.assertEqual(device.path(CONFIG).read_bytes(), before[CONFIG.lstrip("/")][3])
        self.assertTrue(device.path(key).exists())
        device.tell_cloud(groups=[group])
        self.assert_adopted(device.post_install(), gone=[key])

    def test_a_unit_fails_and_nothing_could_run_before(self):
        device = self.device
        _, key = device.copy_material()
        device.stage()
        before = snapshot(device, "/etc/aziot", "/home")
        device.push(b"[Service]\nExecStartPre=+/bin/sh -c 'echo no key slot; exit 3'\n", "/etc/systemd/system/aziot-keyd.service.d/broken.conf")
        device.exec("systemctl", "daemon-reload", check=True)
        code, report = device.post_install("--bundle", BUNDLE)
        self.assertEqual((code, report["phase"]), (5, "not-provisioned"), report)
        self.assertIn("aziot-keyd", text_of(report))
        self.assert_untouched(before, key)

    def test_a_cloud_that_is_not_there_keeps_the_change_and_the_copy(self):
        device = self.device
        certificate, key = device.copy_material()
        device.write_config(certificate, key)
        device.exec("systemctl", "stop", "lab-dps", check=True)
        code, report = device.post_install(timeout="4s")
        self.assertEqual((code, report["phase"]), (7, "provisioning"), report)
        self.assertTrue(device.path(key).exists())
        self.assertIn(key, text_of(report))
        device.exec("systemctl", "start", "lab-dps", check=True)
        self.assert_adopted(device.post_install(), gone=[key])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
