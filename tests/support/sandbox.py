"""A machine below a folder, certificates from the openssl command line, and the agent run against them."""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

AGENT = os.environ.get("AGENT", str(pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/eflow-agent"))
USERS = ["root", "aziotks", "aziotcs", "aziotid", "aziottpm", "iotedge"]


class Sandbox:
    """A root file system in a temporary folder, with the aziot users; gone with the object's `close`."""

    def __init__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="eflow-sandbox-"))
        self.top.chmod(0o755)
        self.root = self.top / "root"
        for folder in ("", "etc", "etc/aziot", "var", "var/lib"):
            (self.root / folder).mkdir()
            (self.root / folder).chmod(0o755)
        root = os.geteuid() == 0
        self.uids = {user: (0 if user == "root" else 60000 + n) if root else os.getuid() for n, user in enumerate(USERS)}
        self.gids = {user: (0 if user == "root" else 60000 + n) if root else os.getgid() for n, user in enumerate(USERS)}
        (self.root / "etc/passwd").write_text(
            "".join(f"{u}:x:{self.uids[u]}:{self.gids[u]}::/:/usr/sbin/nologin\n" for u in USERS))
        (self.root / "etc/group").write_text("".join(f"{u}:x:{self.gids[u]}:\n" for u in USERS))

    def close(self):
        shutil.rmtree(self.top)

    def agent(self, *arguments, root=True):
        """Runs the agent; gives its exit code and its JSON report (or None)."""
        command = [AGENT] + (["--root", str(self.root)] if root else []) + ["--json", *map(str, arguments)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        report = json.loads(done.stdout) if done.stdout.strip() else None
        if report is not None:
            assert report["exit_code"] == done.returncode, (report, done.returncode)
        return done.returncode, report

    def path(self, vm_path):
        return self.root / str(vm_path).lstrip("/")

    def owner_and_mode(self, vm_path):
        status = self.path(vm_path).lstat()
        return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)

    def snapshot(self, without=("var/lib/eflow-agent",)):
        """Everything in the root: type, owner, mode and bytes by path."""
        seen = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if any(name == skipped or name.startswith(skipped + "/") for skipped in without):
                continue
            status = path.lstat()
            content = None
            if stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            seen[name] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, content)
        return seen


def openssl(*arguments, **options):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, timeout=120, **options)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {done.stderr.decode()}")
    return done.stdout


KEYS = {
    "rsa1024": ["genrsa", "-traditional", "1024"],
    "rsa2048": ["genrsa", "-traditional", "2048"],
    "rsa4096": ["genrsa", "-traditional", "4096"],
    "p256": ["ecparam", "-genkey", "-noout", "-name", "prime256v1"],
    "p384": ["ecparam", "-genkey", "-noout", "-name", "secp384r1"],
    "ed25519": ["genpkey", "-algorithm", "ed25519"],
}
LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth\n"
AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\n"


class Pki:
    """root -> intermediate -> leaf, by the openssl command line."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority("root", None, "Test Root")
        self.authority("intermediate", "root", "Test Intermediate")

    def file(self, name):
        return self.folder / name

    def key(self, name, kind="p256"):
        openssl(*KEYS[kind][:1], "-out", self.file(name + ".key"), *KEYS[kind][1:]) if KEYS[kind][0] != "genrsa" else \
            openssl("genrsa", "-traditional", "-out", self.file(name + ".key"), KEYS[kind][-1])
        return self.file(name + ".key")

    def authority(self, name, issuer, subject):
        self.key(name)
        self.certificate(name, issuer, subject, extensions=AUTHORITY, days=3650)

    def certificate(self, name, issuer, subject, extensions=LEAF, days=365, start=None, end=None, digest="sha256"):
        """NAME.pem for NAME.key; `issuer` None signs itself. Dates as YYYYMMDDHHMMSSZ go through `openssl ca`."""
        request, made = self.file(name + ".csr"), self.file(name + ".pem")
        subject = f"/CN={subject}" if subject else "/O=nameless"
        openssl("req", "-new", "-key", self.file(name + ".key"), "-subj", subject, "-out", request)
        extension_file = self.file(name + ".ext")
        extension_file.write_text("[x]\n" + extensions)
        signer = issuer or name
        database = self.file(name + ".db")
        database.mkdir()
        (database / "index.txt").write_text("")
        (database / "config").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={database}/index.txt\nnew_certs_dir={database}\nrand_serial=yes\n"
            f"policy=p\nunique_subject=no\n[p]\ncommonName=optional\norganizationName=optional\n")
        dates = ["-startdate", start or "20200101000000Z", "-enddate", end] if end else ["-days", days]
        command = ["ca", "-batch", "-notext", "-config", database / "config", "-in", request, "-out", made, "-md", digest,
                   "-keyfile", self.file(signer + ".key"), "-extfile", extension_file, "-extensions", "x", *dates]
        command += ["-selfsign"] if issuer is None else ["-cert", self.file(issuer + ".pem")]
        openssl(*command)
        return made

    def leaf(self, name, subject, kind="p256", issuer="intermediate", **options):
        self.key(name, kind)
        self.certificate(name, issuer, subject, **options)
        return self.chain(name + ".full.pem", name, "intermediate"), self.file(name + ".key")

    def chain(self, made, *names):
        self.file(made).write_bytes(b"".join(self.file(name + ".pem").read_bytes() for name in names))
        return self.file(made)

    def pkcs8(self, name):
        made = self.file(name + ".pkcs8.key")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", self.file(name + ".key"), "-out", made)
        return made
