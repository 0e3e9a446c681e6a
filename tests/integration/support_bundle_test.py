#!/usr/bin/env python3
"""`eflow-agent support-bundle` on a sandbox with a secret planted in every place that could hold one: none comes out."""
import base64
import html.parser
import json
import os
import pathlib
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sandbox import AGENT, Pki, Sandbox  # noqa: E402

ID = "plant7-gw-03"
STATE = "/var/lib/eflow-agent/watch"
CONFIG = '''hostname = "plant7-gw-03"   # PLANTED-in-a-comment-is-no-secret
trust_bundle_cert = "file:///var/aziot/certs/bundle.pem"
[provisioning]
source = "dps"
global_endpoint = "https://global.azure-devices-provisioning.net/"
id_scope = "0ne00A1B2C3"
[provisioning.attestation]
method = "x509"
registration_id = "plant7-gw-03"
identity_cert = "file:///var/aziot/certs/device.pem"
identity_pk = "pkcs11:token=Keys;object=device?pin-value={pin}"
# connection_string = "HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey={shared}"
[cert_issuance.est.auth]
username = "est-user"
password = "{est}"
[cert_issuance.est.urls]
default = "https://est-user:{url}@est.example.org/.well-known/est"
[tpm.hierarchy_authorization]
owner = "{tpm}"
[agent]
name = "edgeAgent"
type = "docker"
[agent.config]
image = "registry.example.org/agent:1.5"
createOptions = {{ Env = ["INNER={create}"] }}
[agent.config.auth]
serveraddress = "registry.example.org"
username = "puller"
password = "{registry}"
[agent.env]
RuntimeLogLevel = "debug"
https_proxy = "http://proxyuser:{proxy}@proxy.example.org:3128"
THIRD_PARTY = "{variable}"
'''
EDGED = '''[agent.config.auth]
password = "{registry}"
[agent.env]
THIRD_PARTY = "{variable}"
IOTEDGE_CONNECTION = "HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey={shared}"
'''


class Page(html.parser.HTMLParser):
    """Tags that are open, and what an attribute could load."""
    VOID = {"meta", "link", "img", "br", "hr", "input", "rect", "line", "circle"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.loads, self.text = [], set(), [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.loads += [(tag, name) for name, value in attributes if name in ("src", "href", "action") or name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            if not self.open or self.open.pop() != tag:
                raise AssertionError(f"</{tag}> closes what is not open")
        elif self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


class InSandbox(unittest.TestCase):
    def setUp(self):
        self.box = Sandbox()
        self.addCleanup(self.box.close)
        (self.box.root / "etc/hostname").write_text(ID + "\n")
        folder = tempfile.TemporaryDirectory(prefix="eflow-bundle-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "bundle.tar.gz"

    def put(self, path, content, mode=0o644):
        target = self.box.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        target.chmod(mode)

    def bundle(self, *more):
        code, report = self.box.agent("support-bundle", "--output", self.file, *more)
        self.assertEqual(code, 0, report)
        entries = {}
        with tarfile.open(self.file, "r:gz") as archive:
            for member in archive:
                self.assertTrue(member.isreg(), member.name)
                self.assertEqual((member.uid, member.gid, member.mode), (0, 0, 0o600), member.name)
                top, _, name = member.name.partition("/")
                self.assertRegex(top, r"^eflow-support-[A-Za-z0-9.-]+-\d{8}T\d{6}Z$")
                self.assertNotIn("..", name.split("/"))
                self.assertNotIn(name, entries)
                entries[name] = archive.extractfile(member).read()
        self.assertEqual([entry["name"] for entry in report["data"]["entries"]], list(entries))
        self.assertEqual({entry["name"]: entry["bytes"] for entry in report["data"]["entries"]},
                         {name: len(content) for name, content in entries.items()})
        return entries, report

    def missing(self, report):
        found = {}
        for one in report["data"]["missing"]:
            found[one["what"]] = f"{found[one['what']]}; {one['why']}" if one["what"] in found else one["why"]
        return found


class Secrets(InSandbox):
    def plant(self):
        names = ("pin", "shared", "est", "url", "tpm", "create", "registry", "proxy", "variable")
        # Each in an alphabet of its own troubles: quotes for JSON, angle brackets for HTML, slashes for URLs.
        self.secrets = {name: f"PLANTED-{name}-{n}aZ" for n, name in enumerate(names)}
        self.secrets["registry"] = "PLANTED-registry<&'>pass word"
        self.secrets["shared"] = base64.b64encode(b"PLANTED shared access key, 32 by").decode()
        pki = Pki(self.folder / "pki")
        chain, key = pki.leaf("device", ID)
        self.put("/var/aziot/certs/device.pem", chain.read_bytes())
        self.put("/var/aziot/certs/bundle.pem", pki.file("root.pem").read_bytes())
        self.put("/var/aziot/secrets/device.key.pem", key.read_bytes(), 0o600)
        self.key = key.read_text()
        self.put("/etc/aziot/config.toml", CONFIG.format(**self.secrets), 0o600)
        for service in ("keyd", "certd", "identityd", "tpmd"):
            self.put(f"/etc/aziot/{service}/config.d/00-super.toml",
                     f'[preloaded_keys]\ndevice-id = "pkcs11:object=device?pin-value={self.secrets["pin"]}"\n', 0o600)
        self.put("/etc/aziot/edged/config.d/00-super.toml", EDGED.format(**self.secrets), 0o600)
        self.put("/etc/docker/daemon.json", json.dumps(
            {"dns": ["10.0.0.1"], "log-opts": {"splunk-token": "PLANTED-splunk"},
             "proxies": {"https-proxy": f"http://u:{self.secrets['proxy']}@proxy.example.org:3128"}}))
        self.put("/var/lib/aziot/identityd/device_info", f'hub_name = "h.azure-devices.net"\ndevice_id = "{ID}"\n')
        # Logs and details quote anything; here they quote everything.
        self.talk = [f"connecting as {secret} failed" for secret in self.secrets.values()]
        self.talk += [urllib.parse.quote(self.secrets["registry"], safe=""), self.key, self.key[:150], self.key[60:],
                      "Authorization: SharedAccessSignature sr=h&sig=PLANTED-signature%3D&se=1",
                      "authorization: Bearer PLANTED-bearer", "GET /x?sig=PLANTED-query&se=1", "password=PLANTED-word",
                      '{"password": "PLANTED-in-json"}', "HostName=h;SharedAccessKeyName=o;SharedAccessKey=PLANTED-owner=",
                      "amqps://user:PLANTED-user@h.azure-devices.net"]
        self.put(f"{STATE}/history.jsonl", "".join(
            json.dumps({"at": (int(time.time()) - 3600 + n) * 1000000, "kind": "finding", "what": "services.aziot-edged",
                        "from": "ok", "to": "failed", "text": text}) + "\n" for n, text in enumerate(self.talk))
            + "{half a line")
        self.put(f"{STATE}/memory.json", json.dumps({"schema": 1, "hub_has_run": False, "ends": {},
                                                     "deployment": {"code": 500, "text": self.talk[0], "at": 0}}))
        self.put("/run/eflow-agent/status.json", json.dumps({"schema": 1, "findings": [{"detail": text} for text in self.talk]}))
        self.put("/etc/eflow-agent/device.toml", f'schema = 1\n[edge]\nproxy = "http://u:{self.secrets["proxy"]}@proxy:1"\n')

    def assert_clean(self, entries):
        key_lines = [line for line in self.key.splitlines() if len(line) > 40 and "-----" not in line]
        self.assertTrue(key_lines)
        spellings = set(key_lines)
        for secret in self.secrets.values():
            spellings |= {secret, json.dumps(secret)[1:-1], html.escape(secret), urllib.parse.quote(secret, safe="")}
        for name, content in entries.items():
            text = content.decode()
            for spelling in spellings:
                self.assertNotIn(spelling, text, name)
            self.assertNotIn("PLANTED", text.replace("PLANTED-in-a-comment-is-no-secret", ""), name)
            self.assertNotRegex(text, r"-----BEGIN [A-Z ]*PRIVATE KEY", name)
            self.assertNotRegex(text, r"(?i)sharedaccesskey\s*=(?!\s*\\?[\"']?\*\*\*)", name)
            self.assertNotRegex(text, r"(?i)\bsig=(?!\*\*\*)", name)
            self.assertNotRegex(text, r"(?i)authorization\s*[:=]\s*(?!\*\*\*)\w", name)

    def test_none_comes_out(self):
        self.plant()
        entries, report = self.bundle()
        self.assert_clean(entries)
        self.assertNotIn("PLANTED", json.dumps(report))
        config = tomllib.loads(entries["config/config.toml"].decode())
        self.assertEqual(config["agent"]["config"]["auth"],
                         {"serveraddress": "registry.example.org", "username": "puller", "password": "***"})
        self.assertEqual(config["agent"]["env"], {"RuntimeLogLevel": "debug", "THIRD_PARTY": "***",
                                                  "https_proxy": "http://***@proxy.example.org:3128"})
        self.assertEqual(config["hostname"], ID)
        self.assertEqual(json.loads(entries["config/daemon.json"])["dns"], ["10.0.0.1"])
        history = [json.loads(line) for line in entries["watcher/history.jsonl"].decode().splitlines()]
        self.assertEqual(len(history), len(self.talk), "the half line is left out")
        self.assertEqual(history[0]["text"], "connecting as *** failed")

    def test_none_comes_out_of_a_config_that_is_no_toml(self):
        self.plant()
        text = CONFIG.format(**self.secrets).replace('hostname = "', 'hostname = [ "', 1)
        self.put("/etc/aziot/config.toml", text, 0o600)
        with self.assertRaises(tomllib.TOMLDecodeError):
            tomllib.loads(text)
        entries, _ = self.bundle()
        self.assertIn('id_scope = "0ne00A1B2C3"', entries["config/config.toml"].decode())
        for name in ("config/config.toml", "reports/check.json", "report.html"):
            self.assertNotIn("PLANTED", entries[name].decode().replace("PLANTED-in-a-comment-is-no-secret", ""), name)

    def test_the_page_stands_alone_and_shows_the_device(self):
        self.plant()
        entries, _ = self.bundle()
        page = Page(entries["report.html"].decode())
        self.assertEqual(page.open, [])
        self.assertEqual(page.loads, [])
        self.assertFalse(page.tags & {"script", "link", "img", "iframe", "object", "base", "form"}, page.tags)
        for told in (ID, "0ne00A1B2C3", "Test Intermediate", "Test Root", "days left", "services.aziot-edged"):
            self.assertIn(told, page.text)
        certificates = json.loads(entries["identity/certificates.json"])
        self.assertEqual([(file["path"], len(file["certificates"])) for file in certificates],
                         [("/var/aziot/certs/device.pem", 2), ("/var/aziot/certs/bundle.pem", 1)])
        self.assertEqual(certificates[0]["certificates"][0]["common_name"], ID)

    def test_the_listing_has_names_and_modes_and_no_contents(self):
        self.plant()
        entries, _ = self.bundle()
        rows = {line.split()[5]: line.split()[0] for line in entries["files.txt"].decode().splitlines() if line}
        self.assertEqual(rows["/var/aziot/secrets/device.key.pem"], "-rw-------")
        self.assertEqual(rows["/etc/aziot/config.toml"], "-rw-------")
        self.assertEqual(rows["/var/aziot"][0], "d")


class Robust(InSandbox):
    def test_an_empty_root_gives_a_bundle_that_says_what_is_missing(self):
        entries, report = self.bundle()
        missing = self.missing(report)
        for what in ("/etc/aziot/config.toml", "/etc/docker/daemon.json", "units", "journals", "modules"):
            self.assertIn(what, missing)
            self.assertIn(f"{what}: {missing[what]}\n", entries["missing.txt"].decode())
        self.assertEqual(report["phase"], "not-provisioned")
        self.assertEqual(list(entries)[:3], ["report.html", "missing.txt", "README.txt"])

    def test_the_file_is_new_private_and_never_another(self):
        self.bundle()
        status = self.file.lstat()
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_nlink), (0o600, 1))
        before = self.file.read_bytes()
        code, report = self.box.agent("support-bundle", "--output", self.file)
        self.assertEqual(code, 3, report)
        self.assertEqual(self.file.read_bytes(), before)
        link = self.folder / "link.tar.gz"
        link.symlink_to(self.folder / "elsewhere")
        code, _ = self.box.agent("support-bundle", "--output", link)
        self.assertEqual(code, 3)
        self.assertFalse((self.folder / "elsewhere").exists())

    def test_its_own_name_is_made_of_host_and_time(self):
        self.put("/etc/hostname", "../../Gate way;\n")
        done = subprocess.run([AGENT, "--root", str(self.box.root), "support-bundle"], cwd=self.folder, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        made = [path.name for path in self.folder.iterdir()]
        self.assertEqual(len(made), 1, made)
        self.assertRegex(made[0], r"^eflow-support-Gate-|^eflow-support-[A-Za-z0-9.-]+-\d{8}T\d{6}Z\.tar\.gz$")
        self.assertIn(made[0], done.stdout)

    def test_hostile_files_are_named_and_hold_nothing_up(self):
        os.mkfifo(self.box.root / "etc/aziot/config.toml")
        self.put("/etc/shadow", "root:PLANTED:1::::::\n")
        (self.box.root / "var/lib/aziot/identityd").mkdir(parents=True)
        (self.box.root / "var/lib/aziot/identityd/device_info").symlink_to("../../../../etc/shadow")
        self.put("/etc/docker/daemon.json", b"\x00\xff{" * 1000)
        self.put("/usr/lib/os-release", 'PRETTY_NAME="<script>alert(1)</script>"\n')
        self.put(f"{STATE}/history.jsonl", b"\xff\x00\n[]\n" + b'{"at":1}\n' + b"x" * 100000)
        self.put("/run/eflow-agent/status.json", "[" * 100000 + "]" * 100000)
        deep = self.box.root / "var/aziot"
        for level in range(30):
            deep = deep / f"d{level}"
        deep.mkdir(parents=True)
        (self.box.root / "var/aziot/new\nline\x1b[31m").touch()
        entries, report = self.bundle()
        missing = self.missing(report)
        self.assertIn("regular file", missing["/etc/aziot/config.toml"])
        self.assertIn("/var/lib/aziot/identityd/device_info", missing)
        self.assertIn("too deep", missing["file listing"])
        self.assertIn("/var/aziot/new?line?[31m\n", entries["files.txt"].decode())
        for name, content in entries.items():
            self.assertNotIn(b"PLANTED", content, name)
            self.assertNotIn(b"\x1b", content, name)
        self.assertNotIn("<script", entries["report.html"].decode())

    def test_it_stays_small_whatever_is_there(self):
        self.put(f"{STATE}/history.jsonl", "".join(
            json.dumps({"at": n, "kind": "finding", "what": f"c{n % 50}", "from": "ok", "to": "failed",
                        "text": os.urandom(1500).hex()}) + "\n" for n in range(600)))
        self.put("/etc/docker/daemon.json", json.dumps({"x": ["y" * 100] * 12000}))
        self.put("/etc/aziot/config.toml", "".join(f"# a comment, line {n} of many\n" for n in range(40000)))
        for n in range(6000):
            (self.box.root / f"etc/aziot/{n}").touch()
        entries, report = self.bundle()
        for name, content in entries.items():
            self.assertLess(len(content), 4 * 1024 * 1024 if name == "report.html" else 1100 * 1024, name)
        self.assertLess(sum(map(len, entries.values())), 20 * 1024 * 1024)
        self.assertIn("more than 4000 files", self.missing(report)["file listing"])
        json.loads(entries["watcher/history.jsonl"].decode().splitlines()[-1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
