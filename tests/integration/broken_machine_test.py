#!/usr/bin/env python3
"""Machines that cannot take the change, made for real: read-only and full file systems, immutable files. Needs root."""
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sandbox import Pki, Sandbox  # noqa: E402

ID = "plant7-gw-03"


def setUpModule():
    global pki, folder
    if os.geteuid() != 0:
        raise RuntimeError("this test mounts file systems: run it as root")
    for tool in ("mount", "umount", "chattr"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"{tool} is missing: packaging/dev/install-deps installs it")
    folder = tempfile.mkdtemp(prefix="eflow-pki-")
    pki = Pki(folder)
    pki.leaf("a", ID)
    pki.leaf("b", ID)


def tearDownModule():
    shutil.rmtree(folder)


def run(*command):
    subprocess.run(list(map(str, command)), check=True)


class BrokenMachine(unittest.TestCase):
    def setUp(self):
        self.box = Sandbox()
        self.addCleanup(self.box.close)

    def provision(self, name, *more):
        return self.box.agent("provision", "--scope-id", "0ne00A1B2C3", "--registration-id", ID, "--cert", pki.file(name + ".full.pem"),
                              "--key", pki.file(name + ".key"), *more)

    def mount(self, path, *options):
        target = self.box.path(path)
        target.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", ",".join(options), "lab", target)
        self.addCleanup(run, "umount", target)
        target.chmod(0o755)

    def assert_untouched(self, name, *words):
        before = self.box.snapshot()
        code, report = self.provision(name)
        self.assertEqual(code, 4, report)
        text = report["data"]["error"]["message"] + " " + report["data"]["error"]["remedy"]
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(self.box.snapshot(), before)

    def test_read_only_etc(self):
        self.mount("/etc/aziot", "size=1m")
        run("mount", "-o", "remount,ro", self.box.path("/etc/aziot"))
        self.assert_untouched("a", "/etc/aziot/config.toml", "Read-only", "read-only")

    def test_read_only_var(self):
        self.mount("/var", "size=1m")
        run("mount", "-o", "remount,ro", self.box.path("/var"))
        self.assert_untouched("a", "/var/lib", "Read-only")

    def test_full_disk_and_room_again(self):
        self.mount("/var", "size=64k")
        self.box.path("/var/lib").mkdir()
        self.assertEqual(self.provision("a")[0], 0)
        filler = self.box.path("/var/filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        self.assert_untouched("b", "No space", "df -h")
        filler.unlink()
        code, report = self.provision("b")
        self.assertEqual(code, 0, report)

    def test_immutable_config(self):
        config = self.box.path("/etc/aziot/config.toml")
        config.write_text("# sealed\n")
        run("chattr", "+i", config)
        self.addCleanup(run, "chattr", "-i", config)
        self.assert_untouched("a", "/etc/aziot/config.toml", "chattr -i")

    def test_a_segment_that_stops_a_reader(self):
        self.box.path("/var").chmod(0o750)
        self.assert_untouched("a", "aziotcs", "/var", "chmod o+rx /var")

    def test_two_at_once(self):
        self.assertEqual(self.provision("a")[0], 0)
        with open(self.box.path("/var/lib/eflow-agent/lock"), "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.box.snapshot()
            code, report = self.provision("b", "--no-wait")
            self.assertEqual(code, 4, report)
            self.assertIn("another run", report["data"]["error"]["message"])
            self.assertEqual(self.box.snapshot(), before)

    def test_a_journal_that_is_none(self):
        self.assertEqual(self.provision("a")[0], 0)
        self.box.path("/var/lib/eflow-agent/transaction.json").write_text("{nonsense")
        self.assert_untouched("b", "transaction.json", "previous-config.toml")


if __name__ == "__main__":
    unittest.main(verbosity=1)
