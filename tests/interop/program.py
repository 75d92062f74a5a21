"""chatkeep and chatkeepd as programs: a service in a temporary folder, and homes beside it."""
import json, os, pathlib, shutil, signal, subprocess, tempfile, threading

PASSPHRASE = "seven otters paint slowly\n"


class Site:
    """A service, running unless it is to be configured first (`config.toml` in `dir`). Use it with `with`; everything
    goes away behind it."""

    def __init__(self, binaries, start=True):
        self.binaries = pathlib.Path(binaries).resolve()
        self._folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self._folder.name)
        (self.dir / "passphrase").write_text(PASSPHRASE)
        (self.dir / "config.toml").write_text("")
        self.address, self._service, self.log = "127.0.0.1:0", None, ""
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop(signal.SIGKILL)
        self._folder.cleanup()

    def start(self):
        """Starts the service, at the address it had before."""
        command = [self.binaries / "chatkeepd", "--data-dir", self.dir / "service", "--config", self.dir / "config.toml"]
        for key in ["ops.listen=127.0.0.1:0", "registration.mode=open", "limits.auth_per_minute=10000"]:
            command += ["--set", key]
        command += ["serve", "--listen", self.address]
        self._service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.address = next(e["address"] for e in map(json.loads, self._service.stderr) if e.get("event") == "listening")
        threading.Thread(target=self._listen, args=[self._service.stderr], daemon=True).start()

    def _listen(self, stderr):
        for line in stderr:
            self.log += line

    def running(self):
        return self._service is not None and self._service.poll() is None

    def stop(self):
        """Stops the service as an operator does; what is to be mirrored is then mirrored."""
        if (code := self._stop(signal.SIGTERM)) != 0:
            raise SystemExit(f"chatkeepd: exit {code}")

    def _stop(self, how):
        if self._service is None:
            return 0
        self._service.send_signal(how)
        code = self._service.wait()
        self._service = None
        return code

    def machine(self, name, new=False):
        """A machine without an account; `new` takes away what one of its name had."""
        if new:
            shutil.rmtree(self.dir / name, ignore_errors=True)
        return Home(self, name)

    def home(self, name, *, kit=False):
        """A machine with a new account of this name; with a kit, that lies in `kit`."""
        home = Home(self, name)
        home.account, home.kit = f"{name}@{self.address}", self.dir / f"{name}-kit.txt"
        way = ["--kit", home.kit] if kit else ["--no-recovery-key"]
        home.run("register", home.account, *way, "--passphrase-file", self.dir / "passphrase")
        return home

    def joined(self, name, first, *, by):
        """One more machine of an account, signed in by its "kit" or its "passphrase"."""
        home = Home(self, name)
        home.account, home.kit = first.account, first.kit
        if by == "kit":
            home.run("login", "--kit", home.kit)
        else:
            home.run("login", home.account, "--passphrase-file", self.dir / "passphrase")
        return home

    def copied(self, name, home):
        """The same machine again, as its home is now."""
        shutil.rmtree(self.dir / name, ignore_errors=True)
        shutil.copytree(self.dir / home.name, self.dir / name)
        copy = Home(self, name)
        copy.account, copy.kit = home.account, home.kit
        return copy


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
