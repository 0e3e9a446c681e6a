#!/usr/bin/env python3
"""packaging/windows: the zip, and the Ansible role, which passes ansible-lint and the syntax check and is run against Wine."""
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest
import zipfile

from scenario import AGENT_STANDIN, DEVICE, SCOPE, Scenario
from wine import BUILD, environment

HERE = pathlib.Path(__file__).resolve().parent
PACKAGING = HERE.parents[1] / "packaging" / "windows"
ANSIBLE = PACKAGING / "ansible"


class Zip(unittest.TestCase):
    def make(self, folder):
        done = subprocess.run([PACKAGING / "make-zip", "--shim", BUILD / "bin/eflow-shim.exe", "--agent", AGENT_STANDIN, "--out", folder],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return pathlib.Path(done.stdout.strip())

    def test_holds_what_it_should_and_is_the_same_twice(self):
        import tempfile
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            first = self.make(one)
            self.assertEqual(first.read_bytes(), self.make(two).read_bytes())
            with zipfile.ZipFile(first) as archive:
                archive.extractall(one)
                names = {re.sub(r"^[^/]+/", "", name) for name in archive.namelist()}
            self.assertLessEqual({"eflow-shim.exe", "eflow-agent", "LICENSE.txt", "THIRD-PARTY.txt", "README.md", "device.toml",
                                  "Detect-EflowDevice.ps1", "SHA256SUMS", "ansible/provision.yml"}, names)
            folder = first.with_suffix("")
            check = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
            self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
            files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"SHA256SUMS"}
            self.assertEqual({line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}, files)


class Role(Scenario):
    def run_role(self, **variables):
        collections = pathlib.Path(self.workshop.name) / "collections"
        collections.mkdir(exist_ok=True)
        if not (collections / "ansible_collections").exists():
            (collections / "ansible_collections").symlink_to(HERE / "ansible_collections")
        inventory = pathlib.Path(self.workshop.name) / "hosts.json"
        inventory.write_text(json.dumps({"eflow_hosts": {"hosts": {DEVICE: {"ansible_connection": "local"}}}}))
        source = pathlib.Path(self.workshop.name) / "zip"
        source.mkdir(exist_ok=True)
        (source / "eflow-shim.exe").write_bytes((BUILD / "bin/eflow-shim.exe").read_bytes())
        (source / "eflow-agent").write_bytes(pathlib.Path(AGENT_STANDIN).read_bytes())
        values = {"eflow_device_source": str(source), "eflow_device_scope_id": SCOPE,
                  "eflow_device_certificate": str(self.pki.file("device.full.pem")),
                  "eflow_device_key": str(self.pki.file("device.key"))} | variables
        return subprocess.run(["ansible-playbook", "-i", str(inventory), "-e", json.dumps(values), str(ANSIBLE / "provision.yml")],
                              env=environment(self.prefix.path) | {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1",
                                                                   "ANSIBLE_LOCALHOST_WARNING": "False", "LC_ALL": "C.UTF-8"},
                              capture_output=True, text=True, timeout=300)

    def test_provisions_and_takes_the_key_from_the_host(self):
        done = self.run_role()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual((self.world.config["scope"], self.world.config["key"]), (SCOPE, self.key))
        identity = self.prefix.linux("C:\\ProgramData\\eflow-identity")
        self.assertEqual(sorted(path.name for path in identity.iterdir()), ["device.toml", "full-chain.cert.pem"])
        self.assertNotIn(self.key.decode().splitlines()[1], done.stdout + done.stderr)
        self.assertEqual(json.loads((self.home() / "state.json").read_text())["finished"], True)

    def test_a_failure_fails_the_play_and_still_takes_the_key(self):
        self.world.facts["service"]["status"] = "Stopped"
        done = self.run_role(eflow_device_scope_id='0ne00A1B2C3"\n[host]\nx = "')
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(self.world.calls, [])
        self.assertFalse((self.prefix.linux("C:\\ProgramData\\eflow-identity") / "device.key.pem").exists())


class Lint(unittest.TestCase):
    def test_ansible_lint(self):
        done = subprocess.run(["ansible-lint", "--offline", "--nocolor", "--profile", "production", "provision.yml"], cwd=ANSIBLE,
                              capture_output=True, text=True, timeout=300, env=os.environ | {"LC_ALL": "C.UTF-8"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Passed", done.stdout + done.stderr)

    def test_syntax_check(self):
        done = subprocess.run(["ansible-playbook", "--syntax-check", "-i", "localhost,", "provision.yml"], cwd=ANSIBLE,
                              capture_output=True, text=True, timeout=120, env=os.environ | {"LC_ALL": "C.UTF-8"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
