"""A lab that looks like EFLOW's VM to who comes from Windows, and what Provision-EflowVm does in it."""
import json

from device import CONFIG, SCOPE, Device

HOME = "/home/iotedge-user"
BUNDLE = f"{HOME}/eflow-4f1c"
TEMPLATE = "# The VM's template.\n# [provisioning]\n# source = \"manual\"\n\nallow_elevated_docker_permissions = true\n"


class EflowDevice(Device):
    """With the one account of EFLOW's VM, its home as closed as there, and Provision-EflowVm as far as a VM notices it."""

    def up(self):
        state = super().up()
        if not self.path(HOME).exists():
            self.push(f'u iotedge-user 1000 "EFLOW" {HOME} /bin/sh\n'.encode(), "/etc/sysusers.d/iotedge-user.conf")
            self.exec("systemd-sysusers", check=True)
            for folder in (HOME, f"{HOME}/certs", f"{HOME}/private"):
                self.exec("install", "-d", "-m", "0750", "-o", "iotedge-user", "-g", "iotedge-user", folder, check=True)
            self.push(TEMPLATE.encode(), "/var/.eflow/config/config.toml.template")
            self.push(TEMPLATE.encode(), CONFIG)
        return state

    def copy_material(self, name="leaf", certificate=f"{HOME}/certs/leaf.pem", key=f"{HOME}/private/leaf.key",
                      owner="iotedge-user:iotedge-user", mode=0o640):
        """The first half of Provision-EflowVm: the files, by scp."""
        self.push(self.pki.file(f"{name}.full.pem"), certificate, owner, 0o644)
        self.push(self.pki.file(f"{name}.key"), key, owner, mode)
        return certificate, key

    def write_config(self, certificate, key, registration_id=None):
        """The second half."""
        attestation = f'registration_id = "{registration_id}"\n' if registration_id else ""
        self.push((TEMPLATE + f'''
[provisioning]
source = "dps"
global_endpoint = "https://global.azure-devices-provisioning.net"
id_scope = "{SCOPE}"

[provisioning.attestation]
method = "x509"
{attestation}identity_cert = "file://{certificate}"
identity_pk = "file://{key}"
''').encode(), CONFIG, mode=0o644)

    def apply(self):
        self.exec("iotedge", "config", "apply", check=True)

    def stage(self, name="leaf"):
        """The shim's folder."""
        self.exec("install", "-d", "-m", "0700", "-o", "iotedge-user", "-g", "iotedge-user", BUNDLE, check=True)
        owner = "iotedge-user:iotedge-user"
        self.push(f"schema = 1\n[provisioning]\nscope_id = '{SCOPE}'\nregistration_id = 'device-1'\n[identity]\n"
                  "certificate = 'C:\\id\\leaf.pem'\nprivate_key = 'C:\\id\\leaf.key'\n".encode(), f"{BUNDLE}/device.toml", owner)
        self.push(self.pki.file(f"{name}.full.pem"), f"{BUNDLE}/leaf.pem", owner)
        self.push(self.pki.file(f"{name}.key"), f"{BUNDLE}/leaf.key", owner, 0o600)

    def post_install(self, *arguments, timeout="45s"):
        """By sudo, as the user of the VM runs it."""
        done = self.exec("env", "SUDO_UID=" + str(self.id_of("passwd", "iotedge-user")), "eflow-agent", "--json", "post-install",
                         "--timeout", timeout, *arguments)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {"stderr": done.stderr}
