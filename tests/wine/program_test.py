#!/usr/bin/env python3
"""The exe as a file: what it imports, how large it is, what it says of itself; and the unit tests as Windows programs."""
import re
import statistics
import subprocess
import time
import unittest

from wine import BUILD, Prefix

EXE = BUILD / "bin/eflow-shim.exe"
# Known DLLs: Windows loads these from System32 alone, wherever the exe stands.
SYSTEM_DLLS = {"advapi32.dll", "kernel32.dll", "msvcrt.dll", "ole32.dll", "shell32.dll"}


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = Prefix()
        cls.addClassCleanup(cls.prefix.close)
        cls.headers = subprocess.run(["x86_64-w64-mingw32-objdump", "-p", EXE], capture_output=True, text=True, check=True).stdout

    def test_imports_known_dlls_of_the_system_alone(self):
        imported = {name.lower() for name in re.findall(r"DLL Name: (\S+)", self.headers)}
        self.assertGreaterEqual(len(imported), 3)
        self.assertLessEqual(imported, SYSTEM_DLLS)

    def test_addresses_are_not_to_be_guessed(self):
        for word in ("HIGH_ENTROPY_VA", "DYNAMIC_BASE", "NX_COMPAT"):
            self.assertIn(word, self.headers)

    def test_size(self):
        size = EXE.stat().st_size
        print(f"eflow-shim.exe: {size} bytes")
        self.assertLess(size, 4 * 1024 * 1024)

    def test_version_resource_and_manifest(self):
        content = EXE.read_bytes()
        version = re.search(r"project\(\S+ VERSION (\S+)", (BUILD.parents[1] / "CMakeLists.txt").read_text()).group(1)
        self.assertIn("ProductVersion".encode("utf-16-le"), content)
        self.assertIn(version.encode("utf-16-le"), content)
        for part in (b'level="asInvoker"', b"<longPathAware", b">UTF-8</activeCodePage>"):
            self.assertIn(part, content)

    def test_it_starts(self):
        times = []
        for _ in range(6):
            begin = time.monotonic()
            process = self.prefix.start(EXE, "--version", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            out = process.communicate(timeout=60)[0]
            times.append(time.monotonic() - begin)
            self.assertEqual((process.returncode, out.split()[0]), (0, b"eflow-shim"))
        print(f"start of eflow-shim --version in Wine: first {times[0] * 1000:.0f} ms, then {statistics.median(times[1:]) * 1000:.0f} ms")

    def test_unit_tests_as_windows_programs(self):
        for name in ("host-shim_tests", "shared_tests"):
            out = self.prefix.drive / f"{name}.out"
            with open(out, "wb") as sink:
                # Left out: paths of a Linux machine, completed by its rules, and its shell.
                code = self.prefix.start(BUILD / f"bin/{name}.exe", "--gtest_filter=-Manifest.IsReadWithPathsCompleted:ShellQuote.AWordArrivesAsItIs", stdout=sink, stderr=subprocess.STDOUT).wait(timeout=300)
            text = out.read_text(errors="replace")
            self.assertEqual(code, 0, text[-3000:])
            print(f"{name}: " + re.search(r"\d+ tests from \d+ test suites ran", text).group(0))


if __name__ == "__main__":
    unittest.main()
