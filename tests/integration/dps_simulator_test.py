#!/usr/bin/env python3
"""The DPS simulator from outside: Microsoft's device SDK registers with it, and it misbehaves when told to."""
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from support.sandbox import Pki  # noqa: E402

SIMULATOR = os.environ.get("DPS_SIMULATOR", str(TESTS.parent / "build/release/bin/dps_simulator"))
SDK = TESTS / "support/dps_simulator/sdk"
SCOPE = "0ne00A1B2C3"


def sdk_folder():
    """The SDK as its lock file has it, installed once into a cache."""
    name = hashlib.sha256((SDK / "package-lock.json").read_bytes()).hexdigest()[:12]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "eflow-companion"
    folder = cache / f"sdk-{name}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        building = tempfile.mkdtemp(dir=cache)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(SDK / file, building)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=building, check=True,
                       capture_output=True, timeout=300)
        os.rename(building, folder)
    return folder


class Simulator(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="eflow-dps-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.pki = Pki(self.folder / "pki")
        self.pki.key("server")
        self.pki.certificate("server", "root", "localhost", extensions="basicConstraints=critical,CA:FALSE\n"
                             "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n")
        self.directory = {"scopes": [SCOPE], "hub": "hub.azure-devices.net", "retryAfter": 0}
        self.tell()
        self.server = subprocess.Popen(
            [SIMULATOR, "--directory", str(self.folder / "directory.json"), "--cert", str(self.pki.file("server.pem")),
             "--key", str(self.pki.file("server.key"))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.stop)
        self.port = int(self.server.stdout.readline())

    def stop(self):
        self.server.kill()
        self.server.communicate()

    def tell(self, **changes):
        self.directory.update(changes)
        new = self.folder / "directory.new"
        new.write_text(json.dumps(self.directory))
        new.rename(self.folder / "directory.json")

    def pem(self, name):
        return self.pki.file(name + ".pem").read_text()


class DeviceSdk(Simulator):
    def register(self, identity, registration_id, scope=SCOPE):
        chain, key = identity
        done = subprocess.run(
            ["node", str(SDK / "register.js"), str(self.port), str(self.pki.file("root.pem")), scope, registration_id,
             str(chain), str(key)],
            env={**os.environ, "NODE_PATH": str(sdk_folder() / "node_modules")}, capture_output=True, text=True,
            timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_group_and_individual_with_rsa_and_ec(self):
        for kind in ("rsa2048", "p256"):
            identity = self.pki.leaf(kind, f"device-{kind}", kind=kind)
            self.tell(groups=[{"enrollmentGroupId": "g", "primary": self.pem("intermediate")}], enrollments=[])
            state = self.register(identity, f"device-{kind}").get("state")
            self.assertEqual((state["status"], state["assignedHub"], state["deviceId"]),
                             ("assigned", "hub.azure-devices.net", f"device-{kind}"))
            self.tell(groups=[], enrollments=[{"registrationId": f"device-{kind}", "deviceId": "Press 3",
                                               "primary": self.pem(kind)}])
            state = self.register(identity, f"device-{kind}").get("state")
            self.assertEqual((state["status"], state["deviceId"]), ("assigned", "Press 3"))

    def test_refusals_reach_the_client(self):
        identity = self.pki.leaf("leaf", "device-1")
        answer = self.register(identity, "device-1")["error"]
        self.assertEqual(answer["name"], "UnauthorizedError")
        self.assertEqual(json.loads(answer["body"])["errorCode"], 401002)
        self.tell(groups=[{"enrollmentGroupId": "g", "primary": self.pem("intermediate")}])
        self.assertEqual(json.loads(self.register(identity, "device-1", "0ne0000FFFF")["error"]["body"])["errorCode"], 404201)
        self.tell(hub=None)
        self.assertEqual(self.register(identity, "device-1")["error"]["name"], "ProvisioningRegistrationFailedError")
        self.tell(faults=[{"on": "register", "kind": "throttle", "times": 1, "retryAfter": 7}], hub="h")
        self.assertEqual(self.register(identity, "device-1")["error"]["name"], "ThrottlingError")
        self.assertEqual(self.register(identity, "device-1")["state"]["status"], "assigned")


class OverTheWire(Simulator):
    def put(self, identity=None):
        context = ssl.create_default_context(cafile=str(self.pki.file("root.pem")))
        if identity:
            context.load_cert_chain(*map(str, identity))
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=30)
        self.addCleanup(connection.close)
        connection.request("PUT", f"/{SCOPE}/registrations/device-1/register?api-version=2021-06-01",
                           json.dumps({"registrationId": "device-1"}), {"Content-Type": "application/json"})
        return connection.getresponse()

    def test_no_certificate_is_refused_in_http_not_in_the_handshake(self):
        self.assertEqual(self.put().status, 401)

    def test_throttled_cut_and_slow(self):
        identity = self.pki.leaf("leaf", "device-1")
        self.tell(groups=[{"enrollmentGroupId": "g", "primary": self.pem("root")}],
                  faults=[{"on": "register", "kind": "throttle", "retryAfter": 3}, {"on": "register", "kind": "cut"},
                          {"on": "register", "kind": "error", "status": 503},
                          {"on": "register", "kind": "slow", "delayMs": 50}])
        answer = self.put(identity)
        self.assertEqual((answer.status, answer.headers["retry-after"]), (429, "3"))
        with self.assertRaises((http.client.RemoteDisconnected, ssl.SSLError, ConnectionError)):
            self.put(identity)
        self.assertEqual(self.put(identity).status, 503)
        self.assertEqual(self.put(identity).status, 202)


if __name__ == "__main__":
    unittest.main()
