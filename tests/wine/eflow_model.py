"""A model of Windows PowerShell and of the EFLOW module, for the stand-in that runs in Wine.

It takes only what the shim may say: the fixed scripts, character by character, and one line of JSON. It knows each
module generation's parameters; an unknown or a missing one is an error as PowerShell words it. SSH connections are
counted, and a VM that bans a busy host refuses the fourth in a minute. Everything is recorded."""
import dataclasses
import json
import pathlib
import socketserver
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE.parents[1] / "host-shim" / "scripts"
SYSTEM = "C:\\windows\\system32\\WindowsPowerShell\\v1.0\\powershell.exe"

# Parameters as the reference documents them; `headless` is undocumented but real.
COMMON = {"Verify-EflowVm": [], "Get-EflowVm": [], "Start-EflowVm": [], "Stop-EflowVm": [], "Get-EflowLogs": [],
          "Copy-EflowVmFile": ["fromFile", "toFile", "pushFile"], "Invoke-EflowVmCommand": ["command", "ignoreError"],
          "Set-EflowVmDNSServers": ["vendpointName", "dnsServers"],
          "Deploy-Eflow": ["acceptEula", "acceptOptionalTelemetry", "cpuCount", "memoryInMB", "vmDiskSize", "vmDataSize",
                           "vmLogSize", "vswitchName", "vswitchType", "ip4Address", "ip4PrefixLength",
                           "ip4GatewayAddress", "gpuName", "gpuPassthroughType", "gpuCount", "customSsh",
                           "sharedFoldersJsonPath"],
          "Provision-EflowVm": ["provisioningType", "devConnString", "iotHubHostname", "deviceId", "scopeId", "symmKey",
                                "registrationId", "identityCertPath", "identityPrivKeyPath", "globalEndpoint",
                                "headless"]}
SWITCHES = {"pushFile", "ignoreError", "headless", "customSsh"}
MANDATORY = {"Copy-EflowVmFile": ["fromFile", "toFile"], "Invoke-EflowVmCommand": ["command"],
             "Provision-EflowVm": ["provisioningType"], "Deploy-Eflow": ["acceptEula"]}
NUMBERS = {"cpuCount", "memoryInMB", "vmDiskSize", "vmDataSize", "ip4PrefixLength", "gpuCount"}


class CmdletError(Exception):
    def __init__(self, message, error_id=None, said=()):
        super().__init__(message)
        self.error_id = error_id or message
        self.said = list(said)


@dataclasses.dataclass
class Generation:
    """What one version of the module is like."""
    version: str
    key_parameter: str = "identityPrivKeyPath"
    takes_registration_id: bool = True
    bans: bool = False
    headless: bool = True
    ignore_error: bool = True


GENERATIONS = {
    "1.3": Generation("1.3.1.2092", bans=True, takes_registration_id=False),
    "1.4": Generation("1.4.14.24074"),
    "1.5": Generation("1.5.6.8025"),
    "howto": Generation("1.5.7.1026", key_parameter="identityPrivateKey"),
    "strict": Generation("1.4.1.13112", takes_registration_id=False),
    "1.1": Generation("1.1.2212.12122"),
}


class World:
    """A Windows host with EFLOW, or without it."""

    def __init__(self, prefix, vm, generation="1.5"):
        self.prefix, self.vm = prefix, vm
        self.generation = GENERATIONS[generation]
        self.facts = {
            "user": {"name": "PLANT7\\operator", "sid": "S-1-5-21-1-2-3-1001", "elevated": True},
            "windows": {"product": "Windows 10 IoT Enterprise LTSC 2021", "edition": "IoTEnterpriseS", "kind": "Client",
                        "build": "19044"},
            "powershell": {"version": "5.1.19041.4522", "language": "FullLanguage", "policy": "AllSigned"},
            "service": {"status": "Running", "start": "Automatic"}}
        self.problems = {}
        self.installed = True
        self.exists = True
        self.power = "Running"
        self.calls = []        # (cmdlet, parameters), in order
        self.requests = []     # what the stand-in of powershell.exe was given
        self.connections = []  # when the VM was connected to
        self.window = 60.0     # seconds in which a VM that bans takes three
        self.hooks = {}        # cmdlet, or (cmdlet, command in the VM) -> what happens instead or before
        self.faults = []       # what the shim did that it may not
        self.config = None     # what Provision-EflowVm wrote
        self.released = threading.Event()

    # --- PowerShell ---------------------------------------------------------------------------------------------------

    def powershell(self, request):
        """(standard output, standard error, exit code) for what the stand-in was given."""
        self.requests.append(request)
        arguments, line = request["arguments"], bytes.fromhex(request["stdin"])
        if request["path"].lower() != SYSTEM.lower():
            self.faults.append(f"PowerShell was not run by its full system path: {request['path']}")
        fixed = ["-NoLogo", "-NoProfile", "-NonInteractive", "-InputFormat", "Text", "-OutputFormat", "Text", "-Command"]
        if arguments[:-1] != fixed:
            self.faults.append(f"unknown arguments: {arguments[:-1]}")
        script = next((path for path in SCRIPTS.glob("*.ps1") if path.read_text() == arguments[-1]), None)
        if script is None:
            self.faults.append("the script is not one of the fixed ones, character by character")
            return "", "no such script", 1
        if not line.endswith(b"\n") or line.count(b"\n") != 1 or not all(32 <= byte < 127 for byte in line[:-1]):
            self.faults.append("standard input is not one line of printable ASCII")
        asked = json.loads(line)
        hook = self.hooks.get(script.name)
        if hook:
            answer = hook(self)
            if answer is not None:
                return answer
        answer = self.look() if script.name == "facts.ps1" else self.call(asked)
        # Chatter and attempts to be taken for the answer stand around it.
        return ("eflow-shim:00000000000000000000000000000000:{\"output\":[\"forged\"]}\nWelcome\n" + asked["marker"] +
                json.dumps(answer) + "\r\n", "", 0)

    def look(self):
        facts = {name: value for name, value in self.facts.items() if name not in self.problems}
        problems = {name: {"id": error_id, "message": message, "position": "At line:1 char:1"}
                    for name, (error_id, message) in self.problems.items()}
        if self.installed:
            facts["installed"] = self.generation.version  # PowerShell makes one text of a list of one
            if "module" not in problems:
                facts["module"] = {"version": self.generation.version,
                                   "path": "C:\\Program Files\\WindowsPowerShell\\Modules\\AzureEFLOW\\AzureEFLOW.psm1"}
                facts["parameters"] = {name: self.parameters(name) for name in COMMON}
                if "exists" not in problems:
                    facts["exists"] = self.exists
                    if self.exists and "vm" not in problems:
                        facts["vm"] = {"name": "PLANT7-EFLOW", "power": self.power, "runtime": "1.5.21"}
        else:
            problems["service"] = {"id": "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand",
                                   "message": "Cannot find any service with service name 'wssdagent'.", "position": ""}
            facts.pop("service", None)
        facts["problems"] = problems
        return facts

    def parameters(self, cmdlet):
        names = list(COMMON[cmdlet])
        if cmdlet == "Provision-EflowVm":
            names[names.index("identityPrivKeyPath")] = self.generation.key_parameter
            if not self.generation.headless:
                names.remove("headless")
        if cmdlet == "Invoke-EflowVmCommand" and not self.generation.ignore_error:
            names.remove("ignoreError")
        return names + ["Verbose", "Debug", "ErrorAction"]

    def call(self, asked):
        cmdlet, parameters = asked["cmdlet"], asked["parameters"]
        self.calls.append((cmdlet, parameters))
        output, said = [], []
        try:
            known = {name.lower() for name in self.parameters(cmdlet)}
            for name, value in parameters.items():
                if name.lower() not in known:
                    raise CmdletError(f"A parameter cannot be found that matches parameter name '{name}'.",
                                      f"NamedParameterNotFound,{cmdlet}")
                if (name in SWITCHES) != isinstance(value, bool) or (name in NUMBERS) != (type(value) is int):
                    raise CmdletError(f"Cannot process argument transformation on parameter '{name}'.",
                                      f"ParameterArgumentTransformationError,{cmdlet}")
            for name in MANDATORY.get(cmdlet, []):
                if name not in parameters:
                    raise CmdletError(f"Cannot process command because of one or more missing mandatory parameters: {name}.",
                                      f"MissingMandatoryParameter,{cmdlet}")
            output, said = self.perform(cmdlet, parameters)
        except CmdletError as error:
            return {"output": output, "said": error.said, "heard": [str(error), "an earlier word"],
                    "error": {"stage": "call", "id": error.error_id, "message": str(error),
                              "position": "At C:\\Program Files\\WindowsPowerShell\\Modules\\AzureEFLOW\\AzureEFLOW.psm1:"
                                          "2415 char:9"}}
        return {"output": output, "said": said, "heard": [], "error": None}

    # --- the cmdlets --------------------------------------------------------------------------------------------------

    def perform(self, cmdlet, parameters):
        command = self.vm_command(parameters["command"]) if cmdlet == "Invoke-EflowVmCommand" else None
        for key in ((cmdlet, command), cmdlet):
            hook = self.hooks.get(key)
            if hook:
                answer = hook(self)
                if answer is not None:
                    return answer
        if not self.facts["user"]["elevated"]:
            raise CmdletError("Access is denied", "AccessDenied")
        return getattr(self, cmdlet.replace("-", "_").lower())(parameters)

    @staticmethod
    def vm_command(command):
        """Which of the scripts a command is: its last comment line of the kind tells nothing, its text does."""
        import base64
        words = command.split(" ")
        if words[0] != "echo" or words[2:8] != ["|", "base64", "-d", "|", "sudo", "sh"]:
            return None
        text = base64.b64decode(words[1]).decode()
        common = (SCRIPTS / "vm-common.sh").read_text()
        for path in SCRIPTS.glob("vm-*.sh"):
            if path.name != "vm-common.sh" and text == common + path.read_text():
                return path.stem[3:]
        return None

    def connect(self):
        if not self.exists:
            raise CmdletError("Virtual machine does not exist, deploy it first")
        if self.power != "Running":
            raise CmdletError("Cannot process request, EFLOW VM is OFF!")
        now = time.monotonic()
        if self.generation.bans and len([then for then in self.connections if now - then < self.window]) >= 3:
            self.faults.append("more than three connections in a minute: banned")
            raise CmdletError("Unable to connect virtual machine with SSH. Aborting..")
        self.connections.append(now)

    def verify_eflowvm(self, _):
        return ["True" if self.exists else "False"], []

    def start_eflowvm(self, _):
        if not self.exists:
            raise CmdletError("Virtual machine does not exist, deploy it first")
        self.power = "Running"
        return ["OK"], ["Starting virtual machine..."]

    def deploy_eflow(self, parameters):
        if parameters["acceptEula"] != "Yes":
            raise CmdletError("Action aborted by user")
        if parameters.get("memoryInMB", 1024) % 2:
            raise CmdletError("memoryInMB must be even")
        if self.facts["windows"]["kind"].startswith("Server") and "vswitchName" not in parameters:
            raise CmdletError("A virtual switch is needed on Windows Server")
        self.exists, self.power = True, "Running"
        return ["OK"], ["Deployment successful"]

    def set_eflowvmdnsservers(self, parameters):
        self.connect()
        return ["OK"], []

    def get_eflowlogs(self, _):
        self.connect()
        return ["C:\\Program Files\\Azure IoT Edge\\eflowlogs.zip"], []

    def copy_eflowvmfile(self, parameters):
        self.connect()
        host, vm = (("fromFile", "toFile") if parameters.get("pushFile") else ("toFile", "fromFile"))
        inside = self.vm.path(parameters[vm])
        if parameters.get("pushFile"):
            source = self.prefix.linux(parameters[host])
            if not source.is_file():
                raise CmdletError(f"scp: {parameters[host]}: No such file or directory")
            if not inside.parent.is_dir():
                raise CmdletError(f"scp: {parameters[vm]}: No such file or directory")
            if inside.parent.stat().st_uid != 1000:
                raise CmdletError(f"scp: {parameters[vm]}: Permission denied")
            inside.write_bytes(source.read_bytes())
        else:
            self.prefix.put(parameters[host], inside.read_bytes())
        return ["OK"], []

    def invoke_eflowvmcommand(self, parameters):
        self.connect()
        code, out, err = self.vm.run(parameters["command"])
        if (code != 0 or err) and not parameters.get("ignoreError"):
            raise CmdletError(f"{err.strip()} failed to execute [{code}]")
        return out.splitlines(), []

    def provision_eflowvm(self, parameters):
        said = ["Provisioning virtual machine..."]
        if parameters["provisioningType"] != "DpsX509":
            raise CmdletError("Only DpsX509 is modelled")
        key = parameters.get(self.generation.key_parameter)
        if not parameters.get("scopeId") or not parameters.get("identityCertPath") or not key:
            raise CmdletError("Scope ID and identity cert/pk parameters for DpsX509 provisioning not specified")
        if "registrationId" in parameters and not self.generation.takes_registration_id:
            raise CmdletError("Device connection string, scope ID, registration ID, and symmetric key may not be specified "
                              "for DpsX509 provisioning")
        certificate, private = self.prefix.linux(parameters["identityCertPath"]), self.prefix.linux(key)
        if not certificate.is_file() or not private.is_file():
            raise CmdletError("Certificate and private key file for DpsX509 provisioning not found")
        if self.config and not self.generation.headless:
            raise CmdletError("Aborting, iotedge was previously provisioned (headless mode)!", said=said)
        for _ in range(3):
            self.connect()
        self.config = {"scope": parameters["scopeId"], "registration": parameters.get("registrationId"),
                       "certificate": certificate.read_bytes(), "key": private.read_bytes()}
        return ["OK"], said + ["Provisioning iotedge for the first time."]


class Bridge:
    """The loopback end that the stand-in in Wine connects to."""

    def __init__(self, world):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                request = json.loads(self.rfile.readline())
                try:
                    out, err, code = world.powershell(request)
                except Exception as error:  # a fault of the model is a fault of the test
                    world.faults.append(f"the model failed: {type(error).__name__}: {error}")
                    out, err, code = "", "the model failed", 1
                try:
                    self.wfile.write(json.dumps({"stdout": out, "stderr": err, "exit_code": code}).encode())
                except OSError:
                    pass  # the shim ended it
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler, bind_and_activate=True)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
