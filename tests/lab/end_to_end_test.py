#!/usr/bin/env python3
"""From one command on "Windows" to a device in the cloud: eflow-shim.exe in Wine, its files and commands carried into a
booted lab by a model of the EFLOW module, the real agent there, DPS on the lab's loopback."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from device import CONFIG, SCOPE, SECRETS
from eflow_device import HOME, TEMPLATE, EflowDevice
from lab import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "wine"))
from eflow_model import SYSTEM, Bridge, CmdletError, World  # noqa: E402
from wine import BUILD, Prefix  # noqa: E402

SHIM = "C:\\Program Files\\EFLOW Companion\\eflow-shim.exe"
IDENTITY = "C:\\Identität & Co\\plant 7"
PATIENCE = 180
SUDO = "#!/bin/sh\nexport SUDO_UID=1000 SUDO_GID=1000 SUDO_USER=iotedge-user\nexec \"$@\"\n"
COMMANDS = "/var/lib/lab-ssh"  # what the SSH session of the lab finds first


class LabVm:
    """The lab as the model of the module reaches it: one file, one command."""

    def __init__(self, device):
        self.device = device
        device.push(SUDO.encode(), f"{COMMANDS}/sudo", mode=0o755)

    def path(self, inside):
        # Through the lab's own eyes: its /run is its own.
        return pathlib.Path(f"/proc/{self.device.leader}/root") / inside.lstrip("/")

    def run(self, command):
        done = self.device.exec("env", f"PATH={COMMANDS}:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", command, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr


class LabWorld(World):
    """Provision-EflowVm does in the lab what it does in the VM."""

    def __init__(self, prefix, device, generation):
        super().__init__(prefix, LabVm(device), generation)
        self.device = device
        self.half = None  # where Provision-EflowVm stops

    def provision_eflowvm(self, parameters):
        output, said = super().provision_eflowvm(parameters)
        certificate = f"{HOME}/certs/{parameters['identityCertPath'].rsplit(chr(92), 1)[1]}"
        key = f"{HOME}/private/{parameters[self.generation.key_parameter].rsplit(chr(92), 1)[1]}"
        if self.half == "nothing":
            raise CmdletError("Failed to provision", said=said)
        self.device.push(self.config["certificate"], certificate, "iotedge-user:iotedge-user", 0o644)
        self.device.push(self.config["key"], key, "iotedge-user:iotedge-user", 0o644)
        if self.half == "copied":
            raise CmdletError("Failed to provision", said=said)
        self.device.write_config(certificate, key, parameters.get("registrationId"))
        if self.half == "config":
            text = self.device.path(CONFIG).read_bytes()
            self.device.push(text[:text.index(b"identity_pk") + 18], CONFIG)
            raise CmdletError("Failed to provision config.toml. Please provision manually.", said=said)
        self.device.exec("iotedge", "config", "apply", check=True)
        if self.half == "late":
            raise CmdletError("iotedge service not running after provisioning, please investigate manually", said=said)
        return output, said


class EndToEnd(unittest.TestCase):
    generation = "1.5"

    def setUp(self):
        self.workshop = tempfile.TemporaryDirectory(prefix="eflow-end-")
        self.addCleanup(self.workshop.cleanup)
        self.device = self.make_device()
        self.addCleanup(self.device.down)
        self.device.up()
        self.prefix = Prefix()
        self.addCleanup(self.prefix.close)
        self.world = LabWorld(self.prefix, self.device, self.generation)
        self.bridge = Bridge(self.world)
        self.addCleanup(self.bridge.close)
        self.prefix.put(SYSTEM, (BUILD / "bin/powershell_standin.exe").read_bytes(), 0o755)
        self.prefix.put(SYSTEM.rsplit("\\", 1)[0] + "\\standin-port", str(self.bridge.port).encode())
        self.prefix.put(SHIM, (BUILD / "bin/eflow-shim.exe").read_bytes(), 0o755)
        self.chain, self.key = (path.read_bytes() for path in self.device.pki.leaf("leaf", "device-1"))
        self.prefix.put(f"{IDENTITY}\\full chain.pem", self.chain)
        self.prefix.put(f"{IDENTITY}\\key.pem", self.key)
        self.said = b""

    def make_device(self):
        return EflowDevice("vm")

    def tearDown(self):
        """Whatever came of it: the shim did only what it may, nothing is staged, the key lies where it should alone."""
        self.assertEqual(self.world.faults, [])
        self.assertEqual(self.device.exec("sh", "-c", "ls -d /run/eflow-shim-* 2>/dev/null").stdout, "")
        state = self.prefix.linux("C:\\ProgramData\\eflow-shim")
        self.assertEqual([path.name for path in state.glob("stage-*")] if state.is_dir() else [], [])
        line = self.key.splitlines()[1]
        on_windows = [path for path in self.prefix.drive.rglob("*") if path.is_file() and not path.is_symlink() and
                      line in path.read_bytes()]
        self.assertEqual(on_windows, [self.prefix.linux(f"{IDENTITY}\\key.pem")])
        self.assertNotIn(line, self.said)
        self.assertNotIn(line.decode(), self.device.exec("journalctl", "--no-pager", "-o", "cat").stdout)

    def shim(self, *arguments):
        """Runs it to its end; gives its exit code and its report."""
        out, err = (pathlib.Path(self.workshop.name) / name for name in ("out", "err"))
        with open(out, "wb") as out_file, open(err, "wb") as err_file:
            code = self.prefix.start(SHIM, *arguments, "--json", stdin=subprocess.DEVNULL, stdout=out_file,
                                     stderr=err_file).wait(timeout=PATIENCE)
        self.said += out.read_bytes() + err.read_bytes()
        return code, json.loads(out.read_bytes())

    def provision(self, *arguments):
        return self.shim("provision", "--scope-id", SCOPE, "--registration-id", "device-1", "--identity-cert",
                         f"{IDENTITY}\\full chain.pem", "--identity-key", f"{IDENTITY}\\key.pem", "--timeout", "3min", *arguments)

    def keys_in_the_vm(self, name="leaf"):
        """Every file of the VM's that holds the private key, as it was given or as PKCS#8."""
        line = self.key.splitlines()[1].decode()
        body = self.device.pki.pkcs8(name).read_text().splitlines()[1]
        return sorted(self.device.exec("grep", "-rlsF", "-e", line, "-e", body, "/home", "/run", "/tmp", "/var", "/etc", "/root").stdout.split())

    def assert_provisioned(self, result, given_up=()):
        """The device is there, by what the report says and by what the lab shows; `given_up` are steps that failed."""
        code, report = result
        self.assertEqual((code, report["program"], report["verb"], report["ok"], report["phase"]),
                         (0, "eflow-shim", "provision", True, "awaiting-deployment"), report)
        agent = report["data"]["agent"]
        self.assertEqual((agent["schema"], agent["program"], agent["verb"], agent["exit_code"], agent["phase"]),
                         (1, "eflow-agent", "post-install", 0, "awaiting-deployment"), agent)
        outcomes = {step["id"]: step["outcome"] for step in report["data"]["steps"]}
        self.assertEqual([step for step in outcomes if outcomes[step] not in ("done", "skipped")], list(given_up), outcomes)
        device = self.device
        self.assertEqual(device.containers(), {"edgeAgent": "running"})
        self.assertEqual(device.agent("status")[1]["phase"], "awaiting-deployment")
        self.assertTrue(device.path(CONFIG).read_text().startswith(TEMPLATE))
        self.assertEqual(device.owner_and_mode(CONFIG), "root:root 600")
        placed = [f"{SECRETS}/{name}" for name in device.placed(SECRETS, ".key.pem")]
        self.assertEqual(len(placed), 1, placed)
        self.assertEqual(self.keys_in_the_vm(), placed, "one key, in its place, and no copy of it")
        self.assertEqual(device.owner_and_mode(placed[0]), "root:aziotks 440")
        return report


class OneCommand(EndToEnd):
    def test_from_a_stock_vm_to_awaiting_a_deployment_and_again(self):
        report = self.assert_provisioned(self.provision())
        self.assertEqual(report["data"]["agent"]["data"]["source"], "bundle")
        removed = {change["path"] for change in report["changes"] if change["action"] == "removed"}
        self.assertEqual(len([path for path in removed if path.startswith(f"{HOME}/private/")]), 1, report["changes"])
        self.assertEqual([answer["status"] for answer in self.device.cloud_log() if "/register?" in answer["target"]], [202])

        calls = len(self.world.calls)
        code, again = self.provision()
        self.assertEqual((code, again["phase"]), (0, "awaiting-deployment"), again)
        self.assertNotIn("Provision-EflowVm", [cmdlet for cmdlet, _ in self.world.calls[calls:]])
        self.assertIn("left alone", " ".join(again["data"]["notes"]))

    def test_it_is_there_after_a_reboot(self):
        self.assert_provisioned(self.provision())
        self.device.reboot()
        wait_until(lambda: self.device.agent("status")[1]["phase"] == "awaiting-deployment", "the device after its reboot")


class FromAStockVm(EndToEnd):
    """A VM of Microsoft's, without the agent: it travels with the shim, in one file."""

    def make_device(self):
        device = EflowDevice("writable", agent=False)
        device.path("/usr/bin/eflow-agent").unlink()
        device.seal()
        device.program = "/var/lib/eflow-agent/bin/eflow-agent"
        return device

    def test_the_agent_comes_along_and_stays(self):
        device = self.device
        agent = pathlib.Path(self.workshop.name) / "eflow-agent"
        # As it ships: without what a debugger wants.
        subprocess.run(["strip", "-o", agent, device.build / "bin/eflow-agent"], check=True)
        self.prefix.put(SHIM.rsplit("\\", 1)[0] + "\\eflow-agent", agent.read_bytes())
        self.assert_provisioned(self.provision())
        self.assertEqual(device.owner_and_mode(device.program), "root:root 755")
        device.reboot()
        wait_until(lambda: device.agent("status")[1]["phase"] == "awaiting-deployment", "the device after its reboot")


class HalfWay(EndToEnd):
    """Provision-EflowVm gives up somewhere; the agent completes what it began."""

    def complete(self, half):
        self.world.half = half
        report = self.assert_provisioned(self.provision(), given_up=["provision"])
        self.assertTrue([f for f in report["findings"] if f["id"] == "shim.provision" and f["severity"] == "warning"], report["findings"])

    def test_before_anything(self):
        self.complete("nothing")

    def test_after_nothing_but_the_copies(self):
        self.complete("copied")

    def test_in_the_middle_of_config_toml(self):
        self.complete("config")

    def test_after_everything_when_the_services_do_not_come_up(self):
        self.complete("late")


class Unwanted(EndToEnd):
    def test_an_identity_that_the_agent_refuses_touches_nothing(self):
        device = self.device
        device.pki.key("stranger")
        self.prefix.put(f"{IDENTITY}\\key.pem", device.pki.file("stranger.key").read_bytes())
        self.key = device.pki.file("stranger.key").read_bytes()
        code, report = self.provision()
        self.assertEqual(code, 3, report)
        self.assertIn("identity.key-matches", [f["id"] for f in report["findings"] if f["severity"] == "failed"])
        self.assertNotIn("Provision-EflowVm", [cmdlet for cmdlet, _ in self.world.calls])
        self.assertEqual(device.path(CONFIG).read_text(), TEMPLATE)
        self.assertEqual(self.keys_in_the_vm("stranger"), [])

    def test_what_dps_refuses_is_said_in_its_words_and_goes_through_once_it_is_mended(self):
        device = self.device
        group = dict(device.cloud["groups"][0])
        device.tell_cloud(groups=[{**group, "provisioningStatus": "disabled"}])
        code, report = self.provision()
        self.assertEqual(code, 8, report)
        self.assertIn("Expected one of [202]", json.dumps(report["findings"]))
        self.assertEqual(device.placed(SECRETS, ".key.pem"), [])
        device.tell_cloud(groups=[group])
        self.assert_provisioned(self.provision())


class OtherModules(EndToEnd):
    generation = "strict"

    def test_one_that_takes_no_registration_id(self):
        self.assert_provisioned(self.provision())
        asked = [set(parameters) for cmdlet, parameters in self.world.calls if cmdlet == "Provision-EflowVm"]
        self.assertEqual(["registrationId" in names for names in asked], [True, False])


class HowToModule(EndToEnd):
    generation = "howto"

    def test_the_parameter_of_the_how_to(self):
        self.assert_provisioned(self.provision())
        self.assertIn("identityPrivateKey", next(parameters for cmdlet, parameters in self.world.calls if cmdlet == "Provision-EflowVm"))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
