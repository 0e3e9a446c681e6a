#!/usr/bin/env python3
"""What ships, looked at by tools that are not ours: rpm and rpmlint, systemd-analyze, mandoc, bash, and the ABI gate held
against programs that it has to refuse. Needs dist/ (packaging/release/build)."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = pathlib.Path(os.environ.get("AGENT", ROOT / "build/release/bin/eflow-agent"))
BUILD = AGENT.parents[1]
DIST = pathlib.Path(os.environ.get("DIST", ROOT / "dist"))
GATE = ROOT / "packaging/release/abi-gate"
ARCHITECTURES = ("x86_64", "aarch64")


def run(*command, check=True, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def version():
    return re.search(r"project\(eflow-companion VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


class AbiGate(unittest.TestCase):
    """It stands for CBL-Mariner 2.0, glibc 2.35 and systemd 250."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="eflow-gate-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def built(self, source, *options, compiler="g++"):
        text = self.folder / "one.cpp"
        text.write_text(source)
        program = self.folder / "one"
        run(compiler, "-std=c++20", "-O2", text, "-o", program, "-pie", "-Wl,-z,relro,-z,now", "-static-libstdc++",
            "-static-libgcc", *options)
        return program

    def verdict(self, program):
        done = run(GATE, program, check=False)
        return done.returncode, done.stdout

    def assert_refused(self, program, *words):
        code, said = self.verdict(program)
        self.assertEqual(code, 1, said)
        for word in words:
            self.assertIn(word, said)

    RANDOM = "#include <random>\nint main() { return static_cast<int>(std::random_device{}() & 1U); }\n"

    def test_what_ships_passes(self):
        for arch in ARCHITECTURES:
            self.assertEqual(self.verdict(next(DIST.glob(f"eflow-agent-*-linux-{arch}"))), (0, ""))

    def test_random_device_of_gcc_12_is_refused_and_of_gcc_11_passes(self):
        self.assertIn("12.", run("g++", "-dumpfullversion").stdout)
        self.assert_refused(self.built(self.RANDOM), "GLIBC_2.36", "arc4random")
        self.assertEqual(self.verdict(self.built(self.RANDOM, compiler="g++-11")), (0, ""))

    def test_a_symbol_of_a_newer_libsystemd_is_refused(self):
        program = self.built('extern "C" int sd_bus_message_read_strv_extend(void*, char***);\n'
                             "int main() { char** v = nullptr; return sd_bus_message_read_strv_extend(nullptr, &v); }\n",
                             "-lsystemd", compiler="g++-11")
        self.assert_refused(program, "LIBSYSTEMD_252", "sd_bus_message_read_strv_extend")

    def test_another_library_is_refused(self):
        text = self.folder / "two.cpp"
        text.write_text("#include <iostream>\nint main() { std::cout << 1; }\n")
        program = self.folder / "two"
        run("g++-11", "-std=c++20", text, "-o", program, "-pie", "-Wl,-z,relro,-z,now")
        self.assert_refused(program, "libstdc++.so.6", "GLIBCXX_")

    def test_lost_protections_are_refused(self):
        source = "int main() {}\n"
        self.assert_refused(self.built(source, "-no-pie", compiler="g++-11"), "position-independent")
        self.assert_refused(self.built(source, "-Wl,-z,lazy", compiler="g++-11"), "late")
        self.assert_refused(self.built(source, "-Wl,-z,norelro", compiler="g++-11"), "RELRO")
        self.assert_refused(self.built(source, "-Wl,-z,execstack", compiler="g++-11"), "executable stack")
        self.assert_refused(self.built(source, "-Wl,-rpath,/opt", compiler="g++-11"), "PATH")


class Units(unittest.TestCase):
    LIMITS = {"eflow-agent.service": 15, "eflow-agent-firstboot.service": 40}

    def test_exposure_is_low(self):
        for unit, limit in self.LIMITS.items():
            done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={limit}",
                       BUILD / "packaging" / unit, check=False)
            overall = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr
            self.assertEqual(done.returncode, 0, f"{unit}: {overall}")
            print(f"{unit}: {overall.strip()}")

    def test_the_gate_can_fail(self):
        with tempfile.TemporaryDirectory() as folder:
            bare = pathlib.Path(folder) / "eflow-agent.service"
            bare.write_text("[Service]\nExecStart=/bin/true\n")
            self.assertNotEqual(run("systemd-analyze", "security", "--offline=true", "--threshold=40", bare, check=False).returncode, 0)

    def test_no_word_is_unknown_to_systemd(self):
        with tempfile.TemporaryDirectory() as folder:
            for unit in self.LIMITS:
                text = (BUILD / "packaging" / unit).read_text().replace("/usr/bin/eflow-agent", "/bin/true")
                target = pathlib.Path(folder) / unit
                target.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))
                done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", target, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""), unit)


class Documents(unittest.TestCase):
    def verbs(self):
        return [line.split("  ")[0].strip() for line in run(AGENT, "--help").stdout.split("Subcommands:")[1].splitlines() if line.strip()]

    def test_manual_pages_are_well_formed_and_there_is_one_a_verb(self):
        pages = sorted((BUILD / "docs/man1").iterdir())
        names = {page.name for page in pages}
        for verb in self.verbs():
            self.assertTrue(any(name.startswith(f"eflow-agent-{verb}") for name in names), (verb, names))
        for page in pages:
            # A page carries no date: it would be the day of the build, and no two builds the same.
            faults = [line for line in run("mandoc", "-T", "lint", "-W", "warning", page, check=False).stdout.splitlines()
                      if "missing date" not in line]
            self.assertEqual(faults, [])
            text = run("mandoc", "-T", "utf8", page).stdout
            self.assertIn("EXIT STATUS", re.sub(".\b", "", text))

    def test_every_option_of_the_help_is_in_the_page(self):
        help_text = run(AGENT, "provision", "--help").stdout
        page = re.sub(".\b", "", run("mandoc", "-T", "ascii", BUILD / "docs/man1/eflow-agent-provision.1").stdout)
        options = set(re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", help_text, re.M))
        self.assertGreater(len(options), 10)
        for option in options:
            self.assertIn(option, page)

    def completed(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _eflow_agent; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        return run("bash", "-c", script, "-", BUILD / "docs/eflow-agent.bash", "eflow-agent", *words).stdout.split()

    def test_completion(self):
        self.assertEqual(self.completed("prov"), ["provision"])
        self.assertEqual(self.completed("cert", "ver"), ["verify"])
        self.assertIn("--registration-id", self.completed("provision", "--reg"))
        self.assertEqual(self.completed("--color", "a"), ["auto", "always"])
        self.assertEqual(self.completed("provision", "--enrollment", "i"), ["individual"])
        self.assertEqual(self.completed("--root", "/", "stat"), ["status"])
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "leaf.pem").touch()
            self.assertEqual(self.completed("provision", "--cert", folder + "/le"), [folder + "/leaf.pem"])
            self.assertEqual(self.completed("cert", "inspect", folder + "/le"), [folder + "/leaf.pem"])
        self.assertEqual(self.completed("nonsense", ""), [])

    def test_version_names_commit_and_libraries(self):
        text = run(AGENT, "--version").stdout
        self.assertRegex(text, rf"^eflow-agent {re.escape(version())}\+[0-9a-f]{{12}}\n")
        for library in ("OpenSSL 3", "Boost 1.", "libsystemd ", "CLI11 ", "spdlog ", "toml11 ", "nlohmann/json "):
            self.assertIn(library, text)


class Rpm(unittest.TestCase):
    def package(self, arch):
        return next(DIST.glob(f"eflow-agent-*.{arch}.rpm"))

    def query(self, arch, *arguments):
        return run("rpm", "-qp", *arguments, self.package(arch)).stdout

    def test_owners_and_modes(self):
        for arch in ARCHITECTURES:
            lines = self.query(arch, "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]").splitlines()
            files = {line.split()[2]: line.split()[:2] for line in lines}
            self.assertEqual(files["/usr/bin/eflow-agent"], ["-rwxr-xr-x", "root:root"])
            self.assertEqual(files["/etc/eflow-agent"], ["drwx------", "root:root"])
            self.assertEqual(files["/var/lib/eflow-agent"], ["drwxr-xr-x", "root:root"])
            self.assertEqual(files["/var/lib/eflow-agent/watch"], ["drwxr-xr-x", "eflow-agent:eflow-agent"])
            for path, (mode, owner) in files.items():
                if path != "/var/lib/eflow-agent/watch":
                    self.assertEqual(owner, "root:root", path)
                self.assertNotRegex(mode, "s|t|^.....w|w.$", path)
            for path in ("/usr/lib/systemd/system/eflow-agent.service", "/usr/lib/systemd/system/eflow-agent-firstboot.service",
                         "/usr/lib/systemd/system-preset/50-eflow-agent.preset", "/usr/lib/sysusers.d/eflow-agent.conf",
                         "/usr/lib/tmpfiles.d/eflow-agent.conf", "/usr/share/bash-completion/completions/eflow-agent",
                         "/usr/share/man/man1/eflow-agent.1", "/usr/share/licenses/eflow-agent/LICENSE",
                         "/usr/share/licenses/eflow-agent/THIRD-PARTY-NOTICES.txt"):
                self.assertIn(path, files)

    def test_it_asks_for_nothing_that_mariner_lacks(self):
        for arch in ARCHITECTURES:
            for line in self.query(arch, "--requires").splitlines():
                for family, newest in (("GLIBC", (2, 35)), ("LIBSYSTEMD", (250,))):
                    for number in re.findall(rf"\({family}_([0-9.]+)\)", line):
                        self.assertLessEqual(tuple(map(int, number.split("."))), newest, line)
                if ".so" in line:
                    self.assertRegex(line, r"^(libc\.so\.6|libm\.so\.6|libsystemd\.so\.0|ld-linux[^ ]*)")

    def test_rpmlint(self):
        done = run("rpmlint", "--config", ROOT / "packaging/rpm/rpmlint.toml", ROOT / "packaging/rpm/eflow-agent.spec",
                   *[self.package(arch) for arch in ARCHITECTURES], check=False)
        errors = [line for line in done.stdout.splitlines() if re.search(r": E: ", line)]
        self.assertEqual((errors, done.returncode), ([], 0), done.stdout)

    def test_scriptlets_need_no_running_systemd(self):
        # In an empty root without a shell they cannot run; that they do in a real one is the lab's. Here: nothing in them
        # may fail a transaction because systemd is not running.
        for line in self.query("x86_64", "--scripts").splitlines():
            if "systemctl" in line:
                self.assertIn("|| :", line)

    def test_the_spec_has_the_projects_version(self):
        spec = (ROOT / "packaging/rpm/eflow-agent.spec").read_text()
        self.assertEqual(re.search(r"^Version:\s+(\S+)", spec, re.M).group(1), version())
        # What Mariner's own checker asks of a spec.
        self.assertRegex(spec, r"(?m)^Release:\s+[1-9]\d*%\{\?dist\}$")
        self.assertIn("License verified", spec)
        self.assertIn("Original version for CBL-Mariner", spec)


class Artefacts(unittest.TestCase):
    def member(self, arch, name):
        archive = next(DIST.glob(f"eflow-agent-*-linux-{arch}.tar.gz"))
        with tarfile.open(archive) as tar:
            return tar.extractfile(f"{archive.name.removesuffix('.tar.gz')}/{name}").read()

    def test_sbom_names_what_is_linked_in(self):
        for arch in ARCHITECTURES:
            document = json.loads(self.member(arch, "sbom.spdx.json"))
            self.assertEqual((document["spdxVersion"], document["dataLicense"]), ("SPDX-2.3", "CC0-1.0"))
            ids = [package["SPDXID"] for package in document["packages"]]
            self.assertEqual(len(ids), len(set(ids)))
            linked = {relation["relatedSpdxElement"] for relation in document["relationships"] if relation["relationshipType"] == "STATIC_LINK"}
            self.assertLessEqual(linked, set(ids))
            names = " ".join(linked)
            for part in ("libssl-dev", "libboost", "libstdc--", "nlohmann-json3-dev", "libtoml11-dev", "libcli11-dev", "libspdlog-dev"):
                self.assertIn(part, names)
            notices = self.member(arch, "THIRD-PARTY-NOTICES.txt").decode()
            for words in ("Apache License", "Boost Software License", "GCC RUNTIME LIBRARY EXCEPTION", "BSD", "Permission is hereby granted"):
                self.assertIn(words.lower(), notices.lower())

    def test_both_architectures_have_the_same_documents(self):
        for name in ("usr/share/man/man1/eflow-agent.1", "usr/share/bash-completion/completions/eflow-agent",
                     "usr/lib/systemd/system/eflow-agent.service"):
            self.assertEqual(self.member("x86_64", name), self.member("aarch64", name))

    def test_nothing_names_the_place_it_was_built_in(self):
        for arch in ARCHITECTURES:
            program = next(DIST.glob(f"eflow-agent-*-linux-{arch}")).read_bytes()
            for place in (str(ROOT), os.path.expanduser("~/"), "/tmp/eflow-release"):
                self.assertNotIn(place.encode(), program)


class FromSource(unittest.TestCase):
    def test_the_spec_builds_with_the_extra_sources(self):
        # A place of its own that stays, so that the compiler's cache serves the next run.
        top = BUILD / "rpm-from-source"
        shutil.rmtree(top, ignore_errors=True)
        sources = top / "SOURCES"
        run(ROOT / "tests/packaging/extra-sources", sources)
        shutil.copy(next(DIST.glob(f"eflow-companion-{version()}.tar.gz")), sources)
        run("rpmbuild", "-bb", "--noclean", "--quiet", "--nodeps", f"--load={ROOT / 'packaging/rpm/macros.mariner'}",
            "--define", f"_topdir {top}", "--define", "dist .cm2", ROOT / "packaging/rpm/eflow-agent.spec",
            env=dict(os.environ, CXX="g++-11", CC="gcc-11"))
        cache = next((top / "BUILD").glob("*/build/CMakeCache.txt")).read_text()
        for name in ("spdlog", "CLI11"):
            self.assertRegex(cache, rf"(?m)^{name}_DIR:PATH=.*/bundled/installed/")
        made = next((top / "RPMS").rglob("*.rpm"))
        listing = "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]"
        from_source = set(run("rpm", "-qp", "--qf", listing, made).stdout.splitlines())
        prebuilt = set(run("rpm", "-qp", "--qf", listing, next(DIST.glob("eflow-agent-*.x86_64.rpm"))).stdout.splitlines())
        # The prebuilt one carries what is linked in, so it has the notices and the SBOM of that.
        self.assertEqual({line.split()[2] for line in prebuilt ^ from_source},
                         {"/usr/share/licenses/eflow-agent/THIRD-PARTY-NOTICES.txt", "/usr/share/doc/eflow-agent",
                          "/usr/share/doc/eflow-agent/sbom.spdx.json"})
        said = run(next((top / "BUILD").glob("*/build/bin/eflow-agent")), "--version").stdout
        self.assertIn(f"eflow-agent {version()}", said)


class ImageBuilders(unittest.TestCase):
    """Consistency; the tools' own validators are run by hand (README): no registry carries them."""

    FOLDER = ROOT / "packaging/mariner"
    NEEDED = {"eflow-agent", "moby-engine", "moby-cli", "aziot-edge", "aziot-identity-service"}

    def test_the_mariner_toolkits_json(self):
        config = json.loads((self.FOLDER / "imageconfig.json").read_text())
        system = config["SystemConfigs"][0]
        ours = json.loads((self.FOLDER / "packagelists/eflow-agent.json").read_text())["packages"]
        self.assertLessEqual(self.NEEDED, set(ours))
        self.assertIn("packagelists/eflow-agent.json", system["PackageLists"])
        self.assertTrue(system["ReadOnlyVerityRoot"]["Enable"])
        self.assertNotIn("TmpfsOverlays", system["ReadOnlyVerityRoot"])  # /var would be lost at every boot
        partitions = {one["ID"] for one in config["Disks"][0]["Partitions"]}
        mounts = {one["MountPoint"]: one["ID"] for one in system["PartitionSettings"]}
        self.assertIn("/var", mounts)
        self.assertLessEqual(set(mounts.values()), partitions)
        for script in system["PostInstallScripts"]:
            self.assertTrue(os.access(self.FOLDER / script["Path"], os.X_OK))

    def test_the_image_customizers_yaml(self):
        text = (self.FOLDER / "imagecustomizer.yaml").read_text()
        for package in self.NEEDED:
            self.assertRegex(text, rf"(?m)^    - {package}$")
        for script in re.findall(r"- path: (scripts/\S+)", text):
            self.assertTrue(os.access(self.FOLDER / script, os.X_OK))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
