#!/usr/bin/env python3
"""Files on a device: whose they are, who reads them, what config.toml names, and what people are told to do about it."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.sandbox import AGENT, Pki, Sandbox  # noqa: E402

DPS = '''[provisioning]
source = "dps"
global_endpoint = "https://global.azure-devices-provisioning.net"
id_scope = "0ne00A1B2C3"

[provisioning.attestation]
method = "x509"
identity_cert = "file:///var/aziot/certs/id.pem"
identity_pk = "file:///var/aziot/secrets/id.key.pem"
'''
NOBODY = 65534


def setUpModule():
    if os.geteuid() != 0:
        raise RuntimeError("owners are set, which takes root")


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="eflow-files-")
        cls.pki = Pki(cls.folder.name)
        cls.cert, cls.key = cls.pki.leaf("gw", "gw-1")
        cls.pki.authority("edge-ca", "intermediate", "gw-1.ca")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.box = Sandbox()
        self.addCleanup(self.box.close)

    def put(self, path, data, owner="root:root", mode=0o644):
        at = self.box.path(path)
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(data if isinstance(data, bytes) else data.encode())
        self.own(path, owner, mode)

    def own(self, path, owner, mode):
        user, group = owner.split(":")
        os.chown(self.box.path(path), self.box.uids.get(user, NOBODY), self.box.gids.get(group, NOBODY))
        self.box.path(path).chmod(mode)

    def folder_at(self, path, owner="root:root", mode=0o755):
        self.box.path(path).mkdir(parents=True, exist_ok=True)
        self.own(path, owner, mode)

    def device(self, layout="ours", config=DPS, config_mode=0o600):
        """A device with an identity of files in Microsoft's layout or in ours."""
        folders, files = {"ours": (("root:aziotcs", 0o755, "root:aziotks", 0o750), ("root:aziotcs", 0o644, "root:aziotks", 0o440)),
                          "microsoft": (("aziotcs:aziotcs", 0o755, "aziotks:aziotks", 0o700),
                                        ("aziotcs:aziotcs", 0o644, "aziotks:aziotks", 0o600))}[layout]
        self.folder_at("/var/aziot")
        self.folder_at("/var/aziot/certs", *folders[:2])
        self.folder_at("/var/aziot/secrets", *folders[2:])
        self.put("/var/aziot/certs/id.pem", self.cert.read_bytes(), *files[:2])
        self.put("/var/aziot/secrets/id.key.pem", self.key.read_bytes(), *files[2:])
        self.put("/etc/aziot/config.toml", config, mode=config_mode)

    def check(self, *options):
        code, report = self.box.agent("check", "--offline", *options)
        worst = {}
        for one in report["findings"]:
            order = ["skipped", "ok", "warning", "failed"]
            worst[one["id"]] = max(worst.get(one["id"], "skipped"), one["severity"], key=order.index)
        return code, report, worst

    def one(self, report, id):
        return next(one for one in report["findings"] if one["id"] == id)

    def as_nobody(self, *arguments):
        self.box.top.chmod(0o755)
        agent = [AGENT, "--root", str(self.box.root), "--json", *arguments]
        done = subprocess.run(agent, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, user=NOBODY, group=NOBODY,
                              extra_groups=[])
        return done.returncode, json.loads(done.stdout)

    # --- layouts and modes ---

    def test_microsofts_layout_is_healthy(self):
        self.device("microsoft")
        code, report, worst = self.check()
        self.assertEqual([id for id, severity in worst.items() if severity == "failed"], [])
        self.assertNotIn(report["phase"], ("failed", "degraded"))
        self.assertEqual(code, 0)

    def test_config_toml_by_what_stands_in_it(self):
        self.device(config_mode=0o644)
        self.assertEqual(self.check()[2]["files.owner-and-mode"], "warning")
        self.box.path("/etc/aziot/config.toml").chmod(0o666)
        self.assertEqual(self.check()[2]["files.owner-and-mode"], "failed")
        secret = ('[provisioning]\nsource = "manual"\nconnection_string = "HostName=h.azure-devices.net;DeviceId=d;'
                  'SharedAccessKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ="\n')
        self.put("/etc/aziot/config.toml", secret, mode=0o644)
        code, report, worst = self.check()
        self.assertEqual((code, worst["files.owner-and-mode"]), (1, "failed"))
        self.assertNotIn("c2VjcmV0", json.dumps(report))

    def test_manual_x509_is_judged(self):
        text = DPS.replace('source = "dps"', 'source = "manual"\niothub_hostname = "hub7.azure-devices.net"\ndevice_id = "saw-3"')
        text = "\n".join(line for line in text.replace("attestation", "authentication").splitlines()
                         if not line.startswith(("global_endpoint", "id_scope")))
        self.device("microsoft", text)
        self.assertEqual(self.check()[2]["identity.current"], "ok")
        old, _ = self.pki.leaf("old", "saw-3", end="20240101000000Z")
        self.put("/var/aziot/certs/id.pem", old.read_bytes(), "aziotcs:aziotcs")
        self.put("/var/aziot/secrets/id.key.pem", self.pki.file("old.key").read_bytes(), "aziotks:aziotks", 0o600)
        self.assertEqual(self.check()[2]["identity.current"], "failed")

    # --- what else config.toml names ---

    def edge_ca(self, certificate="edge-ca.pem", key="edge-ca.key"):
        self.put("/var/aziot/certs/edge-ca.pem", self.pki.file(certificate).read_bytes(), "root:aziotcs")
        self.put("/var/aziot/secrets/edge-ca.key.pem", self.pki.file(key).read_bytes(), "root:aziotks", 0o440)
        return DPS + '\n[edge_ca]\ncert = "file:///var/aziot/certs/edge-ca.pem"\npk = "file:///var/aziot/secrets/edge-ca.key.pem"\n'

    def test_the_edge_ca_is_judged_and_its_key_in_use(self):
        self.device(config=self.edge_ca())
        _, report, worst = self.check()
        self.assertEqual(worst["identity.edge-ca"], "ok")
        self.assertEqual(worst["files.no-stray-keys"], "ok", report)
        self.device(config=self.edge_ca("gw.pem", "gw.key"))
        self.assertEqual(self.check()[2]["identity.edge-ca"], "failed")
        self.device(config=self.edge_ca(key="gw.key"))
        self.assertEqual(self.check()[2]["identity.edge-ca"], "failed")

    def test_no_key_of_a_device_is_to_be_destroyed_while_its_config_cannot_be_read(self):
        self.device(config=self.edge_ca())
        whole = self.edge_ca()
        for broken in (whole + "\n[agent\n", whole.replace('"x509"', '"x509'), whole.replace("identity_pk", "identity_key"),
                       "\n".join("# " + line for line in whole.splitlines()), "a = []\n[a.b]\n", None):
            with self.subTest(broken):
                if broken is None:
                    self.box.path("/etc/aziot/config.toml").unlink()
                else:
                    self.put("/etc/aziot/config.toml", broken, mode=0o600)
                _, report, worst = self.check()
                self.assertIn(worst["files.no-stray-keys"], ("ok", "skipped"))
                for finding in report["findings"]:
                    self.assertNotIn("shred", finding["remedy"])
                self.assertEqual(self.one(report, "files.no-stray-keys")["remedy"], "")

    def test_provision_refuses_what_edged_and_identityd_could_not_use(self):
        self.edge_ca()
        self.put("/var/aziot/certs/leaf.pem", self.pki.file("gw.pem").read_bytes())
        self.put("/etc/aziot/payload.json", "{}", mode=0o600)
        self.put("/var/aziot/certs/empty.pem", "")
        self.folder_at("/home/ops", mode=0o700)
        self.put("/home/ops/root.pem", self.pki.file("root.pem").read_bytes())
        manifest = pathlib.Path(self.folder.name) / "device.toml"
        text = (f'schema = 1\n[provisioning]\nscope_id = "0ne00A1B2C3"\nregistration_id = "gw-1"\n%s\n[identity]\n'
                f'certificate = "{self.cert}"\nprivate_key = "{self.key}"\n[edge]\n%s\n')
        ca = 'edge_ca = { certificate = "/var/aziot/certs/%s", private_key = "/var/aziot/secrets/edge-ca.key.pem" }'
        rows = [("", ca % "leaf.pem", "identity.edge-ca"), ("", ca % "none.pem", "identity.edge-ca"),
                ("", 'trust_bundle = "/var/aziot/certs/empty.pem"', "config.trust-bundle"),
                ("", 'trust_bundle = "/home/ops/root.pem"', "files.readable-by-aziotcs"),
                ('payload = "/etc/aziot/payload.json"', "", "files.readable-by-aziotid")]
        before = self.box.snapshot()
        for payload, edge, id in rows:
            with self.subTest(payload + edge):
                manifest.write_text(text % (payload, edge))
                code, report = self.box.agent("provision", "--manifest", manifest, "--no-apply")
                self.assertEqual((code, self.one(report, id)["severity"]), (3, "failed"), report)
                self.assertEqual(self.box.snapshot(), before)
        self.own("/etc/aziot/payload.json", "root:aziotid", 0o440)
        manifest.write_text(text % ('payload = "/etc/aziot/payload.json"', ca % "edge-ca.pem"))
        code, report = self.box.agent("provision", "--manifest", manifest, "--no-apply")
        self.assertEqual(code, 0, report)
        self.assertEqual(self.check()[2]["identity.edge-ca"], "ok")

    # --- who could not look ---

    def test_who_could_not_look_says_so(self):
        self.device()
        code, report = self.as_nobody("check", "--offline")
        self.assertEqual(code, 4)
        self.assertIn("config.toml", report["data"]["unseen"])
        self.put("/var/lib/eflow-agent/watch/history.jsonl", "", mode=0o600)
        code, report = self.as_nobody("history")
        self.assertEqual(code, 4)
        self.assertIn("may not be read", report["data"]["error"]["message"])
        self.assertEqual(self.box.agent("history")[0], 0)

    def test_a_key_that_the_caller_may_not_read_is_told_from_a_wrong_path(self):
        self.put("/etc/secret.key", self.key.read_bytes(), mode=0o600)
        pathlib.Path(self.folder.name).chmod(0o755)
        code, report = self.as_nobody("provision", "--scope-id", "0ne00A1B2C3", "--registration-id", "gw-1", "--cert",
                                      str(self.cert), "--key", str(self.box.path("/etc/secret.key")), "--dry-run")
        finding = self.one(report, "identity.key-readable")
        self.assertEqual(code, 3)
        self.assertIn("may not read", finding["detail"])
        self.assertIn("sudo", finding["remedy"])
        self.assertNotIn("Check the path", finding["remedy"])

    def test_without_iot_edge_that_is_said_first(self):
        self.box.path("/etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
        self.box.path("/etc/group").write_text("root:x:0:\n")
        code, report, worst = self.check()
        self.assertEqual((report["findings"][0]["id"], report["findings"][0]["severity"], code), ("services.installed", "failed", 1))
        self.assertIn("not installed", report["data"]["because"])
        code, report = self.box.agent("provision", "--scope-id", "bad scope", "--registration-id", "gw-1", "--cert", "/none", "--key", "/none")
        self.assertEqual(code, 4)
        self.assertIn("not installed", report["data"]["error"]["message"])

    def test_a_report_that_cannot_be_written_is_no_success(self):
        for arguments in (["check", "--list"], ["--version"], ["--help"], ["cert", "inspect", str(self.cert)]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([AGENT, "--json", *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 4, arguments)
            self.assertIn(b"could not be written", done.stderr)

    # --- names ---

    HOSTILE = ["x; touch pwned", "$(touch pwned)", "`touch pwned`", "a\ntouch pwned", "it's", '"; touch pwned; "', "--help",
               "\x1b]0;x\x07", "a b", "\u202egnp", "back\\slash", "caf\u00e9", "*"]

    def test_a_name_cannot_run_or_forge_a_line(self):
        """The remedies are run with programs that write down their arguments: each name comes out as it is, and nothing
        else runs."""
        self.device()
        self.folder_at("/tmp", mode=0o1777)
        self.folder_at("/home/ops", "nobody:nobody")
        paths = set()
        for place, owner in (("/tmp/", "nobody:nobody"), ("/home/ops/", "nobody:nobody"), ("/var/aziot/", "root:root")):
            for name in self.HOSTILE:
                self.put(place + name, self.key.read_bytes(), owner, 0o600)
                paths.add(place + name)
        tempted = "/var/aziot/secrets/x; touch pwned.pem"
        self.put(tempted, self.key.read_bytes(), mode=0o600)
        self.put("/etc/aziot/config.toml", DPS.replace("/var/aziot/secrets/id.key.pem", tempted.replace(" ", "%20")), mode=0o600)
        paths |= {tempted, "/var/aziot/secrets/id.key.pem"}
        _, report, worst = self.check()
        self.assertNotEqual(worst["files.no-stray-keys"], "failed")
        self.assertEqual(worst["files.readable-by-aziotks"], "failed")
        with tempfile.TemporaryDirectory() as folder:
            bin = pathlib.Path(folder) / "bin"
            bin.mkdir()
            stub = bin / "stub"
            stub.write_text("#!" + sys.executable + "\nimport json, os, sys\nopen(os.environ['RAN'], 'a').write("
                            "json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + '\\n')\n")
            stub.chmod(0o755)
            for name in ("sudo", "chmod", "chown", "mv", "ls", "grep", "touch"):
                (bin / name).symlink_to("stub")
            ran = pathlib.Path(folder) / "ran"
            count = 0
            for finding in report["findings"]:
                for text in (finding["detail"], finding["remedy"]):
                    self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f\u202e]")
                for line in finding["remedy"].splitlines():
                    if line.split(" ")[0] not in ("sudo", "ls", "chmod", "chown"):
                        continue
                    count += 1
                    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, cwd=folder,
                                          env={"PATH": str(bin), "RAN": str(ran), "LC_ALL": "C.UTF-8"})
                    self.assertEqual((done.returncode, done.stderr), (0, ""), line)
            calls = [json.loads(line) for line in ran.read_text().splitlines()]
            self.assertEqual(len(calls), count, "a line is one command")
            named = {argument for call in calls for argument in call if argument.startswith("/")}
            self.assertLessEqual(named - {"/root", "/var/aziot/secrets"}, paths)
            self.assertEqual([call for call in calls if "touch" in call or call[0] == "touch"], [])
            self.assertGreater(count, 15)

    def test_what_anybody_can_make_holds_up_nothing(self):
        self.folder_at("/tmp", mode=0o1777)
        self.put("/tmp/planted.pem", self.key.read_bytes(), "nobody:nobody", 0o644)
        code, report = self.box.agent("provision", "--scope-id", "0ne00A1B2C3", "--registration-id", "gw-1", "--cert", self.cert,
                                      "--key", self.key, "--no-apply")
        self.assertEqual(code, 0, report)
        code, report, worst = self.check()
        self.assertEqual((code, worst["files.no-stray-keys"]), (0, "warning"))
        self.assertNotIn(report["phase"], ("failed", "degraded"))
        for n in range(2100):
            self.box.path(f"/tmp/{n}").touch()
        code, report, worst = self.check()
        self.assertEqual((code, worst["files.no-stray-keys"]), (0, "warning"))
        self.assertIn("cut", self.one(report, "files.no-stray-keys")["detail"])


if __name__ == "__main__":
    unittest.main()
