#!/usr/bin/env python3
"""Killed, or failed by the system, at every system call that writes: the root holds the old state or the new one, never a
mixture, and the next run completes or undoes it. strace injects; the program under test is the real one."""
import collections
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sandbox import AGENT, Pki, Sandbox  # noqa: E402

ID = "plant7-gw-03"
# Everything that changes a file system, under each name that an architecture gives it.
WRITING = ["openat", "mkdir", "mkdirat", "write", "pwrite64", "fchown", "fchownat", "fchmod", "fchmodat", "fsync", "fdatasync", "rename",
           "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir", "ftruncate", "utimensat", "flock"]
STRICT = {"write", "pwrite64", "rename", "renameat", "renameat2", "fsync", "fdatasync", "fchown", "fchownat"}
ERRORS = ["ENOSPC", "EIO", "EROFS", "EACCES"]
CALL = re.compile(r"^(?:\d+ +)?([a-z0-9_]+)\((.*)$")


def setUpModule():
    global pki, folder
    if shutil.which("strace") is None:
        raise RuntimeError("strace is missing: packaging/dev/install-deps installs it")
    folder = tempfile.mkdtemp(prefix="eflow-pki-")
    pki = Pki(folder)
    pki.leaf("a", ID)
    pki.leaf("b", ID)


def tearDownModule():
    shutil.rmtree(folder)


def provision(name):
    return ["provision", "--scope-id", "0ne00A1B2C3", "--registration-id", ID, "--cert", pki.file(name + ".full.pem"), "--key",
            pki.file(name + ".key")]


class Scenario:
    """How a root is before, what is run on it, and what it is like afterwards."""

    def __init__(self, name, prepare, command):
        self.name, self.prepare, self.command = name, prepare, command

    def fresh(self):
        box = Sandbox()
        self.prepare(box)
        return box


def admin_config(box):
    box.path("/etc/aziot/config.toml").write_text('# mine\nhostname = "h"\n\n[watchdog]\nmax_retries = 5\n')
    box.path("/etc/aziot/config.toml").chmod(0o640)


def provisioned(box):
    admin_config(box)
    assert box.agent(*provision("a"))[0] == 0


def replaced(box):
    provisioned(box)
    assert box.agent(*provision("b"))[0] == 0


def loose_folders(box):
    for path in ("/var/aziot", "/var/aziot/certs"):
        box.path(path).mkdir()
        box.path(path).chmod(0o700)


def left_by_provision_eflowvm(box):
    """Its copies in the user's home, and the config.toml that names them."""
    for folder in ("/home", "/home/iotedge-user", "/home/iotedge-user/certs", "/home/iotedge-user/private"):
        box.path(folder).mkdir()
    shutil.copyfile(pki.file("a.full.pem"), box.path("/home/iotedge-user/certs/leaf.pem"))
    shutil.copyfile(pki.file("a.key"), box.path("/home/iotedge-user/private/leaf.key"))
    box.path("/etc/aziot/config.toml").write_text(
        '[provisioning]\nsource = "dps"\nglobal_endpoint = "https://global.azure-devices-provisioning.net/"\nid_scope = "0ne00A1B2C3"\n'
        '[provisioning.attestation]\nmethod = "x509"\nidentity_cert = "file:///home/iotedge-user/certs/leaf.pem"\n'
        'identity_pk = "file:///home/iotedge-user/private/leaf.key"\n')


SCENARIOS = [Scenario("first", lambda box: None, lambda: provision("a")), Scenario("mending", loose_folders, lambda: provision("a")),
             Scenario("beside others", admin_config, lambda: provision("a")), Scenario("replacing", provisioned, lambda: provision("b")),
             Scenario("adopting", left_by_provision_eflowvm, lambda: ["post-install"]),
             Scenario("deprovision", provisioned, lambda: ["deprovision"]), Scenario("undoing", replaced, lambda: ["undo"])]


def is_temporary(name):
    return name.rsplit("/", 1)[-1].startswith(".eflow-agent.")


def config_entry(snapshot):
    return snapshot.get("etc/aziot/config.toml")


def referred(entry):
    """The files that this config.toml names."""
    if entry is None:
        return []
    attestation = tomllib.loads(entry[4].decode()).get("provisioning", {}).get("attestation", {})
    return [attestation[key].removeprefix("file:///") for key in ("identity_cert", "identity_pk") if key in attestation]


def strace(box, command, *options, log="/dev/null"):
    full = ["strace", "-f", "-qq", "-o", log, *options, AGENT, "--root", box.root, "--json", *command]
    return subprocess.run(list(map(str, full)), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


def points(scenario):
    """(system call, n) for each call that writes in a clean run; and the state before and after."""
    box = scenario.fresh()
    try:
        before = box.snapshot()
        log = box.top / "trace"
        # Only the calls as such: which of them the kernel grants is the same for -e trace and -e inject.
        done = strace(box, scenario.command(), "-e", "trace=" + ",".join("?" + name for name in WRITING), log=log)
        assert done.returncode == 0, done.stdout + done.stderr
        counts, found = collections.Counter(), []
        for line in log.read_text(errors="replace").splitlines():
            match = CALL.match(line)
            if not match:
                continue
            name, rest = match.groups()
            counts[name] += 1
            if name == "openat" and "O_CREAT" not in rest:
                continue
            if name == "write" and rest.startswith(("1,", "2,")):
                continue  # the report itself
            found.append((name, counts[name]))
        return found, before, box.snapshot()
    finally:
        box.close()


def mixture(now, old, new):
    """What is wrong with a state that must be the old or the new one; None when nothing is."""
    config = config_entry(now)
    if config == config_entry(old):
        whole = old
    elif config == config_entry(new):
        whole = new
    else:
        return f"config.toml is neither the old nor the new one: {config}"
    for path in referred(config):
        if now.get(path) != whole.get(path):
            return f"{path} is not as this config.toml needs it"
    strangers = [name for name in now if name not in old and name not in new and not is_temporary(name)]
    return f"strangers: {strangers}" if strangers else None


def same(now, wanted):
    return {name: now.get(name) for name in now.keys() | wanted.keys() if now.get(name) != wanted.get(name)}


class Interruption(unittest.TestCase):
    def each_point(self, todo):
        """Runs every check on both cores; the faults of all, joined."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            faults = [fault for fault in pool.map(lambda one: one(), todo) if fault]
        self.assertEqual(faults, [])
        return len(todo)

    def test_killed_at_each_call(self):
        total = 0
        for scenario in SCENARIOS:
            found, old, new = points(scenario)
            self.assertGreater(len(found), 5)

            def killed(name, number, scenario=scenario, old=old, new=new):
                box = scenario.fresh()
                try:
                    done = strace(box, scenario.command(), "-e", f"inject={name}:signal=KILL:when={number}")
                    where = f"{scenario.name}: killed at {name} {number}"
                    if done.returncode not in (-9, 137):
                        return f"{where}: was not killed but ended with {done.returncode}"
                    wrong = mixture(box.snapshot(), old, new)
                    if wrong:
                        return f"{where}: {wrong}"
                    code, report = box.agent(*scenario.command())
                    if code != 0:
                        return f"{where}: the next run ended with {code}: {report}"
                    left = same(box.snapshot(), new)
                    return f"{where}: after the next run these differ: {left}" if left else None
                finally:
                    box.close()

            total += self.each_point([lambda n=n, i=i: killed(n, i) for n, i in found])
        print(f"interruption: killed at {total} points of {len(SCENARIOS)} scenarios", file=sys.stderr)

    def test_killed_at_each_call_and_then_undone(self):
        """status and check name what was left open and the command, and undo ends it: the old state, or a removal completed."""
        total = 0
        for scenario in (one for one in SCENARIOS if one.name in ("first", "replacing", "deprovision")):
            found, old, new = points(scenario)

            def killed(name, number, scenario=scenario, old=old, new=new):
                box = scenario.fresh()
                try:
                    strace(box, scenario.command(), "-e", f"inject={name}:signal=KILL:when={number}")
                    where = f"{scenario.name}: killed at {name} {number}"
                    if not box.path("/var/lib/eflow-agent/transaction.json").exists():
                        return None
                    code, report = box.agent("check", "--offline", "--only", "config.unfinished-change")
                    found = [one for one in report["findings"] if one["id"] == "config.unfinished-change"]
                    if len(found) != 1 or found[0]["remedy"] != "sudo eflow-agent undo":
                        return f"{where}: not named: {report}"
                    code, report = box.agent("undo")
                    if code != 0:
                        return f"{where}: undo ended with {code}: {report}"
                    ends = [same(box.snapshot(), end) for end in ([old] if scenario.name != "deprovision" else [old, new])]
                    # A change that was found good and only had to be cleared away is taken back as the last one: below --root,
                    # where nothing can be seen to be healthy, the files of its identity stay beside those of the old one.
                    stays = "/device-id-" if scenario.name == "replacing" else "nothing"
                    if all(any(stays not in path for path in end) for end in ends):
                        return f"{where}: after undo these differ: {ends[0]}"
                    return f"{where}: it is still open" if box.path("/var/lib/eflow-agent/transaction.json").exists() else None
                finally:
                    box.close()

            total += self.each_point([lambda n=n, i=i: killed(n, i) for n, i in found])
        print(f"interruption: undone after {total} kills", file=sys.stderr)

    def test_killed_while_recovering(self):
        """Killed once in the middle, then again at each call of the run that recovers."""
        scenario = next(one for one in SCENARIOS if one.name == "replacing")
        found, old, new = points(scenario)
        renames = [point for point in found if point[0].startswith("rename")]
        total = 0
        for first in (renames[len(renames) // 2], renames[-1], found[-1]):
            def killed_twice(name, number, first=first):
                box = scenario.fresh()
                try:
                    strace(box, scenario.command(), "-e", f"inject={first[0]}:signal=KILL:when={first[1]}")
                    done = strace(box, scenario.command(), "-e", f"inject={name}:signal=KILL:when={number}")
                    where = f"killed at {first}, then at {name} {number}"
                    if done.returncode not in (0, -9, 137):
                        return f"{where}: ended with {done.returncode}"
                    wrong = mixture(box.snapshot(), old, new)
                    if wrong:
                        return f"{where}: {wrong}"
                    code, report = box.agent(*scenario.command())
                    left = same(box.snapshot(), new)
                    return f"{where}: the next run ended with {code}, differing: {left}" if code != 0 or left else None
                finally:
                    box.close()

            total += self.each_point([lambda n=n, i=i: killed_twice(n, i) for n, i in found])
        print(f"interruption: killed twice at {total} points", file=sys.stderr)

    def test_errors_at_each_call(self):
        total = 0
        outcomes = collections.Counter()
        for scenario in SCENARIOS:
            found, old, new = points(scenario)

            def refused(name, number, error, scenario=scenario, old=old, new=new):
                box = scenario.fresh()
                try:
                    done = strace(box, scenario.command(), "-e", f"inject={name}:error={error}:when={number}")
                    where = f"{scenario.name}: {error} at {name} {number}"
                    outcomes[done.returncode] += 1
                    now = box.snapshot()
                    if done.returncode in (4, 5):
                        left = same(now, old)
                        return f"{where}: exit {done.returncode}, but these differ from the old state: {left}" if left else None
                    # What fails after the commit, in the tidying up, does not undo what is done.
                    if done.returncode == 0 and name not in STRICT:
                        left = {path: entry for path, entry in same(now, new).items() if not is_temporary(path) and path not in old}
                        return f"{where}: exit 0, but these differ from the new state: {left}" if left else None
                    return f"{where}: exit {done.returncode}: {done.stdout.decode()[-300:]}{done.stderr.decode()[-300:]}"
                finally:
                    box.close()

            total += self.each_point([lambda n=n, i=i, e=e: refused(n, i, e) for n, i in found for e in ERRORS])
        print(f"interruption: {total} errors injected, by exit code: {dict(outcomes)}", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
