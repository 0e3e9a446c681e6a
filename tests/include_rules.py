#!/usr/bin/env python3
"""Who may include whom: the picture in README.md, checked on the first parts of every include path."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = {".hpp", ".cpp", ".h", ".cc"}
# Plain data of the rooms above, and the pure readers of their texts, that machine and cloud may speak of.
DATA = {"vm-agent/identity/certificate.hpp", "vm-agent/config/device_info.hpp", "vm-agent/config/file_uri.hpp", "vm-agent/placement/users.hpp",
        "vm-agent/placement/tree.hpp", "vm-agent/placement/rendered.hpp", "vm-agent/placement/plan.hpp",
        "vm-agent/placement/check.hpp", "vm-agent/config/judge.hpp", "vm-agent/config/material.hpp",
        "vm-agent/config/engine_address.hpp", "vm-agent/config/scrub.hpp", "vm-agent/health/seen.hpp",
        "vm-agent/health/memory.hpp", "vm-agent/health/observations.hpp", "vm-agent/health/records.hpp", "shared"}
MAY = {
    "shared": {"shared"},
    "vm-agent/identity": {"shared"},
    "vm-agent/config": {"shared"},
    "vm-agent/placement": {"shared", "vm-agent/identity", "vm-agent/config"},
    "vm-agent/health": {"shared", "vm-agent/identity", "vm-agent/config", "vm-agent/placement"},
    "vm-agent/machine": DATA,
    "vm-agent/cloud": DATA,
    "vm-agent/watch": {"shared", "vm-agent/health", "vm-agent/machine", "vm-agent/placement/tree.hpp",
                       "vm-agent/config/watch_settings.hpp"},
    "vm-agent/cli": {"shared", "vm-agent"},
    "vm-agent": {"vm-agent/cli"},
    "host-shim": {"shared"},
}
# Libraries and the only rooms that may name them.
LIBRARIES = [
    (re.compile(r"openssl/"), {"vm-agent/identity", "vm-agent/cloud"}),
    (re.compile(r"toml(\.hpp|/)"), {"shared", "vm-agent/config"}),
    (re.compile(r"systemd/"), {"vm-agent/machine", "vm-agent/watch"}),
    (re.compile(r"boost/"), {"vm-agent/machine", "vm-agent/cloud", "vm-agent/watch", "vm-agent/cli"}),
    (re.compile(r"CLI/"), {"vm-agent/cli"}),
    (re.compile(r"zlib\.h"), {"vm-agent/machine"}),
    (re.compile(r"spdlog/"), {"vm-agent/cli", "vm-agent/watch"}),
    (re.compile(r"(windows|winsock2|wincrypt|bcrypt)\.h", re.I), {"host-shim"}),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
PLATFORM_IF = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*\b(_WIN32|__linux__|_MSC_VER|__APPLE__)\b")


def room_of(path):
    folder = path.parent.as_posix()
    return folder if folder in MAY else None


def faults_in(path):
    relative = path.relative_to(ROOT)
    room = room_of(relative)
    if room is None:
        yield f"{relative}: stands in no room of the house"
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{relative}:{number}"
        if PLATFORM_IF.match(line):
            yield f"{where}: a platform difference is a whole file, not an #if"
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, name = match.groups()
        if quote == '"':
            if not (ROOT / name).is_file():
                yield f"{where}: \"{name}\" is not written from the repository root"
            elif name.startswith("tests/"):
                yield f"{where}: nothing includes tests"
            elif pathlib.Path(name).parent.as_posix() != room and not any(
                    name == allowed or name.startswith(allowed + "/") for allowed in MAY[room]):
                yield f"{where}: {room} may not include {name}"
            continue
        for pattern, rooms in LIBRARIES:
            if pattern.match(name) and room not in rooms:
                yield f"{where}: {room} may not include <{name}>"
        if name == "windows.h" and not path.name.endswith("_win32.cpp"):
            yield f"{where}: Windows headers stand in *_win32.cpp only"


def main():
    files = [path for top in ("shared", "vm-agent", "host-shim") if (ROOT / top).is_dir()
             for path in sorted((ROOT / top).rglob("*")) if path.suffix in SOURCES]
    faults = [fault for path in files for fault in faults_in(path)]
    print("\n".join(faults))
    if not files:
        faults.append("no source found")
    print(f"{len(files)} files looked at, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
