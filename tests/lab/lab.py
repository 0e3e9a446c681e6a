#!/usr/bin/env python3
"""A machine like the VM, booted for real: systemd as PID 1, a system bus, dockerd, the aziot units, DPS on loopback.

    tests/lab/lab.py up [--variant writable|vm] [--suite S] [--build DIR]     prints the lab's folder
    tests/lab/lab.py exec FOLDER COMMAND…      runs it inside, as root
    tests/lab/lab.py push FOLDER FILE PATH [--owner USER:GROUP] [--mode 0644]
    tests/lab/lab.py reboot FOLDER
    tests/lab/lab.py down FOLDER

A lab is a throw-away overlay over the cached root file system of build-rootfs: nothing of it stays. `writable` has a
writable root; `vm` is laid out like EFLOW's VM, with a read-only root and /etc, /home and /var as overlays of their own.
/var is a tmpfs of its own size in both. The lab has a network of its own with nothing but loopback in it.
"""
import argparse
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PATIENCE = 60  # seconds until something that should happen is said not to


class LabError(Exception):
    pass


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_until(condition, what, patience=PATIENCE):
    """Looks again and again until `condition` gives something true, which is returned."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise LabError(f"waited {patience} s in vain for {what}")
        time.sleep(0.02)


def children_of(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class ControlGroup:
    """A control group of this machine, by the same name in every hierarchy and below our own: systemd makes those of its
    units in it. Without one, machines side by side would share their units' and take them from each other."""

    def __init__(self, name):
        mounts = {}  # where a hierarchy is mounted, by its controllers as /proc/self/cgroup has them
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            before, after = (part.split() for part in line.split(" - "))
            if after[0] == "cgroup2":
                mounts[""] = before[4]
            elif after[0] == "cgroup":
                known = [option for option in after[2].split(",") if option not in ("rw", "ro", "xattr")
                         and not option.startswith("release_agent=")]
                mounts[",".join(known)] = before[4]
        self.folders = []
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, ours = line.split(":", 2)
            if controllers in mounts:
                self.folders.append(pathlib.Path(mounts[controllers] + ours) / name)

    def create(self):
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
            # A group without processors and memory of its own takes nobody in.
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (folder / name).exists() and not (folder.parent / "cgroup.controllers").exists():
                    (folder / name).write_text((folder.parent / name).read_text())

    def enter(self):
        """Moves this process into it."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text("0")

    def remove(self):
        """Once nothing runs in it."""
        for folder in self.folders:
            for inner, _, _ in os.walk(folder, topdown=False):
                os.rmdir(inner)


class Lab:
    def __init__(self, variant="writable", var_mb=192, build=None, folder=None, suite="bookworm", agent=True):
        """Without `agent` nothing of ours is in it: what is installed there is the test's affair."""
        if os.geteuid() != 0:
            raise LabError("the lab needs root (systemd-nspawn, mounts)")
        if folder:
            self.folder = pathlib.Path(folder)
            state = json.loads((self.folder / "state.json").read_text())
            self.build, self.nspawn, self.leader = pathlib.Path(state["build"]), state["nspawn"], state["leader"]
        else:
            self.build = pathlib.Path(build or os.environ.get("LAB_BUILD") or REPOSITORY / "build/release").resolve()
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="eflow-lab-"))
            self.nspawn = self.leader = None
            try:
                self._lay_out(variant, var_mb, suite)
            except BaseException:
                Lab.down(self)
                raise
        self.root = self.folder / "root"
        self.has_agent = agent
        self.program = "eflow-agent"

    # --- before it runs -----------------------------------------------------------------------------------------------

    def _lay_out(self, variant, var_mb, suite):
        base = self._base(suite)
        root = self.folder / "root"
        data = self.folder / "data"
        var = self.folder / "var"
        for folder in (root, data, var):
            folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=256m,mode=0755", "eflow-lab", data)
        run("mount", "-t", "tmpfs", "-o", f"size={var_mb}m,mode=0755", "eflow-lab", var)
        if variant == "writable":
            self._overlay(base, root, data / "root")
            self._overlay(f"{base}/var", root / "var", var)
        elif variant == "vm":
            # A mount of its own over the base: nspawn locks a tree by its device and inode, and labs run side by side.
            self._overlay(base, root, data / "root")
            run("mount", "-o", "remount,bind,ro", root)
            for name in ("etc", "home"):
                self._overlay(f"{base}/{name}", root / name, data / name)
            self._overlay(f"{base}/var", root / "var", var)
        else:
            raise LabError(f"no variant {variant}: writable, vm")

    def seal(self):
        """Makes what was laid out writable and changed since into an image: a read-only root, with /etc and /home as
        overlays that keep changes, like the VM's. Before it boots."""
        run("mount", "-o", "remount,bind,ro", self.root)
        for name in ("etc", "home"):
            self._overlay(self.root / name, self.root / name, self.folder / "data" / name)

    def swap_root(self, change):
        """An A/B update of a `vm`: another root file system, to which `change(root)` was done, below the same overlays.
        While it is off."""
        base = self._base("bookworm")
        run("umount", "--recursive", self.root)
        other = self.folder / "data" / "other"
        other.mkdir()
        self._overlay(base, other, self.folder / "data" / "b")
        change(other)
        run("mount", "--bind", other, self.root)
        run("mount", "-o", "remount,bind,ro", self.root)
        for name, store in (("etc", "data/etc"), ("home", "data/home"), ("var", "var")):
            self._mount_overlay(other / name, self.root / name, self.folder / store)

    def _base(self, suite):
        done = subprocess.run([str(HERE / "build-rootfs"), suite], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise LabError("the root file system could not be built")
        return done.stdout.strip()

    @staticmethod
    def _overlay(lower, target, store):
        upper, work = pathlib.Path(store) / "upper", pathlib.Path(store) / "work"
        for folder in (upper, work):
            folder.mkdir(parents=True)
        shutil.copystat(lower, upper)
        Lab._mount_overlay(lower, target, store)

    @staticmethod
    def _mount_overlay(lower, target, store):
        upper, work = pathlib.Path(store) / "upper", pathlib.Path(store) / "work"
        run("mount", "-t", "overlay", "eflow-lab", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", target)

    def path(self, vm_path):
        """Where a path of the lab is on this machine; before boot and after."""
        return self.root / str(vm_path).lstrip("/")

    def push(self, source, vm_path, owner="root:root", mode=0o644):
        """A file's bytes (or `bytes` themselves) into the lab."""
        target = self.path(vm_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source if isinstance(source, bytes) else pathlib.Path(source).read_bytes())
        user, group = owner.split(":")
        os.chown(target, self.id_of("passwd", user), self.id_of("group", group))
        target.chmod(mode)

    def id_of(self, database, name):
        for line in self.path(f"/etc/{database}").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2])
        raise LabError(f"{name} is not in /etc/{database}")

    # --- while it runs ------------------------------------------------------------------------------------------------

    def up(self):
        """Boots, and returns when systemd says that everything has started."""
        programs = {"lab/iotedge": "bin/iotedge",
                    "lab/aziot-edged": "libexec/aziot/aziot-edged", "bin/dps_simulator": "lib/lab/dps_simulator"}
        if self.has_agent:
            programs["bin/eflow-agent"] = "bin/eflow-agent"
        for name in ("keyd", "certd", "identityd", "tpmd"):
            programs[f"lab/aziot-{name}"] = f"libexec/aziot-identity-service/aziot-{name}"
        binds = []
        for source, target in programs.items():
            if not (self.build / source).exists():
                raise LabError(f"{self.build / source} is not built")
            binds.append(f"--bind-ro={self.build / source}:/usr/{target}")
        group = ControlGroup(self.folder.name)
        group.create()
        with open(self.folder / "console.log", "ab") as console:
            process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "-D", str(self.root), "-M",
                 f"lab-{secrets.token_hex(4)}", "--boot", "--private-network", "--capability=all",
                 "--system-call-filter=add_key keyctl bpf", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                 *binds],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                preexec_fn=group.enter)
        self.nspawn, self._process = process.pid, process

        def answers():
            if process.poll() is not None:
                raise LabError(f"systemd-nspawn ended: {(self.folder / 'console.log').read_text(errors='replace')}")
            # nspawn's first child is a helper that ends; the one that stays is PID 1 of the lab.
            self.leader = next(iter(children_of(process.pid)), None)
            return self.leader and self._systemctl("is-system-running").stdout.strip() not in ("", "offline")

        wait_until(answers, "systemd in the lab to answer")
        state = self._systemctl("is-system-running", "--wait").stdout.strip()
        (self.folder / "state.json").write_text(
            json.dumps({"build": str(self.build), "nspawn": self.nspawn, "leader": self.leader}))
        return state

    def _systemctl(self, *arguments):
        return self.exec("systemctl", *arguments)

    def exec(self, *command, check=False, timeout=PATIENCE, input=None, env=None):
        """Runs a command inside, in all of the lab's namespaces."""
        done = subprocess.run(["nsenter", "-t", str(self.leader), "-a", "-r", "-w", "--", *map(str, command)],
                              capture_output=True, text=True, timeout=timeout, input=input,
                              stdin=None if input is not None else subprocess.DEVNULL, env=env)
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def start(self, *command):
        """Starts a command inside; the caller waits for it."""
        return subprocess.Popen(["nsenter", "-t", str(self.leader), "-a", "-r", "-w", "--", *map(str, command)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def agent(self, *arguments, timeout=PATIENCE):
        """Runs eflow-agent inside; gives its exit code and its report."""
        done = self.exec(self.program, "--json", *arguments, timeout=timeout)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {"stderr": done.stderr}

    def show(self, unit, name):
        return self._systemctl("show", "--value", "--property", name, unit).stdout.strip()

    def journal(self, unit):
        return self.exec("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def docker(self, *arguments):
        return self.exec("docker", *arguments)

    def containers(self):
        """State by name."""
        listed = self.docker("ps", "--all", "--format", "{{.Names}} {{.State}}").stdout
        return dict(line.split() for line in listed.splitlines())

    def reboot(self):
        self.shut_down()
        return self.up()

    def shut_down(self):
        self._systemctl("reboot")
        self._wait_for_end()

    def power_cut(self):
        """Everything inside ends at once; what was not synced may be lost to it."""
        os.kill(self.leader, signal.SIGKILL)
        self._wait_for_end()

    def _wait_for_end(self):
        process = getattr(self, "_process", None)
        if process:
            process.wait(timeout=PATIENCE)
        else:
            wait_until(lambda: not pathlib.Path(f"/proc/{self.nspawn}").exists(), "systemd-nspawn to end")
        self.nspawn = self.leader = None

    def down(self):
        """Ends it at once, and takes every trace of it off this machine."""
        if self.leader and pathlib.Path(f"/proc/{self.leader}").exists():
            os.kill(self.leader, signal.SIGKILL)
            self._wait_for_end()
        for mount in ("root", "var", "data"):
            subprocess.run(["umount", "--recursive", str(self.folder / mount)], capture_output=True)
        ControlGroup(self.folder.name).remove()
        shutil.rmtree(self.folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up")
    up.add_argument("--variant", default="writable", choices=("writable", "vm"))
    up.add_argument("--var-mb", type=int, default=192)
    up.add_argument("--suite", default="bookworm", help="Debian's release, e.g. trixie")
    up.add_argument("--build", help="a build folder; build/release unless told")
    for name in ("exec", "push", "reboot", "down"):
        verb = verbs.add_parser(name)
        verb.add_argument("folder")
        if name == "exec":
            verb.add_argument("command", nargs=argparse.REMAINDER)
        if name == "push":
            verb.add_argument("file")
            verb.add_argument("path")
            verb.add_argument("--owner", default="root:root")
            verb.add_argument("--mode", default="0644")
    options = parser.parse_args()
    try:
        if options.verb == "up":
            lab = Lab(options.variant, options.var_mb, options.build, suite=options.suite)
            try:
                print(f"systemd says: {lab.up()}", file=sys.stderr)
            except BaseException:
                lab.down()
                raise
            print(lab.folder)
            return 0
        lab = Lab(folder=options.folder)
        if options.verb == "exec":
            os.execvp("nsenter", ["nsenter", "-t", str(lab.leader), "-a", "-r", "-w", "--", *options.command])
        if options.verb == "push":
            lab.push(options.file, options.path, options.owner, int(options.mode, 8))
        if options.verb == "reboot":
            print(f"systemd says: {lab.reboot()}", file=sys.stderr)
        if options.verb == "down":
            lab.down()
        return 0
    except LabError as fault:
        print(f"lab: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
