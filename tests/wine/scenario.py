"""What every scenario in Wine has: a prefix, a modelled EFLOW, a VM, an identity; and what must hold in each."""
import dataclasses
import json
import os
import pathlib
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from eflow_model import Bridge, World  # noqa: E402
from support.sandbox import Pki  # noqa: E402
from virtual_machine import VirtualMachine  # noqa: E402
from wine import BUILD, POWERSHELL, Prefix  # noqa: E402

AGENT_STANDIN = os.environ.get("AGENT_STANDIN", "")
SCOPE, DEVICE = "0ne00A1B2C3", "plant7-gw-03"
SHIM = "C:\\tools\\eflow-shim.exe"
PATIENCE = 120


@dataclasses.dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def report(self):
        return json.loads(self.out)

    def outcomes(self):
        """What became of each step."""
        return {step["id"]: step["outcome"] for step in self.report["data"]["steps"]}

    def finding(self, finding_id, severity="failed"):
        found = [f for f in self.report["findings"] if f["id"] == finding_id and f["severity"] == severity]
        if not found:
            raise AssertionError(f"no {severity} finding {finding_id} in {json.dumps(self.report['findings'], indent=1)}")
        return found[0]


class Scenario(unittest.TestCase):
    generation = "1.5"
    may_leave_staged = False

    @classmethod
    def setUpClass(cls):
        # A prefix a class: to clone and start one takes longer than a scenario.
        cls.prefix = Prefix()
        cls.addClassCleanup(cls.prefix.close)

    def setUp(self):
        self.workshop = tempfile.TemporaryDirectory(prefix="eflow-wine-")
        self.addCleanup(self.workshop.cleanup)
        self.vm = VirtualMachine(AGENT_STANDIN)
        self.addCleanup(self.vm.close)
        self.world = World(self.prefix, self.vm, self.generation)
        self.bridge = Bridge(self.world)
        self.addCleanup(self.bridge.close)
        for folder in ("C:\\ProgramData\\eflow-shim", "C:\\identity", "C:\\tools"):
            shutil.rmtree(self.prefix.linux(folder), ignore_errors=True)
        folder = "C:\\" + POWERSHELL.replace("/", "\\")
        self.prefix.put(folder + "\\powershell.exe", (BUILD / "bin/powershell_standin.exe").read_bytes(), 0o755)
        self.prefix.put(folder + "\\standin-port", str(self.bridge.port).encode())
        self.prefix.put(SHIM, (BUILD / "bin/eflow-shim.exe").read_bytes(), 0o755)
        self.prefix.put("C:\\tools\\eflow-agent", pathlib.Path(AGENT_STANDIN).read_bytes())
        self.pki = Pki(pathlib.Path(self.workshop.name) / "pki")
        chain, key = self.pki.leaf("device", DEVICE)
        self.chain, self.key = chain.read_bytes(), key.read_bytes()
        self.certificate_path = "C:\\identity\\full-chain.cert.pem"
        self.key_path = "C:\\identity\\device.key.pem"
        self.prefix.put(self.certificate_path, self.chain)
        self.prefix.put(self.key_path, self.key)
        self.results = []

    def tearDown(self):
        self.assertEqual(self.world.faults, [], "the shim did what it may not")
        if not self.may_leave_staged:
            self.assert_nothing_staged()
        self.assert_no_secret()

    # --- doing --------------------------------------------------------------------------------------------------------

    def identity(self):
        return ["--scope-id", SCOPE, "--registration-id", DEVICE, "--identity-cert", self.certificate_path,
                "--identity-key", self.key_path]

    def shim(self, *arguments, json_report=True, feed="", files=""):
        """Runs the shim to its end; `files` names its output when two run at once."""
        out, err = (pathlib.Path(self.workshop.name) / (files + name) for name in ("out", "err"))
        words = list(arguments) + (["--json"] if json_report else [])
        with open(out, "wb") as out_file, open(err, "wb") as err_file:
            process = self.prefix.start(SHIM, *words, stdin=subprocess.PIPE, stdout=out_file, stderr=err_file)
            process.stdin.write(feed.encode())
            process.stdin.close()
            code = process.wait(timeout=PATIENCE)
        return self._result(code, out, err)

    def provision(self, *arguments, **options):
        return self.shim("provision", *self.identity(), *arguments, **options)

    def provision_in(self, files):
        return self.provision(files=files)

    def provision_and_cancel(self, at, *arguments):
        """Presses Ctrl-C while the shim is in the call `at`, which would never end by itself."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        threading.Thread(target=self._drain, args=(master,), daemon=True).start()
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(PATIENCE)
        runner = []

        def press(_):
            del self.world.hooks[at]
            runner[0].sendall(b"!")
            self.world.released.wait(PATIENCE)
            return ["released"], []

        self.world.hooks[at] = press
        out, err = (pathlib.Path(self.workshop.name) / name for name in ("out", "err"))
        process = self.prefix.start(BUILD / "bin/console_runner.exe", str(listener.getsockname()[1]), f"Z:{out}", f"Z:{err}", SHIM, "provision",
                                    *self.identity(), *arguments, "--json", stdin=slave, stdout=slave, stderr=slave,
                                    start_new_session=True)
        os.close(slave)
        runner.append(listener.accept()[0])
        self.addCleanup(runner[0].close)
        try:
            code = process.wait(timeout=PATIENCE)
        finally:
            self.world.released.set()
        return self._result(code, out, err)

    @staticmethod
    def _drain(master):
        try:
            while os.read(master, 65536):
                pass
        except OSError:
            pass

    def _result(self, code, out, err):
        result = Result(code, out.read_text(), err.read_text())
        self.results.append(result)
        return result

    # --- what must hold -----------------------------------------------------------------------------------------------

    def home(self):
        return self.prefix.linux("C:\\ProgramData\\eflow-shim")

    def assert_nothing_staged(self):
        self.assertEqual([path for path in self.vm.staged() if "eflow-shim" in path], [], "staged in the VM")
        self.assertEqual(list(self.home().glob("stage-*")), [], "staged on the host")

    def assert_no_secret(self):
        """No line of the key in anything that is printed, logged, kept or given as an argument."""
        lines = [line for line in self.key.decode().splitlines() if not line.startswith("-----")]
        texts = [result.out + result.err for result in self.results]
        texts += [json.dumps(request["arguments"]) for request in self.world.requests]
        texts += [bytes.fromhex(request["stdin"]).decode() for request in self.world.requests]
        texts += [path.read_text(errors="replace") for path in self.home().rglob("*") if path.is_file() and "stage-" not in str(path)]
        for text in texts:
            for line in lines:
                self.assertNotIn(line, text)

    def cmdlets(self):
        return [cmdlet for cmdlet, _ in self.world.calls]
