"""A lab with an identity to provision and a cloud that knows it."""
import json
import pathlib
import sys
import tempfile

from lab import REPOSITORY, Lab  # noqa: F401

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.sandbox import Pki  # noqa: E402

SCOPE = "0ne00A1B2C3"
HUB = "lab-hub.azure-devices.net"
DPS = "global.azure-devices-provisioning.net"
REGISTRY = "mcr.microsoft.com"
CONFIG = "/etc/aziot/config.toml"
SECRETS = "/var/aziot/secrets"
CERTIFICATES = "/var/aziot/certs"


class Device(Lab):
    """The directory of DPS is `self.cloud`; `tell_cloud` puts a change of it into force."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.workshop = tempfile.TemporaryDirectory(prefix="eflow-pki-")
        self.pki = Pki(pathlib.Path(self.workshop.name) / "pki")
        self.pki.key("server")
        self.pki.certificate("server", "root", DPS, extensions="basicConstraints=critical,CA:FALSE\n"
                             f"extendedKeyUsage=serverAuth\nsubjectAltName=DNS:{DPS},DNS:{HUB},DNS:{REGISTRY}\n")
        self.push(self.pki.file("server.pem"), "/etc/lab/server.pem")
        self.push(self.pki.file("server.key"), "/etc/lab/server.key", mode=0o600)
        bundle = self.path("/etc/ssl/certs/ca-certificates.crt")
        self.push(bundle.read_bytes() + self.pki.file("root.pem").read_bytes(), "/etc/ssl/certs/ca-certificates.crt")
        self.cloud = {"scopes": [SCOPE], "hub": HUB, "pollsAssigning": 1,
                      "images": {"azureiotedge-agent": "/usr/lib/lab/edge-agent.tar"},
                      "groups": [{"enrollmentGroupId": "plants", "primary": self.pem("intermediate")}]}
        self.tell_cloud()

    def pem(self, name):
        return self.pki.file(name + ".pem").read_text()

    def tell_cloud(self, **changes):
        self.cloud.update(changes)
        # Beside it and renamed: the simulator may read at any moment.
        self.push(json.dumps(self.cloud).encode(), "/etc/lab/directory.new")
        self.path("/etc/lab/directory.new").rename(self.path("/etc/lab/directory.json"))

    def cloud_log(self):
        """What DPS and the hub answered, in order; not the registry."""
        said = [json.loads(line) for line in self.journal("lab-dps").splitlines() if line.startswith("{")]
        return [answer for answer in said if not answer["target"].startswith("/v2/")]

    def identity(self, name, subject="device-1", **options):
        """A leaf with its chain in /home of the lab, as `--cert` and `--key` take it."""
        chain, key = self.pki.leaf(name, subject, **options)
        self.push(chain, f"/home/{name}.pem")
        self.push(key, f"/home/{name}.key", mode=0o600)
        return f"/home/{name}.pem", f"/home/{name}.key"

    def provision(self, identity, *arguments, registration_id="device-1", timeout="45s", scope=SCOPE):
        cert, key = identity
        return self.agent("provision", "--scope-id", scope, "--registration-id", registration_id, "--cert", cert, "--key",
                          key, "--timeout", timeout, *arguments)

    def placed(self, folder, suffix):
        """The agent's own files of a kind."""
        host = self.path(folder)
        return sorted(path.name for path in host.iterdir() if path.name.endswith(suffix)) if host.exists() else []

    def owner_and_mode(self, vm_path):
        return self.exec("stat", "-c", "%U:%G %a", vm_path, check=True).stdout.strip()

    def down(self):
        super().down()
        self.workshop.cleanup()


def snapshot(lab, *folders):
    """Everything below the folders: owner, mode, bytes."""
    seen = {}
    for folder in folders:
        for path in sorted(lab.path(folder).rglob("*")):
            status = path.lstat()
            seen[str(path.relative_to(lab.root))] = (
                status.st_uid, status.st_gid, oct(status.st_mode), path.read_bytes() if path.is_file() else None)
    return seen
