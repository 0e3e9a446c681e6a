"""Wine prefixes for tests: one template is made once, and every test has a clone of hard links."""
import os
import pathlib
import shutil
import subprocess
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "eflow-companion" / "wine"
BUILD = pathlib.Path(os.environ.get("SHIM_BUILD") or REPOSITORY / "build" / "mingw")
POWERSHELL = "windows/system32/WindowsPowerShell/v1.0"


def environment(prefix):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ}
    return kept | {"WINEPREFIX": str(prefix), "WINEDEBUG": os.environ.get("WINEDEBUG", "-all"), "LC_ALL": "C.UTF-8",
                   "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe="}


def template():
    """The prefix that is cloned; made when this version of Wine has none yet."""
    version = subprocess.run(["wine", "--version"], env=environment(CACHE / "none"), capture_output=True, text=True,
                             check=True).stdout.split()[0]
    made = CACHE / f"template-{version}"
    if not made.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        making = pathlib.Path(tempfile.mkdtemp(prefix="making-", dir=CACHE))
        subprocess.run(["wineboot", "-i"], env=environment(making), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        subprocess.run(["wineserver", "-w"], env=environment(making), check=True)
        try:
            making.rename(made)
        except OSError:  # another run was faster
            shutil.rmtree(making)
    return made


class Prefix:
    """A clone. Its files share inodes with the template: they are replaced, never edited."""

    def __init__(self):
        base = template()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="clone-", dir=CACHE))
        self.path.rmdir()
        subprocess.run(["cp", "-al", base, self.path], check=True)
        for name in ("system.reg", "user.reg", "userdef.reg"):
            self.replace(self.path / name, (base / name).read_bytes())
        self.drive = self.path / "drive_c"
        self.server = subprocess.Popen(["wineserver", "-f", "-p"], env=environment(self.path), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def replace(path, content):
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    def put(self, windows_path, content, mode=0o644):
        """A file on C:, by its Windows path."""
        path = self.linux(windows_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.replace(path, content)
        path.chmod(mode)
        return path

    def linux(self, windows_path):
        """Where a path on C: is on this machine."""
        if windows_path[:3].lower() != "c:\\":
            raise ValueError(f"not on C: {windows_path}")
        path = self.drive
        for part in windows_path[3:].split("\\"):
            # Names of Windows have no case.
            there = [entry for entry in path.iterdir() if entry.name.lower() == part.lower()] if path.is_dir() else []
            path = there[0] if there else path / part
        return path

    def start(self, program, *arguments, **options):
        return subprocess.Popen(["wine", str(program), *arguments], env=environment(self.path), **options)

    def close(self):
        subprocess.run(["wineserver", "-k"], env=environment(self.path), check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        try:
            self.server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        shutil.rmtree(self.path, ignore_errors=True)


if __name__ == "__main__":
    print(template())
