#!/usr/bin/env python3
"""The agent on a booted machine, with systemd, dockerd, the aziot services and DPS: from a fresh device to none again."""
import os
import sys
import unittest

from device import CERTIFICATES, CONFIG, HUB, SCOPE, SECRETS, Device, snapshot
from lab import wait_until


def severities(report):
    return {finding["id"]: finding["severity"] for finding in report.get("findings", [])}


def text_of(report):
    return "\n".join([*report["data"].get("notes", [])] +
                     [f"{finding['summary']} {finding['detail']}" for finding in report["findings"]])


class Scenario(unittest.TestCase):
    variant = "writable"
    var_mb = 192

    def setUp(self):
        self.device = Device(self.variant, self.var_mb)
        self.addCleanup(self.device.down)
        self.device.up()

    def assert_awaits_deployment(self, result):
        code, report = result
        self.assertEqual((code, report.get("phase")), (0, "awaiting-deployment"), report)
        self.assertEqual(self.device.containers(), {"edgeAgent": "running"})
        return report

    def status(self):
        return self.device.agent("status")


class Fresh(Scenario):
    def test_from_nothing_to_awaiting_a_deployment(self):
        device = self.device
        code, report = self.status()
        self.assertEqual((code, report["phase"]), (0, "not-provisioned"), report)

        identity = device.identity("leaf")
        report = self.assert_awaits_deployment(device.provision(identity))
        self.assertIn("417", report["data"]["because"])
        certificate = f"{CERTIFICATES}/{device.placed(CERTIFICATES, '.cert.pem')[0]}"
        key = f"{SECRETS}/{device.placed(SECRETS, '.key.pem')[0]}"
        self.assertEqual({path: device.owner_and_mode(path) for path in
                          (CONFIG, "/var/aziot", CERTIFICATES, SECRETS, certificate, key)},
                         {CONFIG: "root:root 600", "/var/aziot": "root:root 755",
                          CERTIFICATES: "root:aziotcs 755", SECRETS: "root:aziotks 750",
                          certificate: "root:aziotcs 644", key: "root:aziotks 440"})
        self.assertIn(HUB, device.path("/var/lib/aziot/identityd/device_info").read_text())
        self.assertEqual([answer["status"] for answer in device.cloud_log()], [202, 202, 200, 200, 200, 200])

        before = snapshot(device, "/etc/aziot", "/var/aziot")
        code, report = device.provision(identity)
        self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)
        self.assertEqual({change["action"] for change in report["changes"]}, {"kept"}, report)
        self.assertEqual(snapshot(device, "/etc/aziot", "/var/aziot"), before)

    def test_deprovision_leaves_nothing_of_ours(self):
        device = self.device
        before = snapshot(device, "/etc", "/var/aziot")
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        code, report = device.agent("deprovision", "--purge")
        self.assertEqual(code, 0, report)
        self.assertEqual(snapshot(device, "/etc", "/var/aziot"), before)
        self.assertFalse(device.path("/var/aziot").exists())
        self.assertFalse(device.path("/var/lib/eflow-agent").exists())
        self.assertEqual(self.status()[1]["phase"], "not-provisioned")

    def test_two_at_once_and_the_second_finds_it_done(self):
        device = self.device
        cert, key = device.identity("leaf")
        command = ["eflow-agent", "--json", "provision", "--scope-id", SCOPE, "--registration-id", "device-1", "--cert",
                   cert, "--key", key, "--timeout", "45s"]
        first = device.start(*command)
        second = device.start(*command)
        for process in (first, second):
            out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, out + err)
        self.assertEqual(device.containers(), {"edgeAgent": "running"})


class Refused(Scenario):
    def assert_refused_and_clean(self, result, message):
        code, report = result
        self.assertEqual(code, 8, report)
        self.assertIn(message, text_of(report))
        self.assertFalse(self.device.path(CONFIG).exists())
        self.assertEqual(self.device.placed(SECRETS, ".key.pem"), [])
        self.assertEqual(self.device.containers(), {})
        self.assertEqual(self.status()[1]["phase"], "not-provisioned")

    def test_a_certificate_of_another_authority(self):
        pki = self.device.pki
        pki.authority("stranger", None, "Somebody Else")
        identity = self.device.identity("leaf", issuer="stranger")
        self.device.push(pki.chain("foreign.pem", "leaf", "stranger"), identity[0])
        self.assert_refused_and_clean(self.device.provision(identity), "CA certificate not found.")

    def test_a_disabled_enrollment(self):
        self.device.cloud["groups"][0]["provisioningStatus"] = "disabled"
        self.device.tell_cloud()
        self.assert_refused_and_clean(self.device.provision(self.device.identity("leaf")), "Expected one of [202]")

    def test_no_hub_is_linked(self):
        self.device.tell_cloud(hub=None)
        self.assert_refused_and_clean(self.device.provision(self.device.identity("leaf")), "IotHub not found")

    def test_a_refusal_that_comes_after_the_services_have_settled(self):
        self.device.tell_cloud(hub=None, faults=[{"on": "operations", "kind": "slow", "times": 1, "delayMs": 4000}])
        self.assert_refused_and_clean(self.device.provision(self.device.identity("leaf")), "IotHub not found")

    def test_a_new_certificate_is_refused_and_the_old_one_serves_on(self):
        device = self.device
        old = device.identity("old")
        device.tell_cloud(groups=[], enrollments=[{"registrationId": "device-1", "primary": device.pem("old")}])
        self.assert_awaits_deployment(device.provision(old))
        before = snapshot(device, "/etc/aziot", "/var/aziot")
        code, report = device.provision(device.identity("new"))
        self.assertEqual(code, 8, report)
        self.assertEqual(snapshot(device, "/etc/aziot", "/var/aziot"), before)
        wait_until(lambda: self.status()[1]["phase"] == "awaiting-deployment", "the old identity to serve")


class Unreachable(Scenario):
    def test_the_change_stands_and_takes_effect_when_the_cloud_is_there(self):
        device = self.device
        device.exec("systemctl", "stop", "lab-dps", check=True)
        code, report = device.provision(device.identity("leaf"), timeout="4s")
        self.assertEqual((code, report["phase"]), (7, "provisioning"), report)
        self.assertIn("cannot reach", text_of(report) + report["data"]["because"])
        device.exec("systemctl", "start", "lab-dps", check=True)
        wait_until(lambda: self.status()[1]["phase"] == "awaiting-deployment", "the device to come up by itself")


class FailingUnit(Scenario):
    def refuse_to_start(self, unit, condition):
        self.device.push(f"[Service]\nExecStartPre=+/bin/sh -c '{condition}'\n".encode(),
                         f"/etc/systemd/system/{unit}.service.d/broken.conf")
        self.device.exec("systemctl", "daemon-reload", check=True)

    def test_a_unit_that_fails_is_undone(self):
        device = self.device
        before = snapshot(device, "/etc/aziot", "/var/aziot")
        self.refuse_to_start("aziot-keyd", "echo no key slot; exit 3")
        code, report = device.provision(device.identity("leaf"))
        self.assertEqual(code, 5, report)
        self.assertIn("aziot-keyd", text_of(report))
        self.assertEqual(snapshot(device, "/etc/aziot", "/var/aziot"), before)

    def test_the_previous_identity_runs_again(self):
        device = self.device
        self.assert_awaits_deployment(device.provision(device.identity("old")))
        before = snapshot(device, "/etc/aziot", "/var/aziot")
        placed = device.placed(CERTIFICATES, ".cert.pem")[0]
        self.refuse_to_start("aziot-edged", f"grep -q {placed} {CONFIG}")
        code, report = device.provision(device.identity("new"))
        self.assertEqual(code, 5, report)
        self.assertEqual(snapshot(device, "/etc/aziot", "/var/aziot"), before)
        wait_until(lambda: self.status()[1]["phase"] == "awaiting-deployment", "the old identity to serve")


class Files(Scenario):
    def test_a_key_that_others_may_read_or_aziotks_may_not(self):
        device = self.device
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        key = f"{SECRETS}/{device.placed(SECRETS, '.key.pem')[0]}"
        device.exec("chmod", "0444", key, check=True)
        device.exec("chmod", "0755", SECRETS, check=True)
        code, report = self.status()
        self.assertEqual((code, severities(report).get("files.key-protected")), (1, "failed"), report)
        device.exec("chown", "aziotcs:aziotcs", key, check=True)
        device.exec("chmod", "0400", key, check=True)
        code, report = self.status()
        self.assertEqual((code, severities(report).get("files.readable-by-aziotks")), (1, "failed"), report)
        # Provisioning again with the same material mends it.
        self.assert_awaits_deployment(device.provision(("/home/leaf.pem", "/home/leaf.key")))
        self.assertEqual(device.owner_and_mode(key), "root:aziotks 440")

    def test_a_replaced_certificate(self):
        device = self.device
        self.assert_awaits_deployment(device.provision(device.identity("old")))
        old = device.placed(CERTIFICATES, ".cert.pem")
        self.assert_awaits_deployment(device.provision(device.identity("new", kind="rsa2048")))
        new = device.placed(CERTIFICATES, ".cert.pem")
        self.assertEqual(len(new), 1, new)
        self.assertNotEqual(new, old)
        self.assertEqual(len(device.placed(SECRETS, ".key.pem")), 1)
        # The assignment is remembered, so DPS was asked once; the hub saw the new certificate.
        self.assertEqual(len([answer for answer in device.cloud_log() if "/register?" in answer["target"]]), 1)


class Interrupted(Scenario):
    def test_a_reboot_between_placement_and_apply(self):
        device = self.device
        identity = device.identity("leaf")
        code, report = device.provision(identity, "--no-apply")
        self.assertEqual(code, 0, report)
        device.reboot()
        code, report = self.status()
        self.assertEqual(report["phase"], "not-provisioned", report)
        self.assertIn("waits to be applied", report["data"]["because"])
        self.assert_awaits_deployment(device.provision(identity))

    def test_a_power_cut_while_the_services_start(self):
        device = self.device
        identity = device.identity("leaf")
        device.tell_cloud(faults=[{"on": "register", "kind": "slow", "times": 1, "delayMs": 20000}])
        running = device.start("eflow-agent", "provision", "--scope-id", SCOPE, "--registration-id", "device-1", "--cert",
                               identity[0], "--key", identity[1])
        wait_until(lambda: "Sending DPS registration" in device.journal("aziot-identityd"), "the request to DPS")
        device.power_cut()
        running.communicate(timeout=60)
        device.tell_cloud(faults=[])
        device.up()
        self.assert_awaits_deployment(device.provision(identity))
        self.assertEqual(device.placed("/var/lib/eflow-agent", "journal.json"), [])


    def test_ctrl_c_leaves_a_change_that_is_named_and_undone(self):
        device = self.device
        before = snapshot(device, "/etc/aziot/config.toml", "/var/aziot")
        device.tell_cloud(faults=[{"on": "register", "kind": "slow", "times": 9, "delayMs": 30000}])
        cert, key = device.identity("leaf")
        running = device.start("eflow-agent", "--json", "provision", "--scope-id", SCOPE, "--registration-id", "device-1",
                               "--cert", cert, "--key", key)
        wait_until(lambda: "Sending DPS registration" in device.journal("aziot-identityd"), "the request to DPS")
        self.assertIn("under way", text_of(device.agent("check", "--offline", "--only", "config.unfinished-change")[1]))
        device.exec("pkill", "-INT", "-x", "eflow-agent", check=True)
        out, _ = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 7, out)
        self.assertIn("sudo eflow-agent undo", str(out))
        self.assertIn("sudo eflow-agent undo", self.status()[1]["data"]["next"])
        code, report = device.agent("undo")
        self.assertEqual((code, report["phase"]), (0, "not-provisioned"), report)
        self.assertEqual(snapshot(device, "/etc/aziot/config.toml", "/var/aziot"), before)
        self.assertEqual(severities(device.agent("check", "--offline")[1])["config.unfinished-change"], "ok")


class Moves(Scenario):
    def registrations(self):
        return sum(1 for answer in self.device.cloud_log() if answer["status"] == 202)

    def test_to_another_scope_and_back(self):
        device = self.device
        device.tell_cloud(scopes=[SCOPE, "0ne00FFFFFF"])
        identity = device.identity("leaf")
        self.assert_awaits_deployment(device.provision(identity))
        before = self.registrations()
        code, report = device.provision(identity, scope="0ne00FFFFFF")
        self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)
        self.assertGreater(self.registrations(), before, "DPS was asked again")
        self.assertEqual(severities(device.agent("check", "--offline")[1])["config.scope-applied"], "ok")
        before = self.registrations()
        code, report = device.agent("undo")
        self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)
        self.assertGreater(self.registrations(), before)
        self.assertIn(SCOPE, device.path(CONFIG).read_text())

    def test_that_dps_refuses_is_undone_and_the_device_serves_on(self):
        device = self.device
        identity = device.identity("leaf")
        self.assert_awaits_deployment(device.provision(identity))
        info = "/var/lib/aziot/identityd/device_info"
        before, memory = snapshot(device, "/etc/aziot", "/var/aziot"), device.path(info).read_bytes()
        code, report = device.provision(identity, scope="0ne00FFFFFF")
        self.assertEqual(code, 8, report)
        self.assertEqual(device.path(info).read_bytes(), memory)
        self.assertEqual(snapshot(device, "/var/aziot"), {path: entry for path, entry in before.items() if path.startswith("var/")})
        self.assertIn(SCOPE, device.path(CONFIG).read_text())
        wait_until(lambda: self.status()[1]["phase"] == "awaiting-deployment", "the device to serve with its old registration")

    def test_by_hand_is_named(self):
        device = self.device
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        device.path(CONFIG).write_text(device.path(CONFIG).read_text().replace(SCOPE, "0ne00FFFFFF"))
        device.exec("iotedge", "config", "apply", check=True)
        code, report = device.agent("check", "--offline")
        self.assertEqual(severities(report)["config.scope-applied"], "failed", report)


class DiskFull(Scenario):
    var_mb = 48

    def test_nothing_changes_and_it_goes_through_when_there_is_room(self):
        device = self.device
        identity = device.identity("leaf")
        before = snapshot(device, "/etc/aziot")
        device.exec("sh", "-c", "cat /dev/zero > /var/full; sync /var/full; cat /dev/zero >> /var/full")
        code, report = device.provision(identity)
        self.assertEqual(code, 4, report)
        self.assertIn("No space left", str(report))
        self.assertEqual(snapshot(device, "/etc/aziot"), before)
        device.path("/var/full").unlink()
        self.assert_awaits_deployment(device.provision(identity))


class ReadOnlyRoot(Scenario):
    variant = "vm"

    def test_like_the_vm_and_after_a_reboot_without_dps(self):
        device = self.device
        self.assertNotEqual(device.exec("touch", "/usr/x").returncode, 0)
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        device.reboot()
        wait_until(lambda: self.status()[1]["phase"] == "awaiting-deployment", "the device after its reboot")


class KeyDeletionHazard(Scenario):
    """When certd cannot read the certificate, identityd has keyd delete the private key."""

    def break_certificate_and_restart(self, folder):
        device = self.device
        device.exec("chmod", "0700", folder, check=True)
        device.exec("iotedge", "system", "restart", check=True)
        wait_until(lambda: "caused by: internal error" in device.journal("aziot-identityd"), "identityd to fail")

    def test_a_naive_placement_loses_the_key(self):
        device = self.device
        cert, key = device.identity("leaf")
        for folder, owner in (("/var/naive", "root"), ("/var/naive/certs", "aziotcs"), ("/var/naive/secrets", "aziotks")):
            device.exec("install", "-d", "-m", "0755", "-o", owner, folder, check=True)
        device.exec("chmod", "0700", "/var/naive/secrets", check=True)
        device.exec("install", "-m", "0644", "-o", "aziotcs", cert, "/var/naive/certs/id.pem", check=True)
        device.exec("install", "-m", "0600", "-o", "aziotks", key, "/var/naive/secrets/id.key", check=True)
        device.push(f'''hostname = "eflow-lab"
[provisioning]
source = "dps"
global_endpoint = "https://global.azure-devices-provisioning.net/"
id_scope = "{SCOPE}"
[provisioning.attestation]
method = "x509"
registration_id = "device-1"
identity_cert = "file:///var/naive/certs/id.pem"
identity_pk = "file:///var/naive/secrets/id.key"
'''.encode(), CONFIG, mode=0o600)
        device.exec("iotedge", "config", "apply", check=True)
        wait_until(lambda: device.containers().get("edgeAgent") == "running", "edgeAgent")
        before = device.path("/var/naive/secrets/id.key").read_bytes()
        device.exec("chown", "root:root", "/var/naive/certs", check=True)
        self.break_certificate_and_restart("/var/naive/certs")
        after = device.path("/var/naive/secrets/id.key")
        self.assertNotEqual(after.read_bytes() if after.exists() else b"", before, "the hazard did not show")
        self.assertIn("<-- DELETE /keypair/device-id", device.journal("aziot-keyd"))

    def test_ours_keeps_it(self):
        device = self.device
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        key = device.path(SECRETS) / device.placed(SECRETS, ".key.pem")[0]
        before = key.read_bytes()
        device.exec("chown", "root:root", CERTIFICATES, check=True)
        self.break_certificate_and_restart(CERTIFICATES)
        self.assertIn("registration ID is unknown", device.journal("aziot-identityd"))
        self.assertEqual(key.read_bytes(), before)
        code, report = self.status()
        self.assertEqual((code, severities(report).get("files.readable-by-aziotcs")), (1, "failed"), report)

        # Even with registration_id written by hand the folder of the key lets keyd delete nothing.
        config = device.path(CONFIG)
        text = config.read_text().replace('method = "x509"', 'method = "x509"\nregistration_id = "device-1"')
        device.push(text.encode(), CONFIG, mode=0o600)
        device.exec("iotedge", "config", "apply", check=True)
        wait_until(lambda: "could not delete" in device.journal("aziot-keyd"), "keyd to try")
        self.assertEqual(key.read_bytes(), before)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the lab needs root")
    unittest.main(verbosity=2)
