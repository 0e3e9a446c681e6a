#!/usr/bin/env python3
"""What goes wrong on a booted machine is named by the watcher as it happens, and by check afterwards."""
import datetime
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from device import CERTIFICATES, CONFIG, SECRETS
from lab import children_of, wait_until
from watched import Watched, worst


class WatchScenario(unittest.TestCase):
    variant = "writable"
    var_mb = 192

    def setUp(self):
        self.device = Watched(self.variant, self.var_mb)
        self.addCleanup(self.device.down)
        self.device.install_watcher()
        self.device.up()
        self.device.start_watcher()
        self.device.wait_for_sources()

    def provision(self, **options):
        code, report = self.device.provision(self.device.identity("leaf", **options))
        self.assertEqual((code, report.get("phase")), (0, "awaiting-deployment"), report)
        self.device.wait_for_phase("awaiting-deployment")

    def assert_named(self, finding, severity="failed"):
        """By the watcher, soon; then by check, which looks for itself."""
        begun = time.monotonic()
        self.device.wait_for(finding, severity)
        print(f"  {finding} {severity}: seen within {time.monotonic() - begun:.3f} s", file=sys.stderr)


        def agrees():
            code, report = self.device.agent("check", "--offline")
            self.assertEqual(code, 1 if "failed" in worst(report).values() else 0, report)
            return worst(report).get(finding) == severity
        wait_until(agrees, f"check to say {finding} is {severity}")

    def assert_well(self, finding):
        self.device.wait_for(finding, "ok")


class Services(WatchScenario):
    def break_unit(self, unit, script):
        path = f"/etc/systemd/system/{unit}.service.d/broken.conf"
        sockets = ("aziot-edged.mgmt", "aziot-edged.workload") if unit == "aziot-edged" else (unit,)
        for name in sockets:  # which a service that loops would trip
            self.device.push(b"[Unit]\nStartLimitIntervalSec=0\n[Socket]\nTriggerLimitIntervalSec=0\n",
                             f"/etc/systemd/system/{name}.socket.d/limit.conf")
        self.device.push(f"[Service]\nExecStart=\nExecStart=/bin/sh -c '{script}'\nRestartSec=100ms\n"
                         "[Unit]\nStartLimitIntervalSec=0\n".encode(), path)
        self.device.exec("systemctl", "daemon-reload", check=True)
        self.device.exec("systemctl", "restart", f"{unit}.service")
        return path

    def mend_unit(self, unit, path):
        self.device.path(path).unlink()
        self.device.exec("systemctl", "daemon-reload", check=True)
        self.device.exec("systemctl", "reset-failed", f"{unit}.service")
        self.device.exec("systemctl", "restart", f"{unit}.service", check=True)

    def detail_of(self, finding):
        return "\n".join(one["detail"] for one in self.device.seen()["findings"] if one["id"] == finding)

    def test_each_service_killed_and_looping(self):
        self.provision()
        for unit in ("aziot-keyd", "aziot-certd", "aziot-identityd", "aziot-edged"):
            with self.subTest(unit):
                path = self.break_unit(unit, "echo out of cheese >&2; kill -KILL $$$$")
                self.device.wait_for(f"services.{unit}", "failed")
                wait_until(lambda: unit in self.detail_of("services.restarts"), "the loop to be told of")
                self.assert_named("services.restarts")
                wait_until(lambda: "exit 137, killed" in self.detail_of(f"services.{unit}"), "its end to be explained")
                wait_until(lambda: "out of cheese" in json.dumps(self.device.seen()["findings"]), "its last words")
                self.mend_unit(unit, path)
                self.assert_well(f"services.{unit}")

    def test_a_crash_loop_logs_little(self):
        self.provision()
        path = self.break_unit("aziot-keyd", "exit 3")
        looped = lambda: len(self.device.history("unit", "aziot-keyd.service")) > 60  # noqa: E731
        wait_until(looped, "sixty changes of state of a unit that loops")
        self.mend_unit("aziot-keyd", path)
        self.assert_well("services.aziot-keyd")
        entries = self.device.exec("journalctl", "-u", "eflow-agent", "-o", "json", "--no-pager").stdout.splitlines()
        stamps = [int(entry["__REALTIME_TIMESTAMP"]) for entry in map(json.loads, entries) if "EFLOW_PHASE" in entry]
        self.assertGreater(len(stamps), 0)
        most = max(sum(1 for other in stamps if 0 <= other - stamp < 60_000_000) for stamp in stamps)
        self.assertLessEqual(most, 6 + 2, stamps)  # the provisioning before it has two lines of its own

    def test_docker_stopped_and_back(self):
        self.provision()
        self.device.exec("systemctl", "stop", "docker.service", "docker.socket", check=True)
        self.assert_named("services.docker")
        self.device.exec("systemctl", "start", "docker.service", check=True)
        self.assert_well("services.docker")
        self.assert_well("modules.edge-agent")

    def test_looking_starts_nothing(self):
        """A connection to its socket would have systemd start docker."""
        self.provision()
        self.device.exec("systemctl", "stop", "aziot-edged.service", check=True)  # whose watchdog would start it
        self.device.exec("systemctl", "stop", "docker.service", check=True)
        self.device.wait_for("services.docker", "failed")
        self.device.agent("status")
        self.device.agent("check", "--offline")
        self.assertEqual(self.device.show("docker.socket", "ActiveState"), "active")
        self.assertEqual(self.device.show("docker.service", "ActiveState"), "inactive")

    def test_dps_out_of_reach(self):
        device = self.device
        self.provision()
        device.exec("systemctl", "stop", "lab-dps", check=True)
        device.exec("systemctl", "stop", "aziot-edged.service", "aziot-identityd.service", check=True)
        device.path("/var/lib/aziot/identityd/device_info").unlink()
        device.exec("systemctl", "start", "aziot-identityd.service")
        self.assert_named("cloud.registration", "warning")
        self.assertEqual(device.severities().get("services.aziot-identityd"), "warning")
        device.exec("systemctl", "start", "lab-dps", "aziot-edged.service", check=True)
        self.assert_well("cloud.registration")

    def test_the_watcher_over_a_restart_of_the_bus(self):
        device = self.device
        self.provision()
        device.exec("systemctl", "restart", "dbus.service", check=True)
        wait_until(lambda: [one for one in device.history("watcher", "systemd") if one["to"] == "there"],
                   "the watcher to find the bus again")
        device.exec("systemctl", "stop", "aziot-edged.service", check=True)
        self.assert_named("services.aziot-edged")


class Modules(WatchScenario):
    def test_edge_agent_dead(self):
        device = self.device
        # Its watchdog would be faster than check.
        device.push(b"[Service]\nEnvironment=LAB_WATCHDOG_MS=600000\n",
                    "/etc/systemd/system/aziot-edged.service.d/slow.conf")
        device.exec("systemctl", "daemon-reload", check=True)
        self.provision()
        device.exec("kill", "-KILL", device.pid_of("edgeAgent"), check=True)
        self.assert_named("modules.edge-agent")
        self.assertEqual(device.seen()["phase"], "degraded")
        device.docker("start", "edgeAgent")
        self.assert_well("modules.edge-agent")
        device.wait_for_phase("awaiting-deployment")

    def test_edge_hub_through_its_life(self):
        device = self.device
        self.provision()
        seen = device.seen()
        self.assertIn("417", seen["data"]["because"])
        words = json.dumps(seen["findings"])
        self.assertIn("Could not check current state of edgeHub container", words)
        self.assertEqual(device.severities()["modules.deployment"], "skipped")

        device.create_hub()
        self.assert_named("modules.edge-hub", "warning")
        device.wait_for_phase("deploying")
        device.docker("start", "edgeHub")
        self.assert_well("modules.edge-hub")
        device.wait_for_phase("running")

        for code in ("0", "1", "139", "153"):
            device.docker("exec", "edgeHub", "/bin/sh", "-c", f"echo {code} > /exit")
            self.assert_named("modules.edge-hub")
            wait_until(lambda: f"exit {code}," in json.dumps(device.seen()["findings"]), f"exit {code} explained")
            device.wait_for_phase("degraded")
            device.docker("rm", "edgeHub")
            self.assert_named("modules.edge-hub")  # gone, and it has run before
            self.assertIn("has run before", json.dumps(device.seen()["findings"]))
            device.create_hub()
            device.docker("start", "edgeHub")
            self.assert_well("modules.edge-hub")
        self.assert_named("modules.restart-loops")  # four ends that nobody asked for

        device.exec("kill", "-KILL", device.pid_of("edgeHub"), check=True)
        self.assert_named("modules.edge-hub")
        wait_until(lambda: "exit 137," in json.dumps(device.seen()["findings"]), "exit 137 explained")

    def test_a_hub_that_docker_restarts_again_and_again(self):
        device = self.device
        self.provision()
        device.create_hub("--restart", "always", command=("/bin/sh", "-c", "exit 1"))
        device.docker("start", "edgeHub")
        self.assert_named("modules.restart-loops")

    def test_a_restart_of_edged_is_no_alarm(self):
        device = self.device
        self.provision()
        device.create_hub()
        device.docker("start", "edgeHub")
        device.wait_for_phase("running")
        before = len(device.history("finding"))
        device.exec("systemctl", "restart", "aziot-edged.service", check=True)
        wait_until(lambda: device.containers() == {"edgeAgent": "running", "edgeHub": "exited"}, "edged to stop all modules")
        device.docker("start", "edgeHub")
        device.wait_for_phase("running")
        failed = [one for one in device.history("finding")[before:] if one["to"] == "failed"
                  and one["what"].startswith("modules.")]
        self.assertEqual(failed, [])

    def test_the_deployments_status_is_read_from_edge_agents_log(self):
        device = self.device
        self.provision()
        for line, code, severity in (
                ("Plan execution ended for deployment 2", 200, "ok"),
                ("[WRN] - Reconcile failed because of invalid configuration format", 400, "failed"),
                ("[WRN] - Reconcile failed because of invalid schema", 412, "failed"),
                ("[WRN] - Reconcile failed because of the an exception", 500, "failed")):
            device.docker("exec", "edgeAgent", "/bin/sh", "-c", f"echo '{line}' > /proc/1/fd/1")
            self.assert_named("modules.deployment", severity)
            self.assertEqual(device.seen()["data"]["deployment"], code)
        # It is remembered where the log cannot say it any more.
        device.exec("systemctl", "restart", "eflow-agent", check=True)
        device.wait_for_sources()
        self.assertEqual(device.seen()["data"]["deployment"], 500)


class Files(WatchScenario):
    def test_certificate_key_and_config(self):
        device = self.device
        self.provision()
        certificate = f"{CERTIFICATES}/{device.placed(CERTIFICATES, '.cert.pem')[0]}"
        key = f"{SECRETS}/{device.placed(SECRETS, '.key.pem')[0]}"

        device.exec("chmod", "0600", certificate, check=True)
        self.assert_named("files.readable-by-aziotcs")
        device.exec("chmod", "0644", certificate, check=True)
        self.assert_well("files.readable-by-aziotcs")

        device.exec("chmod", "0444", key, check=True)
        device.exec("chmod", "0755", SECRETS, check=True)
        self.assert_named("files.key-protected")
        device.exec("chmod", "0440", key, check=True)
        device.exec("chmod", "0750", SECRETS, check=True)
        self.assert_well("files.key-protected")

        device.exec("sh", "-c", f"echo '# edited by hand' >> {CONFIG}", check=True)
        self.assert_named("config.applied")
        device.exec("iotedge", "config", "apply", check=True)
        self.assert_well("config.applied")

        device.path(certificate).rename(device.path("/var/aziot/certs/away"))
        self.assert_named("identity.cert-readable")
        device.path("/var/aziot/certs/away").rename(device.path(certificate))
        self.assert_well("identity.cert-readable")

    def test_a_certificate_expires_and_another_has_not_begun(self):
        device = self.device
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=20)
        self.provision(end=ends.strftime("%Y%m%d%H%M%SZ"))
        self.assertEqual(device.severities()["identity.current"], "ok")
        self.assert_named("identity.current")
        named = next(one for one in device.history("finding", "identity.current") if one["to"] == "failed")
        late = named["at"] / 1e6 - ends.replace(microsecond=0).timestamp()
        # It is good for the whole of its last second (RFC 5280, 4.1.2.5).
        print(f"  identity.current failed {late - 1:.3f} s after the last second of the certificate", file=sys.stderr)

        # A clock that is behind shows by a certificate that has not begun.
        tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        later = tomorrow + datetime.timedelta(days=90)
        chain, _ = device.pki.leaf("future", "device-1", start=tomorrow.strftime("%Y%m%d%H%M%SZ"),
                                   end=later.strftime("%Y%m%d%H%M%SZ"))
        placed = f"{CERTIFICATES}/{device.placed(CERTIFICATES, '.cert.pem')[0]}"
        device.push(chain, placed)
        self.assert_named("host.clock")

    def test_a_full_disk(self):
        device = self.device
        self.provision()
        device.exec("sh", "-c", "cat /dev/zero > /var/full")
        self.assert_named("host.disk-space")
        device.path("/var/full").unlink()
        self.assert_well("host.disk-space")


class Engine:
    """The lab's container engine, asked from outside over one connection."""

    def __init__(self, path):
        self.path = str(path)
        self.connection = None

    def post(self, target):
        self.ask("POST", target)

    def ask(self, method, target):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("docker")
            self.connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.connection.sock.connect(self.path)
        self.connection.request(method, f"/v1.41{target}")
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {target}: {answer.status}: {body.decode()}")


class Metrics(WatchScenario):
    def inside(self, *command, **options):
        """A program of this machine in the network of the lab."""
        return subprocess.run(["nsenter", "-t", str(self.device.leader), "-n", "--", *command], capture_output=True,
                              text=True, timeout=60, **options)

    def get(self, url):
        done = self.inside(sys.executable, "-c", "import sys, urllib.request as u\n"
                           "print(u.urlopen(u.Request(sys.argv[1], headers={'Accept': sys.argv[2]})).read().decode())",
                           url, "text/plain")
        return done.stdout if done.returncode == 0 else None

    def test_a_real_prometheus_scrapes_them(self):
        device = self.device
        device.push(b"schema = 1\n[metrics]\nlisten = \"127.0.0.1:9619\"\n", "/etc/eflow-agent/watch.toml")
        device.push(b"[Service]\nPrivateNetwork=no\nRestrictAddressFamilies=AF_UNIX AF_INET\n",
                    "/etc/systemd/system/eflow-agent.service.d/metrics.conf")
        device.exec("systemctl", "daemon-reload", check=True)
        device.exec("systemctl", "restart", "eflow-agent", check=True)
        self.provision()

        text = self.get("http://127.0.0.1:9619/metrics")
        self.assertIn("eflow_certificate_expiry_timestamp_seconds", text)
        linted = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((linted.returncode, linted.stdout + linted.stderr), (0, ""))

        with tempfile.TemporaryDirectory(prefix="eflow-prometheus-") as folder:
            config = pathlib.Path(folder, "prometheus.yml")
            config.write_text("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
                              "scrape_configs: [{job_name: eflow, static_configs: [{targets: ['127.0.0.1:9619']}]}]\n")
            prometheus = subprocess.Popen(
                ["nsenter", "-t", str(device.leader), "-n", "--", "prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:9090"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                def value(query):
                    answer = self.get(f"http://127.0.0.1:9090/api/v1/query?query={query}")
                    result = json.loads(answer)["data"]["result"] if answer else []
                    return result[0]["value"][1] if result else None
                awaiting = "eflow_phase%7Bphase%3D%22awaiting-deployment%22%7D"
                wait_until(lambda: value(awaiting) == "1", "Prometheus to have the phase")
                self.assertEqual(value("up"), "1")
                device.exec("systemctl", "stop", "aziot-edged", check=True)
                failed = "eflow_check_failed%7Bid%3D%22services.aziot-edged%22%7D"
                wait_until(lambda: value(failed) == "1", "Prometheus to have the failure")
            finally:
                prometheus.terminate()
                prometheus.wait(timeout=60)


class NothingMissed(WatchScenario):
    var_mb = 256

    def test_a_thousand_transitions_while_docker_and_the_bus_are_restarted(self):
        device = self.device
        self.provision()
        device.let_tpmd_idle()
        device.exec("systemctl", "stop", "aziot-tpmd.service", check=True)
        counted = 0
        for block in range(10):
            engine = Engine(device.live_path("/run/docker.sock"))
            modules, units = len(device.history("module", "extra")), len(device.history("unit", "aziot-tpmd.service"))
            wanted = []
            for _ in range(13):
                device.create_hub(name="extra", command=("/bin/sleep", "1000"))
                for step in ("start", "kill"):
                    engine.post(f"/containers/extra/{step}")
                device.docker("wait", "extra")
                engine.ask("DELETE", "/containers/extra")
                wanted += ["created", "running", "exited", "removed"]
            steps = " && ".join("systemctl start aziot-tpmd && systemctl stop aziot-tpmd" for _ in range(17))
            device.exec("sh", "-c", steps, check=True)
            # systemd tells of each state it passes through.
            states = ["active (running)", "deactivating (stop-sigterm)", "inactive (dead)"] * 17

            def told(kind, what, since, known=device):
                return [one["to"] for one in known.history(kind, what)[since:]]
            try:
                wait_until(lambda: len(told("module", "extra", modules)) >= len(wanted) and
                           told("unit", "aziot-tpmd.service", units).count("inactive (dead)") >= 17,
                           "the history to have it all", patience=20)
            finally:
                seen_units = told("unit", "aziot-tpmd.service", units)
                self.assertEqual(told("module", "extra", modules), wanted)
                self.assertEqual(seen_units, states)
            counted += len(wanted) + len(seen_units)

            restarted = len([one for one in device.history("watcher") if one["to"] == "there"])
            if block % 2 == 0:
                device.exec("systemctl", "reset-failed", "docker.service")  # and with it the count of its starts
                device.exec("systemctl", "restart", "docker.service", check=True)
            else:
                device.exec("systemctl", "restart", "dbus.service", check=True)
            wait_until(lambda: len([one for one in device.history("watcher") if one["to"] == "there"]) > restarted,
                       "the watcher to be back")
            device.wait_for_sources()
        print(f"  {counted} transitions, none missed", file=sys.stderr)
        self.assertGreaterEqual(counted, 1000)

    def test_a_unit_that_changes_while_everything_is_read_anew(self):
        device = self.device
        device.let_tpmd_idle()
        for _ in range(15):
            for call, word in (("start", "running"), ("stop", "ready")):
                device.exec("sh", "-c", f"systemctl daemon-reload & systemctl {call} aziot-tpmd.service; wait", check=True)
                wait_until(lambda wanted=word: device.seen()["data"]["services"]["aziot-tpmd"] == wanted,
                           f"the watcher to know that it was told to {call}", patience=10)


class Service(WatchScenario):
    """The unit itself: unprivileged, in its sandbox, and well-behaved."""

    def test_it_runs_as_nobody_much(self):
        device = self.device
        pid = device.show("eflow-agent.service", "MainPID")
        status = device.exec("cat", f"/proc/{pid}/status").stdout
        uid = device.id_of("passwd", "eflow-agent")
        self.assertIn(f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}", status)
        self.assertEqual(device.owner_and_mode("/run/eflow-agent/status.json"), "eflow-agent:eflow-agent 644")
        self.assertIn("not-provisioned", device.show("eflow-agent.service", "StatusText"))

    def test_reload_and_end(self):
        device = self.device
        device.push(b"schema = 1\n[metrics]\nlisten = \"unix:/run/eflow-agent/metrics.sock\"\n"
                    b"textfile = \"/var/lib/eflow-agent/watch/eflow.prom\"\n", "/etc/eflow-agent/watch.toml")
        device.exec("systemctl", "reload", "eflow-agent", check=True)
        wait_until(lambda: device.live_path("/run/eflow-agent/metrics.sock").exists(), "the metrics' socket")
        scraped = self.scrape()
        self.assertIn('eflow_phase{phase="not-provisioned"} 1', scraped)
        self.assertIn("eflow_phase", device.path("/var/lib/eflow-agent/watch/eflow.prom").read_text())
        device.push(b"schema = 1\n[metrcs]\n", "/etc/eflow-agent/watch.toml")
        device.exec("systemctl", "reload", "eflow-agent", check=True)
        wait_until(lambda: "did you mean" in device.journal("eflow-agent").lower(), "the refused settings to be told of")
        self.assertEqual(device.show("eflow-agent.service", "ActiveState"), "active")
        device.exec("systemctl", "stop", "eflow-agent", check=True)
        self.assertEqual(device.show("eflow-agent.service", "Result"), "success")
        self.assertFalse(device.live_path("/run/eflow-agent/status.json").exists())

    def scrape(self):
        connection = http.client.HTTPConnection("metrics")
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(str(self.device.live_path("/run/eflow-agent/metrics.sock")))
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    def test_steady_state_logs_nothing(self):
        device = self.device
        self.provision()
        lines = lambda: device.journal("eflow-agent")  # noqa: E731
        before = lines()
        # Events that change no verdict: a container that is no module comes and goes, a unit of no concern starts.
        for _ in range(5):
            device.docker("run", "--rm", "--network", "none", "mcr.microsoft.com/azureiotedge-hub:1.5", "/bin/true")
        events = lambda: len(device.history("module"))  # noqa: E731
        wait_until(lambda: events() >= 10, "the watcher to have seen the containers")
        self.assertEqual(lines(), before)

    def test_it_is_there_without_an_engine(self):
        device = self.device
        device.exec("mv", "/run/docker.sock", "/run/docker.sock.away", check=True)
        device.exec("systemctl", "restart", "eflow-agent.service", check=True)  # which waits for its READY
        self.assertIn("No such file", device.seen()["data"]["watcher"]["docker"])
        self.assertEqual(device.severities()["services.docker"], "failed")
        device.exec("mv", "/run/docker.sock.away", "/run/docker.sock", check=True)
        device.wait_for_sources()

    def test_who_may_see_nothing_is_told_by_the_watcher(self):
        device = self.device
        self.provision()
        done = device.exec("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "eflow-agent", "--json", "status")
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["phase"]), (0, "awaiting-deployment"), report)
        self.assertIn("the watcher", report["data"]["seen_by"])
        device.exec("systemctl", "stop", "eflow-agent", check=True)
        done = device.exec("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "eflow-agent", "--json", "status")
        self.assertEqual(json.loads(done.stdout)["phase"], "unknown")

    def test_status_redraws_and_history_follows(self):
        device = self.device
        status = device.start("eflow-agent", "--json", "status", "--watch")
        history = device.start("eflow-agent", "--json", "history", "--follow")
        self.assertEqual(json.loads(status.stdout.readline())["phase"], "not-provisioned")
        self.provision()
        phases = []
        while "awaiting-deployment" not in phases:
            phases.append(json.loads(status.stdout.readline())["phase"])
        told = {}
        while told.get("to") != "awaiting-deployment":
            told = json.loads(history.stdout.readline())
        for process in (status, history):
            for inside in children_of(process.pid):  # nsenter waits for it
                os.kill(inside, signal.SIGTERM)
            process.communicate(timeout=20)
            self.assertEqual(process.returncode, 0)

    def test_history_survives_a_reboot(self):
        device = self.device
        self.provision()
        before = [one["to"] for one in device.history("phase")]
        device.exec("systemctl", "enable", "eflow-agent", check=True)
        device.reboot()
        device.wait_for_phase("awaiting-deployment")
        self.assertEqual([one["to"] for one in device.history("phase")][:len(before)], before)
        code, report = device.agent("history", "--since", "1h")
        self.assertEqual(code, 0)
        self.assertGreaterEqual(len([one for one in report["data"]["history"] if one["to"] == "started"]), 2)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the lab needs root")
    unittest.main(verbosity=2)
