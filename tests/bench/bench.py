#!/usr/bin/env python3
"""Start-up and a whole provision, each beside the openssl command line doing the same reading, in turn (A B A B …).
Prints medians and the ratio pair by pair; judges nothing.   tests/bench/bench.py [runs]"""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sandbox import AGENT, Pki, Sandbox  # noqa: E402


def milliseconds(*commands):
    start = time.perf_counter_ns()
    for command in commands:
        subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter_ns() - start) / 1e6


def compare(name, runs, ours, theirs, before=lambda: None):
    pairs = []
    for _ in range(runs + 1):  # the first pair warms the caches
        before()
        pairs.append((milliseconds(*ours), milliseconds(*theirs)))
    a, b = zip(*pairs[1:])
    ratio = statistics.median(x / y for x, y in pairs[1:])
    print(f"{name:34} {statistics.median(a):7.2f} ms  {statistics.median(b):7.2f} ms  ratio {ratio:5.2f}")


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    folder = tempfile.mkdtemp(prefix="eflow-bench-")
    box = Sandbox()
    try:
        pki = Pki(folder)
        chain, key = pki.leaf("device", "plant7-gw-03")
        leaf, intermediate, root = (pki.file(name + ".pem") for name in ("device", "intermediate", "root"))
        provision = [AGENT, "--root", box.root, "--quiet", "provision", "--scope-id", "0ne00A1B2C3", "--registration-id",
                     "plant7-gw-03", "--cert", chain, "--key", key, "--no-apply"]
        reading = [["openssl", "x509", "-in", chain, "-noout", "-text"],
                   ["openssl", "verify", "-purpose", "sslclient", "-CAfile", root, "-untrusted", intermediate, leaf]]

        def empty():
            for path in ("var/aziot", "var/lib/eflow-agent"):
                shutil.rmtree(box.root / path, ignore_errors=True)
            (box.root / "etc/aziot/config.toml").unlink(missing_ok=True)

        print(f"{runs} pairs; medians{'':18} ours       openssl")
        compare("--version / openssl version", runs, [[AGENT, "--version"]], [["openssl", "version"]])
        compare("provision, fresh / x509 + verify", runs, [provision], reading, before=empty)
        compare("provision, again / x509 + verify", runs, [provision], reading)
    finally:
        shutil.rmtree(folder)
        box.close()


if __name__ == "__main__":
    main()
