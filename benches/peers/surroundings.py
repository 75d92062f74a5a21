"""Where a run takes place: the programs, the machine, and a network namespace in which only this run's traffic is counted."""
import datetime, os, pathlib, platform, shutil, subprocess, sys

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
INSIDE = "CHATKEEP_BENCH_NAMESPACE"


def in_own_namespace(program):
    """Starts the program again in a network namespace of its own, or notes that none can be made."""
    if os.environ.get(INSIDE):
        return
    os.environ[INSIDE] = "machine"
    for way in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        up = [*way, "ip", "link", "set", "lo", "up"]
        if shutil.which("unshare") and shutil.which("ip") and subprocess.run(up, capture_output=True).returncode == 0:
            os.environ[INSIDE] = "own"
            again = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, program, *sys.argv[1:]]
            os.execvp("unshare", [*way, *again])


def built(bins, into):
    """Copies chatkeep and chatkeepd into a folder, from `bins` or built for release, so that a build meanwhile changes nothing."""
    if not bins:
        for package in ("client", "service"):  # one at a time: decision 8
            subprocess.run(["cargo", "build", "--release", "--locked", "-p", package], cwd=PROJECT, check=True)
        bins = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")) / "release"
    into.mkdir(parents=True, exist_ok=True)
    for program in ("chatkeep", "chatkeepd"):
        (into / program).unlink(missing_ok=True)
        shutil.copy(bins / program, into / program)
    return into


def machine():
    cpu = [line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "cpu": cpu[0] if cpu else platform.machine(), "memory_gb": round(memory / 1e9), "system": platform.system()}


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True)
    return done.stdout.strip()


def now_utc():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
