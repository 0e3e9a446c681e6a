#!/usr/bin/env python3
"""The scripts inside the shim: they parse under a PowerShell grammar that is not ours, run no command and no parameter
but those listed here, and make code of nothing. The shell scripts for the VM parse too."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE.parents[1] / "host-shim" / "scripts"

# PowerShell's own, each with the parameters in use.
OWN = {"ConvertFrom-Json": {"-InputObject"}, "ConvertTo-Json": {"-InputObject", "-Depth", "-Compress"},
       "New-Object": {"-TypeName", "-ArgumentList"}, "Import-Module": {"-Name"}, "Get-Command": {"-Name", "-Module"},
       "Get-Module": {"-Name", "-ListAvailable"}, "ForEach-Object": {"-Process"}, "Select-Object": {"-First"},
       "Get-ItemProperty": {"-LiteralPath"}, "Get-ExecutionPolicy": set(), "Get-Service": {"-Name"}}
# The EFLOW module's, as the reference documents them (reference-iot-edge-for-linux-on-windows-functions).
EFLOW = {"Copy-EflowVmFile", "Deploy-Eflow", "Get-EflowLogs", "Get-EflowVm", "Invoke-EflowVmCommand", "Provision-EflowVm",
         "Set-EflowVmDNSServers", "Start-EflowVm", "Verify-EflowVm"}
INVOKED = {"facts.ps1": {"& {", "& $look", "& $how"}, "call.ps1": {"& {", "& $cmdlet"}}


def grammar():
    """The grammar as its lock file has it, installed once into a cache."""
    source = HERE / "grammar"
    name = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:12]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "eflow-companion"
    folder = cache / f"grammar-{name}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        building = tempfile.mkdtemp(dir=cache)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, building)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=building, check=True,
                       capture_output=True, timeout=300)
        try:
            os.rename(building, folder)
        except OSError:  # another run was faster
            shutil.rmtree(building)
    shutil.copy(source / "commands.js", folder)
    return folder


def parsed(*files):
    # One thread and no optimising compiler: the grammar is one huge function, and runs once.
    done = subprocess.run(["node", "--single-threaded", "--liftoff-only", "commands.js", *map(str, files)], cwd=grammar(),
                          capture_output=True, text=True, timeout=500)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


class PowerShellScripts(unittest.TestCase):
    def test_they_parse_and_use_what_is_listed_alone(self):
        files = sorted(SCRIPTS.glob("*.ps1"))
        self.assertEqual([file.name for file in files], ["call.ps1", "facts.ps1"])
        for file, found in zip(files, parsed(*files), strict=True):
            self.assertEqual(found["errors"], [], file.name)
            self.assertGreater(len(found["commands"]), 5, "the grammar saw the commands")
            for command in found["commands"]:
                if command["name"] in EFLOW:
                    self.assertEqual(command["parameters"], [], "parameters of the module are asked of it, never written")
                else:
                    self.assertLessEqual(set(command["parameters"]), OWN[command["name"]], command["name"])
            self.assertEqual(set(found["invoked"]), INVOKED[file.name])
            self.assertEqual(found["expandable"], [], "a text that expands could become code")
            self.assertEqual({"Create", "Invoke", "InvokeScript", "NewScriptBlock", "AddScript"} & set(found["members"]), set())

    def test_the_module_s_cmdlets_are_the_reference_s(self):
        known = re.search(r"\$known = (.*?)\n    \$", (SCRIPTS / "call.ps1").read_text(), re.S).group(1)
        self.assertLessEqual(set(re.findall(r"'([^']+)'", known)), EFLOW)

    def test_the_grammar_sees_what_is_broken(self):
        text = (SCRIPTS / "call.ps1").read_text()
        broken = [text[:-3], text.replace("catch {", "catch "), text.replace("try {", "try", 1), text.replace("@{ output", "@ output")]
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder) / f"{number}.ps1" for number in range(len(broken))]
            for file, content in zip(files, broken, strict=True):
                file.write_text(content)
            for number, found in enumerate(parsed(*files)):
                self.assertNotEqual(found["errors"], [], number)

    def test_ascii_without_double_quotes(self):
        for file in SCRIPTS.glob("*.ps1"):
            text = file.read_text()
            self.assertTrue(text.isascii() and '"' not in text, file.name)


class ShellScripts(unittest.TestCase):
    def test_they_parse(self):
        common = (SCRIPTS / "vm-common.sh").read_text()
        files = sorted(SCRIPTS.glob("vm-*.sh"))
        self.assertEqual(len(files), 8)
        for file in files:
            text = common + (file.read_text() if file.name != "vm-common.sh" else "")
            for shell in ("dash", "bash"):
                done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), file.name)

    def test_shellcheck(self):
        common = (SCRIPTS / "vm-common.sh").read_text()
        for file in sorted(SCRIPTS.glob("vm-*.sh")):
            text = common + (file.read_text() if file.name != "vm-common.sh" else "")
            # 2034: what one script does not use, another does.
            done = subprocess.run(["shellcheck", "--shell=sh", "--exclude=SC2034", "-"], input=text, capture_output=True, text=True)
            self.assertEqual(done.stdout, "", file.name)


if __name__ == "__main__":
    unittest.main()
