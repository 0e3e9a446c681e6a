#!/usr/bin/env python3
"""The watcher and the verbs that look, measured on a booted lab. Prints figures; judges nothing. Needs root and an idle
machine.   tests/bench/watch_bench.py [latency] [idle MINUTES] [verbs] [crowd] [storm]      all but idle without arguments

latency  from an event to the status file that tells of it, beside `docker events` and `busctl monitor` in the same run
idle     wake-ups and CPU time a second over MINUTES, and memory
verbs    status beside `docker ps` + `systemctl is-active` of five units, and check --offline, as whole processes
crowd    500 containers and 200 more units: the same
storm    an engine that tells of 1,000 events a second for a minute: is the last state right, and what did it cost
"""
import ctypes
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from lab import run, wait_until  # noqa: E402
from watch_test import Engine  # noqa: E402
from watched import STATUS, Watched  # noqa: E402

MODULE = ("--label", "net.azure-devices.edge.owner=Microsoft.Azure.Devices.Edge.Agent")
IMAGE = "mcr.microsoft.com/azureiotedge-hub:1.5"


def tell(name, values, unit="ms"):
    values = sorted(values)
    print(f"  {name:44} n {len(values):4}  median {statistics.median(values):8.2f}  p99 "
          f"{values[min(len(values) - 1, int(len(values) * 0.99))]:8.2f}  max {values[-1]:8.2f} {unit}", flush=True)


class Bench:
    def __init__(self, var_mb=256):
        self.device = Watched(var_mb=var_mb)
        self.device.install_watcher()
        self.device.up()
        self.device.start_watcher()
        self.device.wait_for_sources()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.device.down()

    def provision(self):
        code, report = self.device.provision(self.device.identity("leaf"))
        assert code == 0, report
        self.device.wait_for_phase("awaiting-deployment")
        # Module restarts by edged's watchdog and grace are over before anything is measured.
        wait_until(lambda: self.device.severities().get("modules.edge-agent") == "ok", "edgeAgent")


class Statuses(threading.Thread):
    """The status files as they come. It sleeps in between: a reader that spins takes a processor from those it measures."""

    def __init__(self, device):
        super().__init__(daemon=True)
        self.path, self.seen, self.news = device.live_path(STATUS), [], threading.Condition()
        libc = ctypes.CDLL(None, use_errno=True)
        self.inotify = libc.inotify_init1(os.O_CLOEXEC)
        if libc.inotify_add_watch(self.inotify, bytes(self.path.parent), 0x80) < 0:  # IN_MOVED_TO
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(self.path.parent))
        self.start()

    def run(self):
        while os.read(self.inotify, 4096):
            try:
                seen = json.loads(self.path.read_bytes())
            except FileNotFoundError:
                return  # the device went down
            with self.news:
                self.seen.append(seen)
                self.news.notify()

    def forget(self):
        with self.news:
            self.seen.clear()

    def written(self, condition):
        """When the first one since `forget` that meets the condition was written, microseconds."""
        with self.news:
            if not self.news.wait_for(lambda: any(map(condition, self.seen)), timeout=20):
                raise RuntimeError("the watcher never said so")
            return next(one for one in self.seen if condition(one))["data"]["watcher"]["written_us"]


class Lines(threading.Thread):
    """Another program's lines with the time they came."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.lines = process, []
        self.start()

    def run(self):
        for line in self.process.stdout:
            self.lines.append((time.time_ns() // 1000, line))

    def wait(self, condition):
        return wait_until(lambda: next((stamp for stamp, line in self.lines if condition(line)), None), "a line")

    def end(self):
        run("pkill", "-P", self.process.pid)
        self.process.wait()


def calm():
    """What the last change brought with it is over, and the watcher does not take this for a storm."""
    time.sleep(0.05)


def state_of(seen, name):
    return next((one["state"] for one in seen["data"]["modules"] if one["name"] == name), None) \
        if isinstance(seen["data"]["modules"], list) else None


def latency(rounds=150):
    with Bench() as bench:
        device = bench.device
        bench.provision()
        statuses = Statuses(device)
        device.create_hub(name="extra", command=("/bin/sleep", "1000"))
        engine = Engine(device.live_path("/run/docker.sock"))
        events = Lines(device.start("docker", "events", "--format", "{{.TimeNano}} {{.Action}}", "--filter",
                                    "container=extra"))
        ours, theirs = [], []
        for _ in range(rounds):
            for call, action, state in (("start", "start", "running"), ("kill", "die", "exited")):
                calm()
                events.lines.clear()
                statuses.forget()
                engine.post(f"/containers/extra/{call}")
                written = statuses.written(lambda seen, wanted=state: state_of(seen, "extra") == wanted)
                printed = events.wait(lambda line, wanted=action: line.split()[1] == wanted)
                happened = next(int(line.split()[0]) for _, line in events.lines if line.split()[1] == action) / 1000
                ours.append((written - happened) / 1000)
                theirs.append((printed - happened) / 1000)
        events.end()
        print("from the engine's own time of an event of a container")
        tell("to our status file", ours)
        tell("to the line of docker events", theirs)

        device.let_tpmd_idle()
        bus = Lines(device.start("busctl", "monitor", "--json=short", "--match",
                                 "type='signal',interface='org.freedesktop.DBus.Properties',"
                                 "path='/org/freedesktop/systemd1/unit/aziot_2dtpmd_2eservice'"))
        device.exec("systemctl", "start", "aziot-tpmd.service", check=True)
        wait_until(lambda: bus.lines, "busctl to follow")
        ours, theirs, after = [], [], []
        for _ in range(rounds):
            for call, word, active in (("stop", "ready", "inactive"), ("start", "running", "active")):
                calm()
                bus.lines.clear()
                statuses.forget()
                device.exec("systemctl", call, "aziot-tpmd.service", check=True)
                # written before systemctl has ended, so it is the first or a later one: the state tells.
                written = statuses.written(lambda seen, wanted=word: seen["data"]["services"]["aziot-tpmd"] == wanted)
                happened = changed_us(device)
                printed = bus.wait(lambda line, wanted=active: f'"ActiveState":{{"type":"s","data":"{wanted}"}}' in line)
                ours.append((written - happened) / 1000)
                theirs.append((printed - happened) / 1000)
                after.append((written - printed) / 1000)
        bus.end()
        print("from systemd's own time of a unit's change")
        tell("to our status file", ours)
        tell("to the line of busctl monitor", theirs)
        tell("from that line to our status file", after)

        key = device.live_path("/var/aziot/secrets") / device.placed("/var/aziot/secrets", ".key.pem")[0]
        ours = []
        for _ in range(rounds):
            for mode, well in ((0o400, False), (0o440, True)):
                calm()
                statuses.forget()
                happened = time.time_ns() // 1000
                key.chmod(mode)
                written = statuses.written(lambda seen, wanted=well: any(
                    one["id"] == "files.readable-by-aziotks" and (one["severity"] == "ok") == wanted for one in seen["findings"]))
                ours.append((written - happened) / 1000)
        print("from the call that changes a file's mode")
        tell("to our status file", ours)


def changed_us(device):
    """StateChangeTimestamp of aziot-tpmd.service, microseconds."""
    done = device.exec("busctl", "get-property", "org.freedesktop.systemd1",
                       "/org/freedesktop/systemd1/unit/aziot_2dtpmd_2eservice", "org.freedesktop.systemd1.Unit",
                       "StateChangeTimestamp", check=True)
    return int(done.stdout.split()[1])


def cost_of(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    value = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if ":" in line and len(line.split()) > 1}
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {"switches": int(value["voluntary_ctxt_switches"]),
            "ticks": int(fields[11]) + int(fields[12]), "rss_kb": int(value["VmRSS"]), "anon_kb": int(value["RssAnon"])}


def host_pid(device):
    """The watcher's pid on this side."""
    done = subprocess.run(["pgrep", "-f", "^/usr/bin/eflow-agent watch"], capture_output=True, text=True)
    for pid in done.stdout.split():
        if pathlib.Path(f"/proc/{pid}/ns/net").exists() and \
                pathlib.Path(f"/proc/{pid}/root").exists() and int(pid) in descendants(device.leader):
            return int(pid)
    raise RuntimeError("the watcher does not run")


def descendants(pid):
    children = [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return {one for child in children for one in {child} | descendants(child)}


def idle(minutes):
    with Bench() as bench:
        bench.provision()
        pid = host_pid(bench.device)
        time.sleep(130)  # grace and its horizon, and the kernel's own settling
        before, begun = cost_of(pid), time.monotonic()
        time.sleep(minutes * 60)
        after, seconds = cost_of(pid), time.monotonic() - begun
        print(f"idle for {seconds:.0f} s: {(after['switches'] - before['switches']) / seconds:.4f} wake-ups a second, the "
              f"systemd watchdog's own {1 / 60:.4f} among them; CPU {(after['ticks'] - before['ticks']) / seconds:.4f} %; RSS "
              f"{after['rss_kb'] / 1024:.1f} MB, of it {after['anon_kb'] / 1024:.1f} MB its own")


def timed_inside(device, runs, *commands):
    """Whole processes, timed by a shell inside, the commands in turn. Milliseconds."""
    script = "; ".join(f"s=$EPOCHREALTIME; {command} >/dev/null 2>&1; e=$EPOCHREALTIME; echo {number} $s $e"
                       for number, command in enumerate(commands))
    done = device.exec("bash", "-c", f"for i in $(seq {runs + 2}); do {script}; done", check=True, timeout=600)
    times = [[] for _ in commands]
    for line in done.stdout.splitlines():
        number, start, end = line.split()
        times[int(number)].append((float(end) - float(start)) * 1000)
    return [values[2:] for values in times]


PAIR = "{ docker ps; systemctl is-active aziot-edged aziot-identityd aziot-keyd aziot-certd aziot-tpmd; }"


def verbs_on(device, runs):
    status, pair, check, version = timed_inside(device, runs, "eflow-agent status", PAIR, "eflow-agent check --offline",
                                                "eflow-agent --version")
    tell("status", status)
    tell("docker ps and systemctl is-active", pair)
    tell("check --offline", check)
    tell("--version", version)
    print(f"  status is {statistics.median(p / s for p, s in zip(pair, status)):.1f} times as fast as the pair")


def verbs(runs=40):
    with Bench() as bench:
        bench.provision()
        for number in range(19):
            done = bench.device.docker("run", "-d", "--name", f"m{number}", "--network", "none", "--stop-timeout", "1",
                                       *MODULE, IMAGE, "/bin/sleep", "100000")
            assert done.returncode == 0, done.stderr
        print("20 containers")
        verbs_on(bench.device, runs)


def crowd(runs=20):
    with Bench(var_mb=3000) as bench:
        bench.provision()
        device = bench.device
        for number in range(200):
            device.push(b"[Service]\nExecStart=/bin/sleep infinity\n", f"/etc/systemd/system/crowd{number}.service")
        device.exec("systemctl", "daemon-reload", check=True)
        device.exec("sh", "-c", "systemctl start $(seq -f crowd%g.service 0 199)", check=True)
        have = 1
        for wanted in (125, 250, 500):
            labels = " ".join(MODULE)
            device.exec("sh", "-c", f"for i in $(seq {have} {wanted - 1}); do docker create --name c$i --network none "
                        f"{labels} {IMAGE} /bin/sleep 1000 >/dev/null || exit 1; done", check=True, timeout=600)
            have = wanted
            print(f"{wanted} containers, 200 units more")
            verbs_on(device, runs)


STORM = '''
import http.server, json, socketserver, sys, threading, time
N, SECONDS, RATE = 500, 60, 1000
state = {f"m{i}": "created" for i in range(N)}
def listed():
    return [{"Id": "%064d" % i, "Names": ["/m%d" % i], "Image": "x", "State": state["m%d" % i], "Status": "",
             "Labels": {"net.azure-devices.edge.owner": "Microsoft.Azure.Devices.Edge.Agent"}} for i in range(N)]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def address_string(self): return ""
    def do_GET(self):
        if "/events" in self.path:
            self.send_response(200); self.send_header("Transfer-Encoding", "chunked"); self.end_headers()
            self.wfile.flush()
            time.sleep(2)
            begun, sent = time.time(), 0
            while sent < RATE * SECONDS:
                while sent < (time.time() - begun) * RATE:
                    i = sent * 7919 % N
                    action, new = [("start", "running"), ("die", "exited")][(sent // N) % 2] if sent % 3 else ("pause", "paused")
                    state["m%d" % i] = new
                    line = json.dumps({"Type": "container", "Action": action, "timeNano": time.time_ns(), "Actor": {
                        "ID": "%064d" % i, "Attributes": {"name": "m%d" % i, "image": "x", "exitCode": "1"}}}) + chr(10)
                    self.wfile.write(b"%x" % len(line) + b"\\r\\n" + line.encode() + b"\\r\\n")
                    sent += 1
                self.wfile.flush()
                time.sleep(0.005)
            open("/run/storm.json", "w").write(json.dumps({"seconds": time.time() - begun, "state": state}))
            while True: time.sleep(60)
        body = b"OK" if "_ping" in self.path else json.dumps(listed()).encode()
        self.send_response(200); self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
Server(sys.argv[1], Handler).serve_forever()
'''


def storm():
    """The engine is a program of this test, outside the lab, at docker's socket: a real one is not that fast."""
    with Bench() as bench:
        bench.provision()
        device = bench.device
        device.exec("systemctl", "stop", "aziot-edged.service", "docker.service", "docker.socket", check=True)
        device.push(b"[Service]\nType=simple\nExecStartPre=\nExecStart=\nExecStart=/bin/sleep infinity\n[Unit]\n",
                    "/etc/systemd/system/docker.service.d/storm.conf")
        device.push(b"[Socket]\nListenStream=\nListenStream=/run/elsewhere.sock\n",
                    "/etc/systemd/system/docker.socket.d/storm.conf")
        device.exec("systemctl", "daemon-reload", check=True)
        socket_path = device.live_path("/run/docker.sock")
        socket_path.unlink(missing_ok=True)
        script = pathlib.Path(device.workshop.name) / "storm.py"
        script.write_text(STORM.replace("/run/storm.json", str(device.workshop.name) + "/storm.json"))
        server = subprocess.Popen([sys.executable, str(script), str(socket_path)])
        try:
            wait_until(socket_path.exists, "the engine of the storm")
            socket_path.chmod(0o666)
            pid = host_pid(device)
            before, begun = cost_of(pid), time.monotonic()
            device.exec("systemctl", "start", "docker.service", check=True)
            result = pathlib.Path(device.workshop.name) / "storm.json"
            wait_until(result.exists, "the storm to be over", patience=120)
            told = json.loads(result.read_text())

            def agree():
                modules = device.seen()["data"]["modules"]
                return isinstance(modules, list) and {one["name"]: one["state"] for one in modules} == told["state"]
            caught_up = time.monotonic()
            wait_until(agree, "the watcher to have the last state")
            caught_up = time.monotonic() - caught_up
            after = cost_of(pid)
            history = sum(device.live_path(f"/var/lib/eflow-agent/watch/history{n}.jsonl").stat().st_size
                          for n in ("", ".1") if device.live_path(f"/var/lib/eflow-agent/watch/history{n}.jsonl").exists())
            print(f"storm: 60000 events in {told['seconds']:.1f} s, the last state of all 500 containers right, "
                  f"{caught_up * 1000:.0f} ms after the last; CPU {(after['ticks'] - before['ticks']) / (time.monotonic() - begun):.1f} %, "
                  f"RSS {after['rss_kb'] / 1024:.1f} MB, history {history / 1e6:.2f} MB")
        finally:
            server.terminate()
            server.wait()


def main():
    wanted = sys.argv[1:] or ["latency", "verbs", "crowd", "storm"]
    while wanted:
        name = wanted.pop(0)
        if name == "idle":
            idle(float(wanted.pop(0)))
        else:
            {"latency": latency, "verbs": verbs, "crowd": crowd, "storm": storm}[name]()


if __name__ == "__main__":
    main()
