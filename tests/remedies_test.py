#!/usr/bin/env python3
"""What people are told to run: every text of the programs that holds a command or a link, and every remedy that the table
of situations brings forth (written by HEALTH_TESTS, when that is given).

A remedy is code that somebody runs as root. It parses, its programs are known, it destroys nothing, and the links are those
of shared/links.hpp."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = [ROOT / "vm-agent", ROOT / "host-shim", ROOT / "shared"]

# Nothing that we say may destroy what cannot be had again, or open what is closed.
FORBIDDEN = re.compile(
    r"\bshred\b|\brm\s+-|\brm\s+/|\bunlink\s+/|\buserdel\b|\bgroupdel\b|\bmkfs|\bwipefs\b|\bdd\s+(if|of)=|\btruncate\s+-|"
    r"\bchmod\s+(-R\s+)?[0-7]?7[0-7]7\b|\bchmod\s+-R\b|\bprune\b.*--volumes|\bdocker\s+(rm|volume rm)\b|"
    r"\bgit\s+reset|\bsetenforce\b|\biptables\s+-F\b")

# Programs that remedies name, and where they come from. What this machine lacks is there on the device, or on the host.
COREUTILS = ["cat", "chmod", "chown", "df", "head", "install", "ls", "mv", "tail", "wc", "date", "cp", "base64", "timeout",
             "mkdir", "touch", "id"]
OTHERS = {
    "sudo": "on every device, EFLOW's too", "grep": "", "find": "", "sh": "", "du": "coreutils", "certutil.exe": "Windows", "test": "", "sed": "", "tr": "",
    "mount": "util-linux", "findmnt": "util-linux", "dockerd": "moby-engine", "bzip2": "", "xz": "", "lsattr": "e2fsprogs", "chattr": "e2fsprogs", "dmesg": "util-linux", "lsof": "",
    "systemctl": "systemd", "journalctl": "systemd", "timedatectl": "systemd", "hostnamectl": "systemd",
    "systemd-sysusers": "systemd", "resolvectl": "systemd", "sysctl": "procps", "useradd": "shadow-utils",
    "usermod": "shadow-utils", "getent": "glibc", "openssl": "what how-to pages use for certificates",
    "ssh-keygen": "openssh", "iconv": "glibc", "gunzip": "gzip", "zcat": "gzip", "gzip": "", "dos2unix": "",
    "python3": "json.tool; on developers' machines, and named for those", "ip": "iproute2", "ss": "iproute2", "curl": "",
    "nft": "nftables", "iptables": "", "nc": "", "tdnf": "EFLOW's package manager", "apt-get": "Debian's and Ubuntu's",
    "iotedge": "aziot-edge", "aziotctl": "aziot-identity-service", "docker": "moby-engine",
    "eflow-agent": "this program", "eflow-shim": "this program", "eflow-shim.exe": "this program",
    "az": "Azure CLI, on an administrator's machine", "tpm2_evictcontrol": "tpm2-tools",
}
# Words that stand before an option in prose.
PROSE = {"below", "with", "beside"}
KNOWN = {**{name: "coreutils" for name in COREUTILS}, **OTHERS}

TOKEN = re.compile(r'''
    (?P<comment>//[^\n]*|/\*.*?\*/) |
    (?P<raw>(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\((?P<body>.*?)\)(?P=tag)") |
    (?P<text>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*") |
    (?P<char>'(?:[^'\\\n]|\\.)+') |
    (?P<space>\s+) | (?P<word>[A-Za-z_0-9.]+(?:::[A-Za-z_0-9]+)*|->) | (?P<other>.)''', re.S | re.X)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f",
           "v": "\v", "?": "?"}
GAP = "X"  # stands for what the program puts in


def unescaped(literal):
    body = literal[literal.index('"') + 1:-1]
    return re.sub(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", lambda m: ESCAPES.get(m.group(1), "?"), body, flags=re.S)


def texts_of(source):
    """Every text of a source with the line it begins on: literals that stand side by side, or are joined by `+`, as one;
    what is put in between as X."""
    source = re.sub(r"(?m)^#.*$", "", source)
    found, text, line, start, depth = [], None, 1, 1, 0
    def flush():
        nonlocal text, depth
        if text:
            found.append((start, text))
        text, depth = None, 0
    for token in TOKEN.finditer(source):
        kind, value = token.lastgroup, token.group()
        kind = "raw" if token.group("raw") else kind
        if kind in ("raw", "text"):
            piece = token.group("body") if kind == "raw" else unescaped(value)
            if text is None:
                text, start, depth = piece, line, 0
            elif depth == 0:
                text += piece
        elif text is not None and kind not in ("space", "comment"):
            if value in "{};":
                flush()
            elif value in "([":
                depth += 1
            elif value in ")]":
                depth -= 1
                # std::string("…") + …: the text goes on behind the bracket that closes the first literal.
                if depth < 0:
                    depth = 0
                    rest = source[token.end():].lstrip()
                    if not rest.startswith("+"):
                        flush()
            elif depth == 0 and value in ",?:=<>&|!":
                flush()
            elif depth == 0 and value == "+":
                following = TOKEN.match(source, token.end() + len(source[token.end():]) - len(source[token.end():].lstrip()))
                if following is not None and not following.group("text") and not following.group("raw"):
                    text += GAP
        line += value.count("\n")
    flush()
    return found


# Where a command may begin: a line, behind a colon or a semicolon, in backticks or brackets, behind &&, || and |.
BEGIN = r"(?:^|\n|[:;(]\s+|`|&&\s*|\|\|?\s*|; )"
COMMAND = re.compile(BEGIN + r"(?P<command>(?:sudo\s+(?:-u\s+\S+\s+)?)?(?P<program>[a-z][a-z0-9_.-]*)(?=[\s`]|$)[^\n`]*)")
AFTER_SUDO = re.compile(r"\bsudo\s+(?:-u\s+\S+\s+)?(?P<program>[A-Za-z][\w.-]*)")
WITH_OPTION = re.compile(BEGIN + r"(?P<program>[a-z][a-z0-9_.-]*)\s+(?:[a-z]+\s+)?--?[a-zA-Z]")
URL = re.compile(r"https?://[^\s\"'`<>)\]}]+")
# Addresses that are no links: what config.toml may say, and a namespace.
ADDRESSES = re.compile(r"https?://(\w*X|HOST|global\.azure-devices-provisioning\.(net|us|cn)|www\.w3\.org/2000/svg|"
                       r"\.\.\.|ADDRESS|PROXY|d/|d$|localhost|docker|[a-z]*\.?azure-devices|%)|https?://$")


def commands_in(text):
    for match in COMMAND.finditer(text):
        if match.group("program") in KNOWN:
            # Prose goes on behind a full stop, a comma or a bracket.
            yield re.split(r"[.,)]\s|[.,)]$|\s\(|\),| shows? |;\s+then\b", match.group("command"))[0].rstrip(" .:;,")


def parse_faults(commands):
    """Those that a shell does not take, with what it says. One shell for all; one each only to name them."""
    unique = sorted(set(commands))
    joined = "\n".join(unique) + "\n"
    if subprocess.run(["sh", "-n"], input=joined, capture_output=True, text=True).returncode == 0:
        return []
    faults = []
    for one in unique:
        done = subprocess.run(["sh", "-n"], input=one + "\n", capture_output=True, text=True)
        if done.returncode != 0:
            faults.append((one, done.stderr.strip()))
    return faults


def known_links():
    table = (ROOT / "shared/links.hpp").read_text()
    urls = re.findall(r'constexpr const char\* (\w+) = "([^"]+)"', table)
    named = dict(re.findall(r"\{links::(\w+), \"([^\"]+)\"\}", table))
    for name, url in urls:
        assert len(named.get(name, "")) > 10, f"shared/links.hpp: nobody is said to name {url}"
    return [url for _, url in urls]


# Programs that this one runs itself, and says to nobody.
PATHS = {"/usr/sbin/userdel"}


def judge(where, text, links):
    """Faults of one text."""
    if (destroys := FORBIDDEN.search(text)) and text not in PATHS:
        yield f"{where}: advises '{destroys.group()}': {text!r}"
    for url in URL.findall(text):
        url = url.rstrip(".,;:")
        if not ADDRESSES.match(url) and not any(url == one or url.startswith((one + "/", one + "?")) for one in links):
            yield f"{where}: {url} is not in shared/links.hpp"
    for pattern in (AFTER_SUDO, WITH_OPTION):
        for match in pattern.finditer(text):
            if match.group("program") not in KNOWN and match.group("program") not in {GAP, *PROSE}:
                yield f"{where}: '{match.group('program')}' is no program that is known: {text!r}"


def scanned():
    for folder in PROGRAMS:
        for path in sorted(folder.rglob("*.[ch]pp")):
            for line, text in texts_of(path.read_text()):
                yield f"{path.relative_to(ROOT)}:{line}", text


def brought_forth(program):
    """The remedies of every situation that the tests of health know."""
    with tempfile.TemporaryDirectory() as folder:
        written = pathlib.Path(folder) / "remedies"
        subprocess.run([program, "--gtest_filter=SituationTable.WritesItsRemedies"], check=True, capture_output=True,
                       env={**os.environ, "REMEDIES": str(written)})
        for line in written.read_text().splitlines():
            one = json.loads(line)
            yield one["where"], one["remedy"]


# Texts of sources that look like commands and are none; each with its reason.
NO_REMEDIES = {
    "vm-agent/config/scrub": "words by which secrets are found in logs",
    "vm-agent/config/redact": "words by which secrets are found in settings",
    "vm-agent/cli/support": "programs that the bundle runs, and drawings",
    "vm-agent/cli/documents": "roff and completion",
}
# Commands with places for file names: tests/unit/identity/forms_test.cpp runs each.
TEMPLATES = "vm-agent/identity/forms"


def main():
    links = known_links()
    faults, commands, sources = [], {}, 0
    texts = [one for one in scanned() if not one[0].startswith(tuple(NO_REMEDIES))]
    assert len(texts) > 1000, "the sources are not read as they are written"
    remedies = list(brought_forth(os.environ["HEALTH_TESTS"])) if os.environ.get("HEALTH_TESTS") else []
    assert not os.environ.get("HEALTH_TESTS") or len(remedies) > 40, "the situations bring forth no remedies"
    for where, text in texts + remedies:
        faults += judge(where, text, links)
        if where.startswith(TEMPLATES) and "{in}" in text:
            continue
        for command in commands_in(text):
            commands.setdefault(command, where)
    for command, why in parse_faults(commands):
        faults.append(f"{commands[command]}: no shell takes '{command}': {why}")
    missing = [name for name in COREUTILS if shutil.which(name) is None]
    faults += [f"{name} is no program here" for name in missing]
    assert len(commands) > 30, f"only {len(commands)} commands were found"
    for fault in faults:
        print(fault)
    print(f"{len(texts)} texts, {len(remedies)} remedies of situations, {len(commands)} commands, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
