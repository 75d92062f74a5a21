"""What a command cost: wall, CPU and memory of it and of the service it talked to, bytes on the loopback interface."""
import os, pathlib, re, subprocess, time, urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    pass


def loopback_bytes():
    """Bytes that went over `lo` in this network namespace, headers and acknowledgements included."""
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    return 0


def machine_cpu_s():
    """Seconds of CPU all processes of this machine have taken."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICKS


class Service:
    """A running service, seen from outside by its process id."""

    def __init__(self, command, env, log, ready, metrics=None):
        self.log = open(log, "wb")
        self.process = subprocess.Popen([str(part) for part in command], env=env, stdout=self.log, stderr=self.log)
        self.metrics_url, self.path = None, pathlib.Path(log)
        try:
            self.address = self.wait_for(ready)
            if metrics:
                self.metrics_url = f"http://{self.wait_for(metrics)}/metrics"
        except Failed:
            self.stop()
            raise

    def wait_for(self, pattern):
        for _ in range(600):
            found = re.search(pattern, self.path.read_text(errors="replace"))
            if found:
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(f"no service: {self.path}")

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def settle(self):
        """Waits until it has been idle for half a second, so that what it still does for a command counts for that one."""
        for _ in range(20):
            before = self.cpu_s()
            time.sleep(0.5)
            if self.cpu_s() - before < 0.02:
                return

    def requests(self):
        """Calls ended so far, by name, as the service itself counts them."""
        if not self.metrics_url:
            return {}
        with urllib.request.urlopen(self.metrics_url, timeout=10) as answer:
            text = answer.read().decode()
        calls = {}
        for labels, count in re.findall(r"^chatkeepd_rpc_requests_total\{([^}]*)\} (\d+)", text, re.M):
            rpc = re.search(r'rpc="([^"]*)"', labels)[1]
            calls[rpc] = calls.get(rpc, 0) + int(count)
        return calls

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def measured(commands, env, log, service=None, fine=(0,)):
    """Runs commands one after the other and gives what they cost together; the last one's output stays in `log`."""
    os.sync()
    if service:
        service.settle()
        calls_before = service.requests()
        service.forget_peak()
        service_before = service.cpu_s()
    wire_before, machine_before = loopback_bytes(), machine_cpu_s()
    wall = cpu = peak = 0
    parts = []
    for command in commands:
        with open(log, "wb") as out, open(f"{log}.err", "wb") as err:
            begun = time.monotonic()
            process = subprocess.Popen([str(part) for part in command], env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            spent = time.monotonic() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in fine:
            said = pathlib.Path(f"{log}.err").read_text(errors="replace")[-2000:]
            raise Failed(f"{' '.join(str(part) for part in command)}: exit {process.returncode}\n{said}")
        parts.append(round(spent, 3))
        wall += spent
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss * 1024)
    machine = machine_cpu_s() - machine_before
    cost = {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3), "peak_bytes": peak}
    if len(parts) > 1:
        cost["wall_parts_s"] = parts
    taken = cpu
    if service:
        taken += service.cpu_s() - service_before
        service.settle()
        cost["service_cpu_s"] = round(service.cpu_s() - service_before, 2)
        cost["service_peak_bytes"] = service.peak_bytes()
        cost["wire_bytes"] = loopback_bytes() - wire_before
        calls = {rpc: count - calls_before.get(rpc, 0) for rpc, count in service.requests().items()}
        cost["requests"] = {rpc: count for rpc, count in calls.items() if count}
    # What else ran on the machine meanwhile: a wall time measured beside much of it says little.
    cost["others_cpu_s"] = round(max(0, machine - taken), 2)
    return cost


def stored(*places):
    """Files under these places, and their bytes."""
    files = [path for place in places for path in pathlib.Path(place).rglob("*") if path.is_file()]
    return {"stored_bytes": sum(path.stat().st_size for path in files), "stored_objects": len(files)}
