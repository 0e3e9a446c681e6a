"""A Wine prefix as the host that the stand-ins act on."""
import os
import pathlib
import subprocess
import tempfile


def linux(windows_path):
    """Where a path on C: is on this machine; names of Windows have no case."""
    if windows_path[:3].lower() != "c:\\":
        raise ValueError(f"not on C: {windows_path}")
    path = pathlib.Path(os.environ["WINEPREFIX"]) / "drive_c"
    for part in windows_path[3:].split("\\"):
        there = [entry for entry in path.iterdir() if entry.name.lower() == part.lower()] if path.is_dir() else []
        path = there[0] if there else path / part
    return path


def put(windows_path, content):
    path = linux(windows_path)
    changed = not path.is_file() or path.read_bytes() != content
    path.unlink(missing_ok=True)  # the prefix shares its files with others
    path.write_bytes(content)
    path.chmod(0o755)
    return changed


def run(argv):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = subprocess.run(["wine", *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err).returncode
        out.seek(0)
        err.seek(0)
        return {"rc": code, "stdout": out.read().decode(), "stderr": err.read().decode(), "changed": True}


def checked(arguments, known, needed):
    """A module's arguments, as strictly as the real one takes them."""
    if set(arguments) - set(known):
        raise ValueError(f"unsupported parameters: {sorted(set(arguments) - set(known))}")
    if set(needed) - set(arguments):
        raise ValueError(f"missing parameters: {sorted(set(needed) - set(arguments))}")
    return arguments
