"""A chatkeepd of its own and homes that use it: what benches/first_screen, interrupted, link, irc/run and search share."""
import argparse, json, os, pathlib, shutil, subprocess, sys, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
from account import Account, chats_for  # noqa: E402  beside us only after the line above
from meter import Failed, Service, measured  # noqa: E402, F401
from surroundings import INSIDE, PROJECT, built, commit, in_own_namespace, machine, now_utc  # noqa: E402, F401

PASSPHRASE = "seven otters paint slowly"
SETTINGS = ("ops.listen=127.0.0.1:0", "registration.mode=open", "quota.account_bytes=200GiB", "limits.auth_per_minute=10000")


def asked(description, **more):
    """The flags every one of these programs has, and its own: name=(type, default, help)."""
    parse = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--small", action="store_true", help="a size that takes seconds: shows that everything works")
    parse.add_argument("--bins", type=pathlib.Path, help="folder of chatkeep and chatkeepd; built for release unless given")
    parse.add_argument("--out", type=pathlib.Path, default=PROJECT / "target" / "figures", help="where it works; accounts made there are used again")
    parse.add_argument("--runs", type=pathlib.Path, default=HERE / "runs", help="where the run is kept")
    for name, (kind, default, what) in more.items():
        parse.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=what)
    ask = parse.parse_args()
    ask.out = ask.out.resolve()
    ask.out.mkdir(parents=True, exist_ok=True)
    if not os.environ.get(INSIDE):
        built(ask.bins, ask.out / "bins")
    ask.bins = ask.out / "bins"
    return ask


def fresh(place):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def account(out, messages, media_mb=0, seed=1):
    """An export of an account of this size, made once (benches/peers/account.py)."""
    place = out / f"account-{messages}-{media_mb:g}"
    if not (place / "made").exists():
        one = Account(fresh(place), seed, chats_for(messages))
        one.begin()
        one.messages(messages, one.media(int(media_mb * 1e6)))
        one.write_lines()
        one.db.close()
        (place / "data" / "messages.db").unlink()  # chatkeep is given the export alone
        (place / "made").touch()
    return place


class Pair:
    """A service under `place`, and homes beside it. Programs reach the service at `server`, which may be a wire to it."""

    def __init__(self, place, bins, settings=(), listen="127.0.0.1:0", before=()):
        self.place, self.bins, self.server = fresh(pathlib.Path(place)), bins, None
        (self.place / "passphrase").write_text(PASSPHRASE + "\n")
        (self.place / "config.toml").touch()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.place), "TZ": "UTC", "LC_ALL": "C.UTF-8",
                    "CHATKEEP_PASSPHRASE_FILE": f"{self.place}/passphrase"}
        command = [*before, bins / "chatkeepd", "--data-dir", self.place / "service", "--config", self.place / "config.toml"]
        for setting in (*SETTINGS, *settings):
            command += ["--set", setting]
        self.service = Service([*command, "serve", "--listen", listen], self.env, self.place / "service.log",
                               r'"event":"listening".*?"address":"([^"]+)"', r'"event":"ops_listening".*?"address":"([^"]+)"')
        self.server = self.service.address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.service.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    def variables(self, home):
        return self.env | {"CHATKEEP_HOME": str(self.place / home)}

    def started(self, home, *command):
        """A command under way, its output in files named after the home."""
        with open(self.place / f"{home}.log", "wb") as log, open(self.place / f"{home}.err", "wb") as err:
            return subprocess.Popen([str(part) for part in (self.bins / "chatkeep", *command)], env=self.variables(home),
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=err)

    def ended(self, process, home, fine=(0,)):
        if process.wait() not in fine:
            raise Failed(f"{home}: exit {process.returncode}\n{(self.place / f'{home}.err').read_text(errors='replace')[-2000:]}")

    def does(self, home, *command):
        """Seconds a command took; its output is left in HOME.log."""
        begun = time.monotonic()
        self.ended(self.started(home, *command), home)
        return time.monotonic() - begun

    def tells(self, home, *command):
        self.does(home, *command)
        return (self.place / f"{home}.log").read_text()

    def register(self, home, name="me"):
        self.does(home, "register", f"{name}@{self.server}", "--no-recovery-key")

    def sign_in(self, home):
        self.does(home, "login", f"me@{self.server}", "--device-name", home)

    def counts(self, home):
        """Messages a home shows."""
        return sum(chat["messages"] for chat in json.loads(self.tells(home, "chats", "--json"))["chats"])


def keep(ask, name, run):
    """Writes a run as JSON; a small one shows only that the program works, and stays in its working folder."""
    run = {"schema": f"chatkeep.{name.replace('-', '_')}/1", "at": run.pop("at"), "small": ask.small, "machine": machine(), "commit": commit()} | run
    folder = ask.out if ask.small else ask.runs
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{run['at'].replace(':', '')}.json"
    file.write_text(json.dumps(run, indent=1) + "\n")
    print(f"kept as {file}", file=sys.stderr)


def table(heads, rows):
    """A table as docs/performance.md has them."""
    for row in (heads, ["---"] * len(heads), *rows):
        print("| " + " | ".join(written(one) for one in row) + " |")


def written(value):
    if isinstance(value, float):
        return f"{value:.3f}" if value < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
