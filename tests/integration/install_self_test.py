#!/usr/bin/env python3
"""install-self below --root: what it puts where, that again changes nothing, that killed at any system call that writes it
may simply be run again, and that uninstalled it leaves nothing."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sandbox import AGENT, Sandbox  # noqa: E402

PROGRAM = "/var/lib/eflow-agent/bin/eflow-agent"
UNIT = "/etc/systemd/system/eflow-agent.service"
WANTED = "/etc/systemd/system/multi-user.target.wants/eflow-agent.service"
WRITING = ("mkdirat", "write", "fchown", "fchmod", "fsync", "linkat", "symlinkat", "renameat", "unlinkat")


class InstallSelf(unittest.TestCase):
    def setUp(self):
        self.box = Sandbox()
        self.addCleanup(self.box.close)
        for folder in ("usr", "usr/bin", "usr/lib", "usr/lib/systemd", "usr/lib/systemd/system", "etc/systemd",
                       "etc/systemd/system", "etc/systemd/system/multi-user.target.wants"):
            self.box.path(folder).mkdir()
            self.box.path(folder).chmod(0o755)
        (self.box.path("etc/systemd/system/multi-user.target.wants") / "other.service").symlink_to("/dev/null")
        self.box.path("usr/bin/iotedge").touch()
        (self.box.root / "etc/shadow").write_text("root:*:1::::::\n")
        with open(self.box.root / "etc/group", "a") as groups:
            groups.write("docker:x:70001:\nsystemd-journal:x:70002:\n")

    def agent(self, *arguments):
        code, report = self.box.agent("install-self", *arguments)
        return code, report

    def seen(self):
        """Everything but the databases of users, which systemd writes."""
        return {path: entry for path, entry in self.box.snapshot(without=("var/lib/eflow-agent/lock",)).items()
                if not path.startswith(("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/.pwd.lock"))}

    def assert_installed(self):
        self.assertEqual(self.box.path(PROGRAM).read_bytes(), pathlib.Path(AGENT).read_bytes())
        self.assertEqual(self.box.owner_and_mode(PROGRAM)[2], 0o755)
        unit = self.box.path(UNIT).read_text()
        self.assertIn(f"ExecStart={PROGRAM} watch\n", unit)
        self.assertNotIn("@AGENT@", unit)
        self.assertEqual(os.readlink(self.box.path(WANTED)), UNIT)
        self.assertIn("eflow-agent:", self.box.path("etc/passwd").read_text())
        groups = {line.split(":")[0]: line.strip().split(":")[3] for line in self.box.path("etc/group").read_text().splitlines()}
        self.assertEqual((groups["docker"], groups["systemd-journal"]), ("eflow-agent", "eflow-agent"))
        left = [path for path in self.seen() if ".eflow-agent." in path]
        self.assertEqual(left, [])

    def test_install_again_and_uninstall(self):
        before, users = self.seen(), self.box.path("etc/passwd").read_text()
        code, report = self.agent("--dry-run")
        self.assertEqual((code, self.seen()), (0, before), report)
        code, report = self.agent()
        self.assertEqual((code, {change["action"] for change in report["changes"]}), (0, {"created"}), report)
        self.assert_installed()
        installed = self.seen()
        code, report = self.agent()
        self.assertEqual((code, {change["action"] for change in report["changes"]}), (0, {"kept"}), report)
        self.assertEqual(self.seen(), installed)

        # The watcher's folder, with what its unprivileged user could plant there.
        watch = self.box.path("/var/lib/eflow-agent/watch")
        (watch / "deep/er").mkdir(parents=True)
        (watch / "deep/er/history").write_text("x")
        outside = self.box.top / "outside"
        outside.mkdir()
        (outside / "precious").write_text("x")
        (watch / "link").symlink_to(outside)
        code, report = self.agent("--uninstall")
        self.assertEqual((code, report["findings"]), (0, []), report)
        self.assertEqual(self.seen(), before)
        self.assertEqual(self.box.path("etc/passwd").read_text(), users)
        self.assertTrue((outside / "precious").exists())
        code, report = self.agent("--uninstall")
        self.assertEqual((code, report["changes"]), (0, []), report)

    def test_a_planted_link_is_not_followed(self):
        outside = self.box.top / "outside"
        outside.mkdir()
        (self.box.root / "var/lib/eflow-agent").mkdir(mode=0o755)
        self.box.path("/var/lib/eflow-agent/bin").symlink_to(outside)
        code, report = self.agent()
        self.assertEqual(code, 4, report)
        self.assertIn("symbolic link", report["data"]["error"]["message"])
        self.assertEqual(list(outside.iterdir()), [])
        self.assertFalse(self.box.path(UNIT).exists())

    def test_nothing_of_the_image_is_executed(self):
        trace = self.box.top / "trace"
        ours = {AGENT, "/usr/bin/systemd-sysusers"}
        for arguments in ((), ("--uninstall",)):
            done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve,execveat,chroot,pivot_root", "-o", trace, AGENT,
                                   "--root", self.box.root, "install-self", *arguments], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            calls = [line.split(None, 1)[1] for line in trace.read_text().splitlines() if "(" in line]
            self.assertEqual([call for call in calls if call.startswith(("chroot", "pivot_root"))], [])
            run = {call.split('"')[1] for call in calls if call.startswith("execve")}
            self.assertLessEqual(run, {str(one) for one in ours}, arguments)
        self.assertNotIn("eflow-agent", self.box.path("etc/passwd").read_text() + self.box.path("etc/group").read_text())

    def test_uninstalled_where_an_update_brought_the_images_own_agent(self):
        self.assertEqual(self.agent()[0], 0)
        image = "/usr/lib/systemd/system/eflow-agent.service"
        self.box.path(image).write_text("")
        (self.box.path("/var/lib/eflow-agent/watch")).mkdir()
        code, report = self.agent("--uninstall")
        self.assertEqual(code, 0, report)
        self.assertFalse(self.box.path(PROGRAM).exists() or self.box.path(UNIT).exists())
        # What is the image's agent's from now on stays, and it is enabled.
        self.assertTrue(self.box.path("/var/lib/eflow-agent/watch").exists())
        self.assertIn("eflow-agent:", self.box.path("etc/passwd").read_text())
        self.assertEqual(os.readlink(self.box.path(WANTED)), image)
        code, report = self.agent("--uninstall")
        self.assertEqual((code, report["changes"]), (0, []), report)

    def test_refusals(self):
        before = self.seen()
        self.box.path("/usr/lib/systemd/system/eflow-agent.service").write_text("")
        code, report = self.agent()
        self.assertEqual((code, report["findings"][0]["id"]), (3, "install.image"), report)
        self.box.path("/usr/lib/systemd/system/eflow-agent.service").unlink()
        self.box.path("/usr/bin/iotedge").unlink()
        self.box.path("/etc/iotedge").mkdir()
        self.box.path("/etc/iotedge/config.yaml").touch()
        code, report = self.agent()
        self.assertEqual((code, report["findings"][0]["id"]), (4, "install.edge-version"), report)
        shutil.rmtree(self.box.path("/etc/iotedge"))
        self.box.path("/usr/bin/iotedge").touch()
        self.assertEqual({path for path in self.seen() if path not in before}, set())

        # A provision that was cut off is completed before anything else.
        state = self.box.root / "var/lib/eflow-agent"
        state.mkdir(mode=0o755)
        (state / "transaction.json").write_text("{}")
        for arguments in ((), ("--uninstall",)):
            code, report = self.agent(*arguments)
            self.assertEqual((code, report["findings"][0]["id"]), (4, "install.change-under-way"), report)

    def killed_at(self, call, number):
        """Runs it so that the number-th such call kills it; whether that call came."""
        with tempfile.NamedTemporaryFile() as trace:
            done = subprocess.run(["strace", "-qq", "-o", trace.name, "-e", f"trace={call}", "-e",
                                   f"inject={call}:signal=KILL:when={number}", AGENT, "--root", self.box.root, "install-self"],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        return done.returncode != 0

    def interrupted(self, prepare):
        cases = 0
        for call in WRITING:
            number = 1
            while True:
                prepare()
                if not self.killed_at(call, number):
                    break
                cases += 1
                program = self.box.path(PROGRAM)
                if program.exists():
                    self.assertIn(program.read_bytes(), (pathlib.Path(AGENT).read_bytes(), self.OLD))
                if self.box.path(WANTED).is_symlink():
                    self.assertTrue(self.box.path(UNIT).exists(), (call, number))
                code, report = self.agent()
                self.assertEqual(code, 0, (call, number, report))
                self.assert_installed()
                # A write more of a long file shows nothing new.
                number += 1 if call != "write" or number < 4 else 100
        return cases

    OLD = b"\x7fELF an older program"

    def test_killed_anywhere_it_may_be_run_again(self):
        databases = {name: self.box.path(f"etc/{name}").read_bytes() for name in ("passwd", "group", "shadow")}

        def nothing():
            shutil.rmtree(self.box.path("/var/lib/eflow-agent"), ignore_errors=True)
            for path in (UNIT, WANTED):
                self.box.path(path).unlink(missing_ok=True)
            for name, content in databases.items():
                self.box.path(f"etc/{name}").write_bytes(content)

        def older():
            nothing()
            self.box.path(PROGRAM).parent.mkdir(parents=True)
            for folder in (self.box.path(PROGRAM).parent, self.box.path(PROGRAM).parent.parent):
                folder.chmod(0o755)
            self.box.path(PROGRAM).write_bytes(self.OLD)
            self.box.path(UNIT).write_text("[Unit]\n")
            self.box.path(WANTED).symlink_to(UNIT)

        self.assertGreater(self.interrupted(nothing), 12)
        self.assertGreater(self.interrupted(older), 10)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("install-self makes a user: this test needs root")
    if shutil.which("strace") is None:
        sys.exit("strace is missing: packaging/dev/install-deps installs it")
    unittest.main(verbosity=2)
