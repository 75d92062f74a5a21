"""Each program as it is used: its own defaults, a passphrase, a fresh repository.

A contestant has a place of its own, and does: prepare, backup, check, restore (into a fresh folder). Every step gives what
it cost. Peers get the folder `data` of the account, chatkeep the folder above it, in which it finds the messages.
"""
import json, os, pathlib, shutil, subprocess, sys

from meter import Failed, Service, measured, stored

PASSPHRASE = "seven otters paint slowly"


class Contestant:
    name = program = ""
    service = None

    def __init__(self, place, bins, account):
        self.place, self.bins, self.account = pathlib.Path(place), bins, pathlib.Path(account)
        self.place.mkdir(parents=True)
        self.repository, self.log = self.place / "repository", self.place / "log"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.place), "TZ": "UTC", "LC_ALL": "C.UTF-8"} | self.variables()

    def variables(self):
        return {}

    def run(self, *commands, fine=(0,)):
        return measured(commands, self.env, self.log, self.service, fine)

    def quietly(self, *command):
        done = subprocess.run([str(part) for part in command], env=self.env, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            raise Failed(f"{command}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    @classmethod
    def version(cls, bins):
        asked = [bins / cls.program, cls.asks]
        return subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()[0].strip()

    def stored(self):
        return stored(self.repository)

    def compare(self, restored):
        return self.same("files", restored)

    def same(self, what, *places):
        beside = pathlib.Path(__file__).with_name("same.py")
        done = subprocess.run([sys.executable, beside, what, self.account, *places], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{self.name}: {done.stderr}")
        return done.stdout.strip()

    def end(self):
        if self.service:
            self.service.stop()
        shutil.rmtree(self.place, ignore_errors=True)


class Restic(Contestant):
    name, program, asks = "restic", "restic", "version"

    def variables(self):
        return {"RESTIC_REPOSITORY": str(self.repository), "RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": f"{self.place}/cache"}

    def prepare(self):
        self.quietly(self.bins / "restic", "init")

    def backup(self):
        return self.run([self.bins / "restic", "backup", self.account / "data"])

    def check(self):
        return self.run([self.bins / "restic", "check", "--read-data"])

    def restore(self, into):
        cost = self.run([self.bins / "restic", "restore", f"latest:{self.account}/data", "--target", into])
        return cost | {"compared": self.compare(into)}


class ResticServer(Restic):
    name = "restic + rest-server"

    def prepare(self):
        command = [self.bins / "rest-server", "--path", self.repository, "--no-auth", "--listen", "127.0.0.1:0"]
        self.service = Service(command, self.env, self.place / "service.log", r"server on (\S+)")
        self.env["RESTIC_REPOSITORY"] = f"rest:http://{self.service.address}/"
        super().prepare()


class Borg(Contestant):
    name, program, asks = "borg", "borg", "--version"

    def variables(self):
        return {"BORG_REPO": str(self.repository), "BORG_PASSPHRASE": PASSPHRASE, "BORG_BASE_DIR": str(self.place)}

    def prepare(self):
        self.quietly(self.bins / "borg", "init", "--encryption", "repokey-blake2")
        self.count = 0

    def backup(self):
        self.count += 1
        return self.run([self.bins / "borg", "create", f"::{self.count}", self.account / "data"])

    def check(self):
        return self.run([self.bins / "borg", "check", "--verify-data"])

    def restore(self, into):
        into.mkdir()
        inside = str(self.account / "data").strip("/")
        # borg extracts into the folder it is started in.
        strip = str(inside.count("/") + 1)
        go = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", into]
        cost = self.run([*go, self.bins / "borg", "extract", "--strip-components", strip, f"::{self.count}"])
        return cost | {"compared": self.compare(into)}


class Rustic(Contestant):
    name, program, asks = "rustic", "rustic", "--version"

    def variables(self):
        return {"RUSTIC_REPOSITORY": str(self.repository), "RUSTIC_PASSWORD": PASSPHRASE, "RUSTIC_CACHE_DIR": f"{self.place}/cache"}

    def prepare(self):
        self.quietly(self.bins / "rustic", "init")

    def backup(self):
        return self.run([self.bins / "rustic", "backup", self.account / "data"])

    def check(self):
        return self.run([self.bins / "rustic", "check", "--read-data"])

    def restore(self, into):
        cost = self.run([self.bins / "rustic", "restore", f"latest:{self.account}/data", into])
        return cost | {"compared": self.compare(into)}


class RcloneCrypt(Contestant):
    """No deduplication and no snapshots: it shows what copying and sealing alone cost."""

    name, program, asks = "rclone crypt", "rclone", "version"

    def variables(self):
        hidden = subprocess.run([self.bins / "rclone", "obscure", PASSPHRASE], capture_output=True, text=True, check=True)
        return {"RCLONE_CONFIG": f"{self.place}/none.conf", "RCLONE_CONFIG_SEALED_TYPE": "crypt",
                "RCLONE_CONFIG_SEALED_REMOTE": str(self.repository), "RCLONE_CONFIG_SEALED_PASSWORD": hidden.stdout.strip()}

    def prepare(self):
        (self.place / "none.conf").touch()

    def backup(self):
        return self.run([self.bins / "rclone", "sync", self.account / "data", "sealed:"])

    def check(self):
        return self.run([self.bins / "rclone", "cryptcheck", self.account / "data", "sealed:"])

    def restore(self, into):
        return self.run([self.bins / "rclone", "copy", "sealed:", into]) | {"compared": self.compare(into)}


class Chatkeep(Contestant):
    """chatkeep with a chatkeepd of its own on loopback: SQLite and a folder."""

    name, program, asks = "chatkeep", "chatkeep", "--version"

    def variables(self):
        return {"CHATKEEP_HOME": f"{self.place}/home", "CHATKEEP_PASSPHRASE_FILE": f"{self.place}/passphrase"}

    def prepare(self):
        (self.place / "passphrase").write_text(PASSPHRASE + "\n")
        (self.place / "config.toml").touch()
        self.data = self.place / "service"
        command = [self.bins / "chatkeepd", "--data-dir", self.data, "--config", self.place / "config.toml"]
        for key in ("ops.listen=127.0.0.1:0", "registration.mode=open", "quota.account_bytes=200GiB"):
            command += ["--set", key]
        self.service = Service(command + ["serve", "--listen", "127.0.0.1:0"], self.env, self.place / "service.log",
                               r'"event":"listening".*?"address":"([^"]+)"', r'"event":"ops_listening".*?"address":"([^"]+)"')
        self.quietly(self.bins / "chatkeep", "register", f"me@{self.service.address}", "--no-recovery-key")
        self.homes = 0

    def backup(self):
        cost = self.run([self.bins / "chatkeep", "backup", self.account, "--json"])
        indexed = self.indexed()
        # The clock has stopped: what it stopped for must be there, every row readable in this home and nothing waiting.
        chats = self.quietly(self.bins / "chatkeep", "chats", "--json")
        return cost | indexed | self.readable(chats)

    def indexed(self):
        """How long the last command filled the search index, after all it brought could be read; its clock ran on."""
        return {"index_s": json.loads(self.log.read_text()).get("index_s") or 0}

    def readable(self, chats):
        with open(self.account / "messages.jsonl", "rb") as lines:
            wanted = sum(1 for _ in lines)
        got = sum(chat["messages"] for chat in json.loads(chats)["chats"])
        if got != wanted:
            raise Failed(f"{got} messages are readable after the backup of {wanted}")
        return {"readable": got}

    def check(self):
        return self.run([self.bins / "chatkeep", "check", "--read-data"])

    def restore(self, into):
        """A new device: it signs in by passphrase and restores; then, with a clock of its own, it writes everything as files."""
        own = self.env
        self.homes += 1
        self.env = own | {"CHATKEEP_HOME": f"{into}-home"}
        sign_in = [self.bins / "chatkeep", "login", f"me@{self.service.address}", "--device-name", f"restored-{self.homes}"]
        cost = self.run(sign_in, [self.bins / "chatkeep", "restore", "--json"]) | self.indexed()
        written = self.run([self.bins / "chatkeep", "export", "--as", "jsonl", "--out", into])
        self.env = own
        shutil.rmtree(f"{into}-home")
        cost["export"] = {key: written[key] for key in ("wall_s", "cpu_s", "peak_bytes", "others_cpu_s")}
        return cost | {"compared": self.compare(into)}

    def compare(self, restored):
        return self.same("export", restored, self.account.with_name("day1"))

    def stored(self):
        whole = stored(self.data / "objects")
        return whole | {"database_bytes": stored(self.data)["stored_bytes"] - whole["stored_bytes"]}


ALL = (Chatkeep, Restic, ResticServer, Borg, Rustic, RcloneCrypt)
