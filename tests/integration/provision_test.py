#!/usr/bin/env python3
"""`eflow-agent provision` as its user runs it: real files in a sandbox, certificates by the openssl command line, and
Python's own TOML parser as the reader of what it wrote."""
import hashlib
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sandbox import AGENT, KEYS, LEAF, Pki, Sandbox, openssl  # noqa: E402

SCOPE, ID = "0ne00A1B2C3", "plant7-gw-03"


def setUpModule():
    global pki, pki_folder
    pki_folder = tempfile.mkdtemp(prefix="eflow-pki-")
    pki = Pki(pki_folder)
    pki.leaf("good", ID)


def tearDownModule():
    shutil.rmtree(pki_folder)


def identity(cert, key, *more, scope=SCOPE, registration_id=ID):
    return ["provision", "--scope-id", scope, "--registration-id", registration_id, "--cert", cert, "--key", key, *more]


def good(*more):
    return identity(pki.file("good.full.pem"), pki.file("good.key"), *more)


def fp8(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read_text())).hexdigest()[:8]


def severities(report, severity):
    return {finding["id"] for finding in report["findings"] if finding["severity"] == severity}


class InSandbox(unittest.TestCase):
    def setUp(self):
        self.box = Sandbox()
        self.addCleanup(self.box.close)


class Placement(InSandbox):
    def assert_placed(self, name):
        mark = fp8(pki.file(name + ".pem"))
        certificate = f"/var/aziot/certs/device-id-{mark}.cert.pem"
        key = f"/var/aziot/secrets/device-id-{mark}.key.pem"
        uids, gids = self.box.uids, self.box.gids
        for path, owner, group, mode in [("/etc/aziot/config.toml", "root", "root", 0o600), ("/var/aziot", "root", "root", 0o755),
                                         ("/var/aziot/certs", "root", "aziotcs", 0o755), (certificate, "root", "aziotcs", 0o644),
                                         ("/var/aziot/secrets", "root", "aziotks", 0o750), (key, "root", "aziotks", 0o440),
                                         ("/var/lib/eflow-agent", "root", "root", 0o755)]:
            self.assertEqual(self.box.owner_and_mode(path), (uids[owner], gids[group], mode), path)
        with open(self.box.path("/etc/aziot/config.toml"), "rb") as file:
            config = tomllib.load(file)
        self.assertEqual(config["provisioning"], {
            "source": "dps", "global_endpoint": "https://global.azure-devices-provisioning.net/", "id_scope": SCOPE,
            "attestation": {"method": "x509", "identity_cert": "file://" + certificate, "identity_pk": "file://" + key}})
        placed = self.box.path(key)
        self.assertTrue(placed.read_text().startswith("-----BEGIN PRIVATE KEY-----"))
        same = [openssl("pkey", "-in", file, "-pubout") for file in (placed, pki.file(name + ".key"))]
        self.assertEqual(*same)
        self.assertEqual(openssl("x509", "-in", self.box.path(certificate), "-noout", "-fingerprint"),
                         openssl("x509", "-in", pki.file(name + ".pem"), "-noout", "-fingerprint"))

    def test_every_key_kind_and_form(self):
        for kind in ("rsa2048", "rsa4096", "p256"):
            chain, key = pki.leaf(f"kind-{kind}", ID, kind)
            for form in (key, pki.pkcs8(f"kind-{kind}")):
                with self.subTest(kind=kind, form=form.read_text().splitlines()[0]):
                    box, self.box = self.box, Sandbox()
                    try:
                        code, report = self.box.agent(*identity(chain, form))
                        self.assertEqual(code, 0, report)
                        self.assert_placed(f"kind-{kind}")
                    finally:
                        self.box.close()
                        self.box = box

    def test_report_names_every_change_with_owner_and_mode(self):
        code, report = self.box.agent(*good())
        self.assertEqual(code, 0, report)
        self.assertEqual((report["schema"], report["program"], report["verb"], report["ok"]), (1, "eflow-agent", "provision", True))
        changes = {change["path"]: change for change in report["changes"]}
        mark = fp8(pki.file("good.pem"))
        key = changes[f"/var/aziot/secrets/device-id-{mark}.key.pem"]
        self.assertEqual((key["action"], key["owner"], key["group"], key["mode"]), ("created", "root", "aziotks", "0440"))
        self.assertEqual(changes["/etc/aziot/config.toml"]["action"], "created")

    def test_registration_id_is_written_only_when_it_differs_from_the_cn(self):
        code, report = self.box.agent(*identity(pki.file("good.full.pem"), pki.file("good.key"), registration_id=ID.upper()))
        self.assertEqual(code, 0, report)
        config = tomllib.loads(self.box.path("/etc/aziot/config.toml").read_text())
        self.assertEqual(config["provisioning"]["attestation"]["registration_id"], ID.upper())

    def test_again_changes_nothing_and_says_kept(self):
        self.assertEqual(self.box.agent(*good())[0], 0)
        before = {path: path.stat().st_mtime_ns for path in self.box.root.rglob("*")}
        code, report = self.box.agent(*good())
        self.assertEqual(code, 0)
        self.assertEqual({change["action"] for change in report["changes"]}, {"kept"})
        self.assertEqual(before, {path: path.stat().st_mtime_ns for path in self.box.root.rglob("*")})

    def test_a_new_certificate_replaces_and_the_old_stays_until_applied(self):
        self.assertEqual(self.box.agent(*good())[0], 0)
        chain, key = pki.leaf("next", ID)
        code, report = self.box.agent(*identity(chain, key))
        self.assertEqual(code, 0, report)
        self.assert_placed("next")
        self.assertTrue(self.box.path(f"/var/aziot/secrets/device-id-{fp8(pki.file('good.pem'))}.key.pem").exists())

    def test_every_other_byte_of_config_toml_stays(self):
        text = '# first\nhostname = "h"   # mine\n\n[agent]\nname = "edgeAgent"\ntype = "docker"\n\n[agent.config]\nimage = "a:1"\n# last'
        self.box.path("/etc/aziot/config.toml").write_text(text)
        self.assertEqual(self.box.agent(*good())[0], 0)
        after = self.box.path("/etc/aziot/config.toml").read_text()
        self.assertTrue(after.startswith(text))

    def test_another_method_needs_force(self):
        text = '[provisioning]\nsource = "manual"\nconnection_string = "HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0"\n'
        self.box.path("/etc/aziot/config.toml").write_text(text)
        before = self.box.snapshot()
        code, report = self.box.agent(*good())
        self.assertEqual((code, "config.matches-manifest" in severities(report, "failed")), (3, True), report)
        self.assertEqual(self.box.snapshot(), before)
        code, report = self.box.agent(*good("--force", "--dry-run"))
        self.assertEqual(code, 0, report)
        self.assertIn("-connection_string", report["data"]["diff"])
        self.assertNotIn("c2VjcmV0", report["data"]["diff"])
        self.assertEqual(self.box.agent(*good("--force"))[0], 0)

    def test_dry_run_writes_nothing(self):
        before = self.box.snapshot(without=())
        code, report = self.box.agent(*good("--dry-run"))
        self.assertEqual(code, 0, report)
        self.assertIn('+id_scope = "0ne00A1B2C3"', report["data"]["diff"])
        self.assertIn("created", {change["action"] for change in report["changes"]})
        self.assertEqual(self.box.snapshot(without=()), before)

    def test_umask_and_wrong_directories_are_mended(self):
        for folder in ("/var/aziot", "/var/aziot/certs", "/var/aziot/secrets"):
            self.box.path(folder).mkdir()
            self.box.path(folder).chmod(0o700)
        self.assertEqual(self.box.agent(*good())[0], 0)
        self.assert_placed("good")

    def test_manifest_gives_the_same(self):
        manifest = self.box.top / "device.toml"
        shutil.copy(pki.file("good.full.pem"), self.box.top / "chain.pem")
        shutil.copy(pki.file("good.key"), self.box.top / "key.pem")
        manifest.write_text(f'schema = 1\n[provisioning]\nscope_id = "{SCOPE}"\nregistration_id = "{ID}"\n'
                            '[identity]\ncertificate = "chain.pem"\nprivate_key = "key.pem"\n')
        code, report = self.box.agent("provision", "--manifest", manifest)
        self.assertEqual(code, 0, report)
        self.assert_placed("good")
        manifest.write_text(manifest.read_text().replace("scope_id", "scopeid"))
        code, report = self.box.agent("provision", "--manifest", manifest)
        self.assertEqual(code, 3)
        self.assertIn("scope_id", report["data"]["error"]["message"] + report["data"]["error"]["remedy"])

    def test_deprovision_leaves_nothing_of_ours(self):
        text = '# mine\nhostname = "h"\n'
        self.box.path("/etc/aziot/config.toml").write_text(text)
        self.box.path("/etc/aziot/config.toml").chmod(0o600)
        before = self.box.snapshot()
        self.assertEqual(self.box.agent(*good())[0], 0)
        code, report = self.box.agent("deprovision")
        self.assertEqual(code, 0, report)
        after = self.box.snapshot()
        self.assertEqual(self.box.path("/etc/aziot/config.toml").read_text().rstrip("\n"), text.rstrip("\n"))
        self.assertEqual(set(before), set(after))


class Refusals(InSandbox):
    """Each bad identity: exit 3, the right id, and no change on disk."""

    def assert_refused(self, expected, cert, key, *more, **options):
        before = self.box.snapshot(without=())
        code, report = self.box.agent(*identity(cert, key, *more, **options))
        self.assertEqual(code, 3, report)
        self.assertLessEqual(set(expected), severities(report, "failed"), report)
        self.assertEqual(self.box.snapshot(without=()), before)
        for finding in report["findings"]:
            if finding["severity"] == "failed":
                self.assertTrue(finding["summary"] and finding["detail"] and finding["remedy"], finding)

    def test_wrong_pair(self):
        self.assert_refused(["identity.key-matches"], pki.file("good.full.pem"), pki.key("stranger"))

    def test_wrong_order(self):
        self.assert_refused(["identity.leaf-first"], pki.chain("reversed.pem", "intermediate", "good"), pki.file("good.key"))

    def test_missing_intermediate(self):
        self.assert_refused(["identity.chain-complete"], pki.chain("gap.pem", "good", "root"), pki.file("good.key"))

    def test_ca_as_leaf(self):
        chain, key = pki.leaf("ca-leaf", ID, extensions="basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,digitalSignature\n")
        self.assert_refused(["identity.not-a-ca"], chain, key)

    def test_server_only(self):
        chain, key = pki.leaf("server", ID, extensions=LEAF.replace("clientAuth", "serverAuth"))
        self.assert_refused(["identity.client-auth"], chain, key)

    def test_no_digital_signature(self):
        chain, key = pki.leaf("no-ds", ID, extensions=LEAF.replace("digitalSignature,", ""))
        self.assert_refused(["identity.client-auth"], chain, key)

    def test_expired_and_not_yet_valid(self):
        self.assert_refused(["identity.current"], *pki.leaf("expired", ID, end="20210101000000Z"))
        self.assert_refused(["identity.current"], *pki.leaf("future", ID, start="20360101000000Z", end="20370101000000Z"))

    def test_after_2038(self):
        chain, key = pki.leaf("late", ID, end="20380101000000Z")
        self.assert_refused(["identity.before-2038"], chain, key)
        self.assertEqual(self.box.agent(*identity(chain, key, "--allow-after-2038"))[0], 0)

    def test_cn(self):
        self.assert_refused(["identity.cn-matches-registration-id"], *pki.leaf("other", "another-device"))
        self.assert_refused(["identity.cn-valid"], *pki.leaf("nameless", ""))
        self.assert_refused(["identity.cn-valid"], *pki.leaf("spaces", "a device"))

    def test_keys_that_keyd_cannot_serve(self):
        self.assert_refused(["identity.key-usable"], *pki.leaf("p384", ID, "p384"))
        self.assert_refused(["identity.key-usable"], *pki.leaf("ed25519", ID, "ed25519"))

    def test_weak(self):
        self.assert_refused(["identity.key-strength"], *pki.leaf("rsa1024", ID, "rsa1024"))
        self.assert_refused(["identity.signature-strength"], *pki.leaf("sha1", ID, digest="sha1"))

    def test_forged_signature(self):
        pki.authority("impostor", None, "Test Intermediate")
        pki.leaf("forged", ID, issuer="impostor")
        self.assert_refused(["identity.chain-verifies"], pki.chain("forged.pem2", "forged", "intermediate"), pki.file("forged.key"))

    def test_encrypted_keys(self):
        for name, command in [("legacy", ["rsa", "-traditional", "-aes256", "-passout", "pass:1234", "-in", pki.key("clear", "rsa2048")]),
                              ("pkcs8", ["pkcs8", "-topk8", "-passout", "pass:1234", "-in", pki.file("good.key")])]:
            with self.subTest(name):
                made = pki.file(name + ".encrypted")
                openssl(*command, "-out", made)
                self.assert_refused(["identity.key-readable"], pki.file("good.full.pem"), made)
                _, report = self.box.agent(*identity(pki.file("good.full.pem"), made))
                remedy = next(f["remedy"] for f in report["findings"] if f["id"] == "identity.key-readable")
                self.assertIn("openssl", remedy)

    def test_other_formats_are_named(self):
        der, pfx = pki.file("good.der"), pki.file("good.pfx")
        openssl("x509", "-in", pki.file("good.pem"), "-outform", "DER", "-out", der)
        openssl("pkcs12", "-export", "-in", pki.file("good.pem"), "-inkey", pki.file("good.key"), "-passout", "pass:", "-out", pfx)
        empty, huge = pki.file("empty"), pki.file("huge")
        empty.write_bytes(b"")
        huge.write_bytes(b"a" * (1024 * 1024 + 1))
        for file, word in [(der, "DER"), (pfx, "PFX"), (empty, "empty"), (huge, "1 MiB"), (pki.file("good.key"), "key")]:
            with self.subTest(file.name):
                self.assert_refused(["identity.cert-readable"], file, pki.file("good.key"))
                _, report = self.box.agent(*identity(file, pki.file("good.key")))
                texts = " ".join(f["summary"] + f["detail"] for f in report["findings"] if f["id"] == "identity.cert-readable")
                self.assertIn(word.lower(), texts.lower())

    def test_all_findings_are_collected(self):
        chain, key = pki.leaf("many", "another-device", "rsa1024", end="20210101000000Z", digest="sha1")
        self.assert_refused(["identity.current", "identity.key-strength", "identity.signature-strength", "config.scope-id",
                             "identity.cn-matches-registration-id"], chain, key, scope="not a scope")

    def test_fifo_and_device_do_not_hang(self):
        fifo = self.box.top / "fifo"
        os.mkfifo(fifo)
        self.assert_refused(["identity.cert-readable"], fifo, pki.file("good.key"))
        self.assert_refused(["identity.key-readable"], pki.file("good.full.pem"), "/dev/zero")


class Machine(InSandbox):
    """What the machine lacks: exit 4 and nothing changed."""

    def assert_lacking(self, *words):
        before = self.box.snapshot()
        code, report = self.box.agent(*good())
        self.assertEqual(code, 4, report)
        text = report["data"]["error"]["message"] + report["data"]["error"]["remedy"]
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(self.box.snapshot(), before)

    def test_vanished_user(self):
        for path in ("/etc/passwd", "/etc/group"):
            lines = self.box.path(path).read_text().splitlines(keepends=True)
            self.box.path(path).write_text("".join(line for line in lines if not line.startswith("aziotks")))
        self.assert_lacking("aziotks")

    def test_planted_links(self):
        outside = self.box.top / "outside"
        outside.mkdir()
        for path in ("/var/aziot", "/var/lib/eflow-agent"):
            with self.subTest(path):
                if self.box.path(path).exists():
                    shutil.rmtree(self.box.path(path))
                self.box.path(path).symlink_to(outside)
                self.assert_lacking(path, "link")
                self.assertEqual(list(outside.iterdir()), [])
                self.box.path(path).unlink()
        self.box.path("/var/aziot").mkdir()
        self.box.path("/var/aziot/secrets").symlink_to(outside)
        self.assert_lacking("/var/aziot/secrets", "link")
        self.assertEqual(list(outside.iterdir()), [])

    def test_config_that_is_a_link_or_a_folder(self):
        outside = self.box.top / "outside.toml"
        outside.write_text("untouched")
        config = self.box.path("/etc/aziot/config.toml")
        config.symlink_to(outside)
        self.assert_lacking("/etc/aziot/config.toml")
        self.assertEqual(outside.read_text(), "untouched")
        config.unlink()
        config.mkdir()
        self.assert_lacking("/etc/aziot/config.toml")


class CommandLine(InSandbox):
    def test_usage(self):
        for arguments in ([], ["nonsense"], ["provision"], ["provision", "--scope-id"], good("--timeout", "soon"), good("--enrollment", "x")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.box.agent(*arguments)[0], 2)

    def test_the_key_appears_nowhere(self):
        secret = "".join(pki.file("good.key").read_text().splitlines()[1:-1])[10:50]
        for more in ([], ["--dry-run"]):
            for flags in ([], ["--json"], ["--verbose"]):
                done = subprocess.run([AGENT, "--root", self.box.root, *flags, *map(str, good(*more))], capture_output=True)
                self.assertEqual(done.returncode, 0)
                self.assertNotIn(secret.encode(), done.stdout + done.stderr)

    def test_cert_create_test_makes_what_provision_takes(self):
        for kind in ("ec-p256", "rsa-2048"):
            out = self.box.top / kind
            code, report = self.box.agent("cert", "create-test", "--name", ID, "--out", out, "--key", kind, root=False)
            self.assertEqual(code, 0, report)
            chain = out / f"certs/iot-edge-device-identity-{ID}-full-chain.cert.pem"
            key = out / f"private/iot-edge-device-identity-{ID}.key.pem"
            self.assertEqual(key.stat().st_mode & 0o777, 0o600)
            root = out / "certs/azure-iot-test-only.root.ca.cert.pem"
            openssl("verify", "-purpose", "sslclient", "-CAfile", root, "-untrusted", chain, chain)
            self.assertEqual(self.box.agent("cert", "verify", "--cert", chain, "--key", key, "--ca", root, root=False)[0], 0)
            self.assertEqual(self.box.agent(*identity(chain, key))[0], 0)
            before = {path: path.read_bytes() for path in out.rglob("*.pem")}
            self.assertEqual(self.box.agent("cert", "create-test", "--name", ID, "--out", out, root=False)[0], 3)
            self.assertEqual(before, {path: path.read_bytes() for path in out.rglob("*.pem")})

    def test_cert_inspect(self):
        code, report = self.box.agent("cert", "inspect", pki.file("good.full.pem"), root=False)
        self.assertEqual(code, 0, report)
        leaf, intermediate = report["data"]["files"][0]["certificates"]
        self.assertEqual((leaf["common_name"], leaf["ca"], intermediate["ca"]), (ID, False, True))


if __name__ == "__main__":
    unittest.main(verbosity=1)
