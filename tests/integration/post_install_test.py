#!/usr/bin/env python3
"""`eflow-agent post-install` in a sandbox: every state that Provision-EflowVm can leave behind, and bundles of an enemy.

A state is a folder of tests/fixtures/post-install: the config.toml that stands there, and what is expected of it."""
import json
import os
import pathlib
import shutil
import stat
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sandbox import Pki, Sandbox  # noqa: E402

SCOPE, ID = "0ne00A1B2C3", "plant7-gw-03"
FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures/post-install"
CONFIG = "/etc/aziot/config.toml"


def setUpModule():
    global pki, pki_folder
    pki_folder = tempfile.mkdtemp(prefix="eflow-pki-")
    pki = Pki(pki_folder)
    pki.leaf("good", ID)
    pki.leaf("other", "somebody-else")


def tearDownModule():
    shutil.rmtree(pki_folder)


def manifest(certificate="leaf.pem", key="leaf.key", scope=SCOPE, registration_id=ID, more=""):
    return (f"schema = 1\n[provisioning]\nscope_id = '{scope}'\nregistration_id = '{registration_id}'\n{more}"
            f"[identity]\ncertificate = '{certificate}'\nprivate_key = '{key}'\n")


def texts(report):
    error = report["data"].get("error", {})
    return "\n".join([error.get("message", ""), error.get("remedy", "")] +
                     [f"{f['id']} {f['severity']}: {f['summary']} {f['detail']} {f['remedy']}" for f in report["findings"]])


class InSandbox(unittest.TestCase):
    def setUp(self):
        self.box = Sandbox()
        self.addCleanup(self.box.close)
        self.bundle = self.box.top / "bundle-4f1c"

    def stage(self, text=None, certificate="leaf.pem", key="leaf.key", identity="good"):
        """The folder as the shim leaves it: all of one user's, closed to everybody else."""
        self.bundle.mkdir(mode=0o700)
        (self.bundle / "device.toml").write_text(manifest() if text is None else text)
        if certificate:
            shutil.copyfile(pki.file(f"{identity}.full.pem"), self.bundle / certificate)
        if key:
            shutil.copyfile(pki.file(f"{identity}.key"), self.bundle / key)
        return self.bundle

    def put(self, source, vm_path):
        """A file where Provision-EflowVm copies it to."""
        path = self.box.path(vm_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pki.file(source).read_bytes() if isinstance(source, str) else source)
        path.chmod(0o640)
        return path

    def post_install(self, *arguments, bundle=True):
        return self.box.agent("post-install", *(["--bundle", self.bundle] if bundle else []), *arguments)

    def config(self):
        return tomllib.loads(self.box.path(CONFIG).read_text())

    def assert_provisioned(self, result, source):
        code, report = result
        self.assertEqual(code, 0, report)
        self.assertEqual((report["schema"], report["verb"], report["data"]["source"]), (1, "post-install", source))
        config = self.config()
        attestation = config["provisioning"]["attestation"]
        certificate, key = (attestation[name].removeprefix("file://") for name in ("identity_cert", "identity_pk"))
        self.assertRegex(certificate, r"^/var/aziot/certs/device-id-[0-9a-f]{8}\.cert\.pem$")
        self.assertRegex(key, r"^/var/aziot/secrets/device-id-[0-9a-f]{8}\.key\.pem$")
        self.assertEqual((config["provisioning"]["source"], config["provisioning"]["id_scope"]), ("dps", SCOPE))
        uids, gids = self.box.uids, self.box.gids
        for path, owner, group, mode in [(CONFIG, "root", "root", 0o600), ("/var/aziot", "root", "root", 0o755),
                                         (certificate, "root", "aziotcs", 0o644), ("/var/aziot/secrets", "root", "aziotks", 0o750),
                                         (key, "root", "aziotks", 0o440)]:
            self.assertEqual(self.box.owner_and_mode(path), (uids[owner], gids[group], mode), path)
        return report

    def assert_refused(self, result, *words):
        code, report = result
        self.assertEqual(code, 3, report)
        for word in words:
            self.assertIn(word, texts(report))
        self.assertFalse(self.box.path("/var/aziot").exists())
        return report


class States(InSandbox):
    """A folder a state. `expected.json` says with what it goes through: source, the words of the report, the rest of
    config.toml; or that it is refused."""

    def state(self, name):
        folder = FIXTURES / name
        expected = json.loads((folder / "expected.json").read_text())
        if (folder / "config.toml").exists():
            shutil.copyfile(folder / "config.toml", self.box.path(CONFIG))
            self.box.path(CONFIG).chmod(0o644)
        if (folder / "config.toml.template").exists():
            self.put((folder / "config.toml.template").read_bytes(), "/var/.eflow/config/config.toml.template")
        for path, source in expected.get("files", {}).items():
            self.put(source, path)
        if expected.get("bundle", False):
            self.stage()
        before = self.box.snapshot()
        arguments = expected.get("arguments", [])
        result = self.post_install(*arguments, bundle=expected.get("bundle", False))
        if "refused" in expected:
            self.assertEqual(result[0], 3, result)
            for word in expected["refused"]:
                self.assertIn(word, texts(result[1]))
            self.assertEqual(self.box.snapshot(), before)
            return
        report = self.assert_provisioned(result, expected["source"])
        for word in expected.get("says", []):
            self.assertIn(word, texts(report))
        rest = self.config()
        del rest["provisioning"]["attestation"]["identity_cert"], rest["provisioning"]["attestation"]["identity_pk"]
        self.assertEqual(rest, expected["config"])
        for line in expected.get("keeps", []):
            self.assertIn(line, self.box.path(CONFIG).read_text())
        # Below --root nothing can be healthy: the copies stay, and are told of.
        for path in expected.get("files", {}):
            self.assertTrue(self.box.path(path).exists(), path)
        for path in expected.get("copies", []):
            self.assertIn(path, [word for f in report["findings"] if f["id"] == "files.no-stray-keys" for word in f["detail"].split()])

        again, report = self.post_install(*arguments, bundle=expected.get("bundle", False))
        self.assertEqual(again, 0, report)
        self.assertEqual({change["action"] for change in report["changes"]}, {"kept"}, report)


def add_states():
    for folder in sorted(FIXTURES.iterdir()):
        name = "test_" + folder.name.replace("-", "_")
        setattr(States, name, lambda self, one=folder.name: self.state(one))


add_states()


class Bundles(InSandbox):
    def test_windows_paths_mean_the_base_name(self):
        for written in (r"C:\identity\leaf.pem", r"\\server\share\x\leaf.pem", r"..\identity\leaf.pem", "C:/identity/leaf.pem",
                        "identity/leaf.pem", "c:leaf.pem"):
            with self.subTest(written=written):
                self.stage(manifest(certificate=written))
                code, report = self.post_install("--dry-run")
                self.assertEqual(code, 0, report)
                shutil.rmtree(self.bundle)

    def test_names_with_spaces_and_other_letters(self):
        self.stage(manifest(certificate=r"C:\ü b\Gerät 1 %20.pem", key=r"C:\ü b\Schlüssel'1'.key".replace("'", "")),
                   certificate="Gerät 1 %20.pem", key="Schlüssel1.key")
        self.assert_provisioned(self.post_install(), "bundle")

    def test_an_absolute_path_into_the_folder_itself(self):
        self.stage(manifest(certificate=str(self.bundle / "leaf.pem")))
        self.assert_provisioned(self.post_install(), "bundle")

    def test_paths_that_lead_elsewhere(self):
        for written, word in [("/etc/shadow", "outside the bundle"), ("../leaf.pem", "leads out"), ("/", "outside"),
                              ("a/../../leaf.pem", "leads out"), ("C:\\", "names no file"), ("x\\..", "names no file")]:
            with self.subTest(written=written):
                self.stage(manifest(key=written))
                self.assert_refused(self.post_install(), word, "identity.private_key")
                shutil.rmtree(self.bundle)

    def test_what_config_toml_would_refer_to_must_last(self):
        for more, word in [("payload = 'dps.json'\n", "provisioning.payload"), (r"payload = 'C:\dps.json'" + "\n", "provisioning.payload"),
                           (f"payload = '{self.bundle}/dps.json'\n", "provisioning.payload"),
                           ("[edge]\ntrust_bundle = 'roots.pem'\n", "edge.trust_bundle"),
                           ("[edge]\nedge_ca = { certificate = 'a', private_key = '/b' }\n", "edge.edge_ca.certificate")]:
            with self.subTest(more=more):
                self.stage(manifest(more=more))
                self.assert_refused(self.post_install(), word, "no place on the device that lasts")
                shutil.rmtree(self.bundle)

    def test_the_manifest_is_strict(self):
        self.stage(manifest().replace("scope_id", "scopeid"))
        self.assert_refused(self.post_install(), "did you mean scope_id?")

    def test_half_a_bundle(self):
        self.stage(key=None)
        self.assert_refused(self.post_install(), "identity.key-readable", "there is no such file in the bundle")

    def test_every_identity_check_holds(self):
        self.stage(identity="other")
        self.assert_refused(self.post_install(), "identity.cn-matches-registration-id failed")
        shutil.copyfile(pki.file("good.full.pem"), self.bundle / "leaf.pem")
        self.assert_refused(self.post_install(), "identity.key-matches failed")

    def test_links_pipes_devices_folders_and_huge_files(self):
        def link(path):
            path.symlink_to(pki.file("good.key"))

        def huge(path):
            with open(path, "wb") as file:
                file.truncate(64 << 30)

        makers = [(link, "symbolic link"), (os.mkfifo, "a pipe"), (os.mkdir, "a folder"), (huge, "more than 1 MiB")]
        if os.geteuid() == 0:
            makers.append((lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)), "a device"))
        for name in ("leaf.key", "leaf.pem", "device.toml"):
            for make, word in makers:
                with self.subTest(name=name, word=word):
                    self.stage()
                    (self.bundle / name).unlink()
                    make(self.bundle / name)
                    self.assert_refused(self.post_install(), word, name)
                    shutil.rmtree(self.bundle)

    def test_a_folder_that_is_a_link_or_none_or_open_to_others(self):
        self.assert_refused(self.post_install(), "No such file")
        self.bundle.write_text("")
        self.assert_refused(self.post_install(), "it is no folder")
        self.bundle.unlink()
        real = self.stage().rename(self.box.top / "real")
        for spelt in (self.bundle, f"{self.bundle}/"):
            self.bundle.symlink_to(real)
            self.assert_refused(self.box.agent("post-install", "--bundle", spelt), "symbolic link")
            self.bundle.unlink()
        real.rename(self.bundle)
        self.bundle.chmod(0o1777)
        self.assert_refused(self.post_install(), "can be written to by others")

    def test_files_that_others_could_have_changed(self):
        self.stage()
        self.bundle.chmod(0o755)
        (self.bundle / "leaf.key").chmod(0o666)
        self.assert_refused(self.post_install(), "others than its owner can write")
        self.bundle.chmod(0o700)
        self.assert_provisioned(self.post_install(), "bundle")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to give files away")
    def test_files_of_a_third_user(self):
        self.stage()
        os.chown(self.bundle / "leaf.pem", 60001, 60001)
        self.assert_refused(self.post_install(), "belongs to user 60001")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to give files away")
    def test_a_bundle_of_the_user_who_staged_it(self):
        self.stage()
        for path in (self.bundle, *self.bundle.iterdir()):
            os.chown(path, 60006, 60006)
        self.assert_refused(self.post_install(), "neither root nor the one who runs this")
        os.environ["SUDO_UID"] = "60006"
        try:
            self.assert_provisioned(self.post_install(), "bundle")
        finally:
            del os.environ["SUDO_UID"]

    def test_bundle_and_manifest_exclude_each_other(self):
        self.stage()
        code, report = self.post_install("--manifest", self.bundle / "device.toml")
        self.assertEqual(code, 2, report)

    def test_nothing_on_standard_error_with_json(self):
        import subprocess
        from sandbox import AGENT
        for arguments in (["--bundle", "/nowhere"], ["--nonsense"], []):
            done = subprocess.run([AGENT, "--root", self.box.root, "--json", "post-install", *arguments], capture_output=True)
            self.assertEqual(done.stderr, b"")
            self.assertFalse(json.loads(done.stdout)["ok"])


class Adopting(InSandbox):
    def write_config(self, certificate, key, more=""):
        self.box.path(CONFIG).write_text(
            f'[provisioning]\nsource = "dps"\nglobal_endpoint = "https://global.azure-devices-provisioning.net"\n'
            f'id_scope = "{SCOPE}"\n[provisioning.attestation]\nmethod = "x509"\nidentity_cert = "{certificate}"\n'
            f'identity_pk = "{key}"\n{more}')

    def test_links_on_the_way_are_not_followed(self):
        self.put("good.full.pem", "/home/iotedge-user/certs/leaf.pem")
        self.put("good.key", "/home/real/leaf.key")
        (self.box.path("/home/iotedge-user/private")).symlink_to(self.box.path("/home/real"))
        self.write_config("file:///home/iotedge-user/certs/leaf.pem", "file:///home/iotedge-user/private/leaf.key")
        self.assert_refused(self.post_install(bundle=False), "symbolic link", "/home/iotedge-user/private")

    def test_a_token_holds_no_file(self):
        self.write_config("file:///home/iotedge-user/certs/leaf.pem", "pkcs11:object=device")
        self.assert_refused(self.post_install(bundle=False), "names no files")

    def test_dots_in_a_file_uri_mean_what_upstreams_url_makes_of_them(self):
        self.put("good.full.pem", "/home/iotedge-user/certs/leaf.pem")
        self.put("good.key", "/home/iotedge-user/private/leaf.key")
        self.write_config("file:///home/iotedge-user/certs/leaf.pem", "file:///home/x/../iotedge-user/private/leaf.key")
        code, report = self.post_install(bundle=False)
        self.assertEqual(code, 0, report)
        told = [one for one in report["findings"] if one["id"] == "identity.key-readable"]
        self.assertEqual([one["severity"] for one in told], ["ok"], report)

    def test_the_wrong_key_is_found_out(self):
        self.put("good.full.pem", "/home/iotedge-user/certs/leaf.pem")
        self.put("other.key", "/home/iotedge-user/private/leaf.key")
        self.write_config("file:///home/iotedge-user/certs/leaf.pem", "file:///home/iotedge-user/private/leaf.key")
        self.assert_refused(self.post_install(bundle=False), "identity.key-matches failed")

    def test_flags_win_over_config_toml(self):
        self.put("good.full.pem", "/home/iotedge-user/certs/leaf.pem")
        self.put("good.key", "/home/iotedge-user/private/leaf.key")
        self.write_config("file:///home/iotedge-user/certs/leaf.pem", "file:///home/iotedge-user/private/leaf.key")
        self.box.path(CONFIG).write_text(self.box.path(CONFIG).read_text().replace(SCOPE, "0ne0000FFFF"))
        self.assert_provisioned(self.post_install("--scope-id", SCOPE, bundle=False), "config.toml")

    def test_dry_run_names_the_copies_and_changes_nothing(self):
        self.put("good.full.pem", "/home/iotedge-user/certs/leaf.pem")
        self.put("good.key", "/home/iotedge-user/private/leaf.key")
        self.write_config("file:///home/iotedge-user/certs/leaf.pem", "file:///home/iotedge-user/private/leaf.key")
        before = self.box.snapshot(without=())
        code, report = self.post_install("--dry-run", bundle=False)
        self.assertEqual(code, 0, report)
        self.assertIn("/home/iotedge-user/private/leaf.key They go when post-install has run", texts(report))
        self.assertEqual(self.box.snapshot(without=()), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
