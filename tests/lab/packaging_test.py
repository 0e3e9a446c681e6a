#!/usr/bin/env python3
"""The agent as it ships, on a booted machine: the RPM in an image and in a running machine, install-self on a VM that came
without it, a newer Debian, and one scenario from the artefacts of dist/ alone."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from device import CERTIFICATES, SCOPE, SECRETS, Device, snapshot
from lab import LabError, run, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# A build folder's own, which ctest makes; otherwise what the release made.
DIST = pathlib.Path(os.environ["LAB_BUILD"]) / "dist" if "LAB_BUILD" in os.environ else REPOSITORY / "dist"
BUILD_RPM = REPOSITORY / "packaging/rpm/build-rpm"
INSTALLED = "/var/lib/eflow-agent/bin/eflow-agent"
UNIT = "eflow-agent.service"
FIRSTBOOT = "eflow-agent-firstboot.service"
# What machines change by themselves while they run.
RESTLESS = re.compile(r"(var/lib/(rpm|docker|systemd|dbus|containerd|private|sss)|var/(log|cache|tmp|spool)|run|tmp)(/|$)"
                      r"|etc/(machine-id|resolv\.conf|mtab|\.pwd\.lock|.*-|\.updated|ld\.so\.cache|docker/key\.json|os-release)$|etc/cni(/|$)"
                      r"|var/\.updated$|var/lib/containerd$")


def dist(pattern):
    found = sorted(DIST.glob(pattern))
    if len(found) != 1:
        raise LabError(f"{DIST} holds not one {pattern}: {found}")
    return found[0]


def program():
    return dist("eflow-agent-*-linux-x86_64")


def package():
    return dist("eflow-agent-*.x86_64.rpm")


def tree(device, *folders):
    """What stands below the folders, without what changes by itself: owner, mode and bytes by path."""
    return {path: seen for path, seen in snapshot(device, *folders).items() if not RESTLESS.match(path)}


def newer_package(folder):
    """The same program as a later release of the package."""
    tarball = dist("eflow-agent-*-linux-x86_64.tar.gz")
    return pathlib.Path(run(BUILD_RPM, tarball, folder, "--define", "dist .cm2.1").strip().splitlines()[-1])


class Packaging(unittest.TestCase):
    variant = "writable"
    var_mb = 256
    suite = "bookworm"

    def setUp(self):
        self.device = Device(self.variant, self.var_mb, suite=self.suite, agent=False)
        self.addCleanup(self.device.down)

    def rpm(self, *arguments):
        """rpm on the files of the lab, which need not run."""
        return run("rpm", "--root", self.device.root, "--dbpath", "/var/lib/rpm", "--nodeps", *arguments)

    def rpm_inside(self, *arguments):
        return self.device.exec("rpm", "--dbpath", "/var/lib/rpm", "--nodeps", *arguments, check=True).stdout

    def pid(self):
        return int(self.device.show(UNIT, "MainPID"))

    def assert_watching(self, program):
        device = self.device
        self.assertEqual((device.show(UNIT, "ActiveState"), device.show(UNIT, "SubState")), ("active", "running"),
                         device.journal(UNIT))
        self.assertEqual(device.exec("readlink", f"/proc/{self.pid()}/exe", check=True).stdout.strip(), program)
        status = device.exec("cat", f"/proc/{self.pid()}/status", check=True).stdout
        uid = str(device.id_of("passwd", "eflow-agent"))
        self.assertIn(f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}", status)
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("CapEff:\t0000000000000004", status)  # CAP_DAC_READ_SEARCH and nothing else
        groups = device.exec("id", "-nG", "eflow-agent", check=True).stdout.split()
        self.assertLessEqual({"docker", "systemd-journal"}, set(groups))
        self.assertEqual(device.owner_and_mode("/var/lib/eflow-agent"), "root:root 755")
        self.assertEqual(device.owner_and_mode("/var/lib/eflow-agent/watch"), "eflow-agent:eflow-agent 755")
        # Nothing is unseen because of the sandbox: what `check` sees as root, the watcher sees too.
        unseen = [f"{one['id']}: {one['detail']}" for one in self.watched()["findings"]
                  if re.search("not permitted|ermission denied", one["detail"])]
        self.assertEqual(unseen, [])

    def watched(self):
        return json.loads(self.device.exec("cat", "/run/eflow-agent/status.json", check=True).stdout)

    def watched_phase(self):
        return self.watched()["phase"]

    def history(self):
        code, report = self.device.agent("history")
        self.assertEqual(code, 0, report)
        return report["data"]["history"]

    def assert_awaits_deployment(self, result):
        code, report = result
        self.assertEqual((code, report.get("phase")), (0, "awaiting-deployment"), report)

    def assert_running(self):
        failed = self.device.exec("systemctl", "--failed", "--no-legend", "--plain").stdout.splitlines()
        # aziot-edged ends with an error while nothing is configured, as upstream's does.
        self.assertEqual([line for line in failed if not line.startswith("aziot-edged.service ")], [])


class Package(Packaging):
    def test_in_an_image_it_boots_watching_and_upgrade_and_erase_do_as_they_should(self):
        device = self.device
        before = tree(device, "/etc", "/usr", "/var")
        self.rpm("-i", package())
        self.assertEqual(self.rpm("-V", "eflow-agent"), "")
        device.up()
        self.assert_running()
        self.assert_watching("/usr/bin/eflow-agent")
        self.assertEqual(device.show(UNIT, "UnitFileState"), "enabled")
        self.assertEqual(device.show(FIRSTBOOT, "ConditionResult"), "no")
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        wait_until(lambda: self.watched_phase() == "awaiting-deployment", "the watcher to see it")

        # An upgrade of the running machine: the watcher is restarted, its history and the administrator's words stay.
        device.push(b"mine\n", "/etc/eflow-agent/notes", mode=0o600)
        device.exec("systemctl", "disable", FIRSTBOOT, check=True)
        old, history = self.pid(), self.history()
        with tempfile.TemporaryDirectory() as folder:
            device.push(newer_package(folder), "/home/newer.rpm")
        self.rpm_inside("-U", "/home/newer.rpm")
        wait_until(lambda: self.pid() not in (0, old) and device.show(UNIT, "SubState") == "running", "the new watcher")
        self.assert_watching("/usr/bin/eflow-agent")
        self.assertEqual(device.show(FIRSTBOOT, "UnitFileState"), "disabled")
        self.assertEqual(self.history()[:len(history)], history)
        code, report = device.agent("status")
        self.assertEqual(report["phase"], "awaiting-deployment", report)

        # Erased: the device serves on, and nothing is left but what the administrator wrote.
        code, report = device.agent("deprovision", "--purge")
        self.assertEqual(code, 0, report)
        self.rpm_inside("-e", "eflow-agent")
        self.assertEqual(device.show(UNIT, "LoadState"), "not-found")
        device.path("/home/newer.rpm").unlink()
        after = tree(device, "/etc", "/usr", "/var")
        left = {path for path in after if before.get(path) != after[path]} | (before.keys() - after.keys())
        # The image had an empty file in the program's place, and lacked folders that are the distribution's.
        self.assertLessEqual(left - {path for path in left if path.startswith("var/lib/aziot/")},
                             {"etc/eflow-agent", "etc/eflow-agent/notes", "usr/bin/eflow-agent", "usr/share/licenses",
                              "usr/share/man", "usr/share/man/man1"})
        self.assertIn("etc/eflow-agent/notes", after)
        self.assertFalse(device.path("/var/lib/eflow-agent").exists())

    def test_on_a_read_only_root(self):
        device = self.device
        self.rpm("-i", package())
        device.seal()
        device.up()
        self.assertNotEqual(device.exec("touch", "/usr/x").returncode, 0)
        self.assert_running()
        self.assert_watching("/usr/bin/eflow-agent")
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        device.reboot()
        self.assert_watching("/usr/bin/eflow-agent")
        wait_until(lambda: self.watched_phase() == "awaiting-deployment", "the device after its reboot")
        # install-self has nothing to do where the image came with the agent.
        code, report = device.agent("install-self")
        self.assertEqual((code, report["findings"][0]["id"]), (3, "install.image"), report)
        self.assertFalse(device.path(INSTALLED).exists())


class GoldenImage(Packaging):
    def stage(self):
        """As an image builder does: the program on this machine, the image below --root."""
        device = self.device
        cert, key = device.identity("leaf")
        done = subprocess.run([program(), "--json", "--root", device.root, "provision", "--scope-id", SCOPE, "--registration-id",
                               "device-1", "--cert", device.path(cert), "--key", device.path(key), "--no-apply"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_what_was_staged_offline_is_applied_at_the_first_boot_and_once(self):
        device = self.device
        self.rpm("-i", package())
        self.stage()
        device.seal()
        device.up()
        self.assertEqual((device.show(FIRSTBOOT, "Result"), device.show(FIRSTBOOT, "ConditionResult")), ("success", "yes"),
                         device.journal(FIRSTBOOT))
        code, report = device.agent("status")
        self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)
        self.assert_running()
        device.reboot()
        self.assertEqual(device.show(FIRSTBOOT, "ConditionResult"), "no")
        wait_until(lambda: device.agent("status")[1]["phase"] == "awaiting-deployment", "the device after its reboot")

    def test_a_manifest_that_was_baked_in_is_applied(self):
        device = self.device
        self.rpm("-i", package())
        chain, key = device.pki.leaf("leaf", "device-1")
        device.push(chain, "/etc/eflow-agent/device.pem")
        device.push(key, "/etc/eflow-agent/device.key", mode=0o600)
        device.push(f'schema = 1\n[provisioning]\nscope_id = "{SCOPE}"\nregistration_id = "device-1"\n[identity]\n'
                    'certificate = "device.pem"\nprivate_key = "device.key"\n'.encode(), "/etc/eflow-agent/device.toml",
                    mode=0o600)
        device.seal()
        device.up()
        self.assertEqual(device.show(FIRSTBOOT, "Result"), "success", device.journal(FIRSTBOOT))
        code, report = device.agent("status")
        self.assertEqual((code, report["phase"]), (0, "awaiting-deployment"), report)

    def test_without_an_identity_it_waits_calmly(self):
        device = self.device
        self.rpm("-i", package())
        # What IoT Edge's own first boot leaves on a VM: the template, which provisions nothing.
        device.push(b'# hostname = "my-device"\n\n# [provisioning]\n# source = "dps"\n', "/etc/aziot/config.toml", mode=0o600)
        device.seal()
        device.up()
        self.assert_running()
        self.assertIn("waits for an identity", device.journal(FIRSTBOOT))
        self.assert_watching("/usr/bin/eflow-agent")
        code, report = device.agent("status")
        self.assertEqual((code, report["phase"]), (0, "not-provisioned"), report)
        # And then one comes.
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))


class StockVm(Packaging):
    variant = "vm"

    def install(self, *arguments, file="/home/eflow-agent"):
        done = self.device.exec(file, "--json", "install-self", *arguments)
        return done.returncode, json.loads(done.stdout)

    def bring(self, content=None, name="/home/eflow-agent"):
        self.device.push(content or program(), name, mode=0o755)

    def newer(self):
        """The same program with other bytes: what follows the ELF is of no meaning to it."""
        return program().read_bytes() + b"newer"

    def test_installed_it_survives_reboot_update_and_upgrade_and_leaves_nothing(self):
        device = self.device
        self.bring()
        before = tree(device, "/etc", "/var")
        device.up()
        device.program = INSTALLED
        code, report = self.install("--dry-run", file="/home/eflow-agent")
        self.assertEqual((code, {change["action"] for change in report["changes"]}), (0, {"created"}), report)
        self.assertFalse(device.path("/var/lib/eflow-agent").exists())
        code, report = self.install()
        self.assertEqual(code, 0, report)
        self.assert_watching(INSTALLED)
        first = self.pid()

        # Again: nothing changes, the watcher runs on.
        code, report = self.install()
        self.assertEqual((code, {change["action"] for change in report["changes"]}, self.pid()), (0, {"kept"}, first), report)

        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        device.reboot()
        self.assert_watching(INSTALLED)
        wait_until(lambda: self.watched_phase() == "awaiting-deployment", "the device after its reboot")

        # An update of the VM: another root, the overlays kept.
        device.shut_down()
        device.swap_root(lambda root: (root / "usr/lib/os-release").write_text('NAME="Next"\nID=next\n'))
        device.up()
        self.assertIn("Next", device.exec("cat", "/usr/lib/os-release").stdout)
        self.assert_running()
        self.assert_watching(INSTALLED)
        wait_until(lambda: self.watched_phase() == "awaiting-deployment", "the device after its update")

        # An upgrade in place.
        old, history = self.pid(), self.history()
        self.bring(self.newer(), "/home/newer")
        code, report = self.install(file="/home/newer")
        self.assertEqual((code, report["changes"][0]["action"]), (0, "replaced"), report)
        self.assertNotEqual(self.pid(), old)
        self.assert_watching(INSTALLED)
        self.assertEqual(device.path(INSTALLED).read_bytes(), self.newer())
        self.assertEqual(self.history()[:len(history)], history)
        self.assertEqual([path.name for path in device.path("/var/lib/eflow-agent/bin").iterdir()], ["eflow-agent"])

        code, report = device.agent("deprovision", "--purge")
        self.assertEqual(code, 0, report)
        code, report = device.agent("install-self", "--uninstall")
        self.assertEqual((code, report["findings"]), (0, []), report)
        self.assertEqual(device.show(UNIT, "LoadState"), "not-found")
        after = tree(device, "/etc", "/var")
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        self.assertEqual({path for path in changed if not path.startswith("var/lib/aziot/")}, set())
        code, report = self.install("--uninstall")
        self.assertEqual((code, report["changes"]), (0, []), report)

    def test_one_that_does_not_come_up_is_taken_back(self):
        device = self.device
        self.bring()
        before = tree(device, "/etc", "/var")
        device.up()
        # A program that runs as root but not as the watcher's user: the data partition's folder is closed to it.
        drop_in = "/etc/systemd/system/eflow-agent.service.d/broken.conf"
        device.push(b"[Service]\nExecStartPre=/bin/false\n", drop_in)
        code, report = self.install()
        self.assertEqual((code, report["findings"][-1]["id"]), (5, "install.runs"), report)
        device.exec("rm", "-r", pathlib.PurePosixPath(drop_in).parent, check=True)
        after = tree(device, "/etc", "/var")
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        self.assertLessEqual(changed, {"var/lib/eflow-agent", "var/lib/eflow-agent/lock", "var/lib/eflow-agent/watch"})

        # An upgrade that does not come up: the old one serves again.
        code, report = self.install()
        self.assertEqual(code, 0, report)
        device.push(b"[Service]\nExecStartPre=/bin/sh -c '! tail -c 5 " + INSTALLED.encode() + b" | grep -q newer'\n", drop_in)
        self.bring(self.newer(), "/home/newer")
        code, report = self.install(file="/home/newer")
        self.assertEqual(code, 5, report)
        self.assert_watching(INSTALLED)
        self.assertEqual(device.path(INSTALLED).read_bytes(), program().read_bytes())

    def test_what_stands_in_its_way_is_named_and_nothing_changes(self):
        device = self.device
        self.bring()
        device.up()
        before = tree(device, "/etc", "/var")

        def refused(code, finding):
            given, report = self.install()
            self.assertEqual((given, [one["id"] for one in report["findings"] if one["severity"] == "failed"]),
                             (code, [finding]), report)
            self.assertEqual(tree(device, "/etc", "/var"), before)

        device.exec("mount", "-o", "remount,noexec", "/var", check=True)
        refused(4, "install.executable")
        device.exec("mount", "-o", "remount,exec", "/var", check=True)

        device.exec("sh", "-c", "cat /dev/zero > /var/tmp/full; sync /var/tmp/full; cat /dev/zero >> /var/tmp/full")
        refused(4, "install.space")
        device.path("/var/tmp/full").unlink()

        # EFLOW 1.1 has no /etc/aziot.
        device.exec("sh", "-c", "mv /etc/aziot /etc/was-aziot && mkdir /etc/iotedge && touch /etc/iotedge/config.yaml", check=True)
        before = tree(device, "/etc", "/var")
        refused(4, "install.edge-version")


class NewerDebian(Packaging):
    suite = "trixie"

    def test_the_same_program_serves(self):
        device = self.device
        device.push(program(), "/usr/bin/eflow-agent", mode=0o755)
        device.up()
        self.assertIn("257", device.exec("systemctl", "--version").stdout)
        self.assertEqual(device.agent("status")[1]["phase"], "not-provisioned")
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        device.push(program(), "/home/eflow-agent", mode=0o755)
        done = device.exec("/home/eflow-agent", "--json", "install-self")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assert_watching(INSTALLED)
        wait_until(lambda: self.watched_phase() == "awaiting-deployment", "the watcher to see it")
        code, report = device.agent("deprovision", "--purge")
        self.assertEqual(code, 0, report)


class FromDist(Packaging):
    def test_a_device_from_first_install_to_erasure(self):
        for line in (DIST / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split()
            self.assertEqual(hashlib.sha256((DIST / name).read_bytes()).hexdigest(), digest, name)
        device = self.device
        # install
        self.rpm("-i", package())
        device.up()
        self.assert_watching("/usr/bin/eflow-agent")
        # provision
        self.assert_awaits_deployment(device.provision(device.identity("leaf")))
        # watch
        wait_until(lambda: self.watched_phase() == "awaiting-deployment", "the watcher to see it")
        # break: certd may not read the certificate any more
        certificate = f"{CERTIFICATES}/{device.placed(CERTIFICATES, '.cert.pem')[0]}"
        device.exec("chmod", "0600", certificate, check=True)
        device.exec("chown", "root:root", certificate, check=True)
        wait_until(lambda: "files.readable-by-aziotcs" in device.exec("cat", "/run/eflow-agent/status.json").stdout,
                   "the watcher to name it")
        # check
        code, report = device.agent("check", "--offline")
        self.assertEqual(code, 1, report)
        self.assertIn("files.readable-by-aziotcs", [one["id"] for one in report["findings"] if one["severity"] == "failed"])
        # replace the certificate, which mends it too
        self.assert_awaits_deployment(device.provision(device.identity("next", kind="rsa2048")))
        self.assertEqual(len(device.placed(SECRETS, ".key.pem")), 1)
        # upgrade
        old = self.pid()
        with tempfile.TemporaryDirectory() as folder:
            device.push(newer_package(folder), "/home/newer.rpm")
        self.rpm_inside("-U", "/home/newer.rpm")
        wait_until(lambda: self.pid() not in (0, old) and device.show(UNIT, "SubState") == "running", "the new watcher")
        # reboot
        device.reboot()
        self.assert_watching("/usr/bin/eflow-agent")
        wait_until(lambda: self.watched_phase() == "awaiting-deployment", "the device after its reboot")
        # deprovision
        code, report = device.agent("deprovision", "--purge")
        self.assertEqual(code, 0, report)
        wait_until(lambda: self.watched_phase() == "not-provisioned", "the watcher to see that it is off")
        # erase
        self.rpm_inside("-e", "eflow-agent")
        self.assertFalse(device.path("/var/lib/eflow-agent").exists())
        self.assertNotEqual(device.exec("id", "eflow-agent").returncode, 0)
        self.assertNotEqual(device.exec("test", "-e", "/usr/bin/eflow-agent").returncode, 0)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the lab needs root")
    if shutil.which("rpmbuild") is None:
        sys.exit("rpmbuild is missing: packaging/dev/install-deps installs it")
    unittest.main(verbosity=2)
