"""chatkeep and chatkeepd as programs: a service in a temporary folder, and homes beside it."""
import json, os, pathlib, subprocess, tempfile, threading

PASSPHRASE = "seven otters paint slowly\n"


class Site:
    """A running service. Use it with `with`; everything goes away behind it."""

    def __init__(self, binaries):
        self.binaries = pathlib.Path(binaries).resolve()
        self._folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self._folder.name)
        (self.dir / "passphrase").write_text(PASSPHRASE)
        (self.dir / "config.toml").write_text("")
        command = [self.binaries / "chatkeepd", "--data-dir", self.dir / "service", "--config", self.dir / "config.toml"]
        for key in ["ops.listen=127.0.0.1:0", "registration.mode=open", "limits.auth_per_minute=10000"]:
            command += ["--set", key]
        command += ["serve", "--listen", "127.0.0.1:0"]
        self._service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.address = next(e["address"] for e in map(json.loads, self._service.stderr) if e.get("event") == "listening")
        threading.Thread(target=self._service.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._service.kill()
        self._service.wait()
        self._service.stderr.close()
        self._folder.cleanup()

    def home(self, name):
        """A machine with a new account of this name."""
        home = Home(self, name)
        home.run("register", f"{name}@{self.address}", "--no-recovery-key", "--passphrase-file", self.dir / "passphrase")
        return home


class Home:
    def __init__(self, site, name):
        self.site, self.name, self._exports = site, name, 0

    def ended(self, *arguments):
        own = {"CHATKEEP_HOME": self.site.dir / self.name, "HOME": self.site.dir, "TZ": "UTC", "PATH": os.environ["PATH"]}
        command = [self.site.binaries / "chatkeep", *arguments]
        return subprocess.run(command, env=own, capture_output=True, text=True)

    def run(self, *arguments, exits=(0,)):
        ended = self.ended(*arguments)
        if ended.returncode not in exits:
            raise SystemExit(f"{arguments}: exit {ended.returncode}\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def json(self, *arguments, exits=(0, 3)):
        return json.loads(self.run(*arguments, "--json", exits=exits))

    def export(self, *chats):
        """Writes chats as JSON Lines; gives the messages and the folder."""
        self._exports += 1
        out = self.site.dir / f"{self.name}-out-{self._exports}"
        self.run("export", *chats, "--as", "jsonl", "--out", out, exits=(0, 3))
        return [json.loads(line) for line in (out / "messages.jsonl").read_text().splitlines()], out
