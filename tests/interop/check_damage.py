#!/usr/bin/env python3
"""Damage of everything a service stores, through the programs: what `check` says, what a fresh home is then shown, and
how a backup of a device that has the rows makes it whole.

check_damage.py BINARIES

A device backs up four times; the service's objects are files. Then every object is removed, cut, and swapped with others,
and single bits are flipped, bytes and objects drawn from a fixed seed. After each:
- `check --read-data` names exactly the objects that are damaged, and ends with 4; with 0 only where nothing reads them.
- A fresh home restores with 0 or 30. With 0 it has everything; with 30 all that is not counted as lost. Whatever it shows
  was written so. The same from the bucket alone, by the kit.
- Nothing panics.
Some damage of each kind is not undone: there the first device backs up, and then `check` is 0 and a fresh home has all.
A few of each; with CHATKEEP_LONG 200 flips, every object, and every object with every other. Exits 1 if anything differs.
"""
import collections, hashlib, itertools, json, os, shutil, sys, time

from held import end, failed, hold
from program import Site

binaries, long = sys.argv[1], "CHATKEEP_LONG" in os.environ
# How many flips; one of how many objects is removed and cut; how many pairs are swapped; one of how many flips is made
# whole by a backup.
FLIPS, OBJECTS, SWAPS, REPAIRS = (200, 1, None, 5) if long else (12, 3, 6, 4)
SEED = "chatkeep damage 1"


def drawn(*of):
    """A number that anybody draws alike."""
    return int.from_bytes(hashlib.sha256(repr((SEED, *of)).encode()).digest()[:8])


def export(folder, n):
    """The nth export: a chat of its own, with a photo and a text of its own kind."""
    folder.mkdir()
    name = f"IMG-2024051{n}-WA0001.jpg"
    (folder / name).write_bytes(hashlib.shake_256(f"photo {n}".encode()).digest(30_000 + n))
    lines = [f"1{3 + n}/05/2024, 08:{m:02} - {['Ana', 'Ben'][m % 2]}: line {m} of chat {n}\n" for m in range(25)]
    lines.append(f"1{3 + n}/05/2024, 09:00 - Ben: {name} (file attached)\n")
    (folder / f"WhatsApp Chat with Chat {n}.txt").write_text("".join(lines))
    return folder


def told(home):
    """What a home shows: each message apart from its attachments, with the bytes of those that are here."""
    lines, out = home.export()
    found = {}
    for line in lines:
        attachments = line.pop("attachments", [])
        here = [hashlib.sha256((out / a["path"]).read_bytes()).hexdigest() if a.get("path") else None for a in attachments]
        found[json.dumps(line, sort_keys=True)] = here
    shutil.rmtree(out)
    return found


class Vault:
    def __init__(self, site):
        self.site, self.turn, self.undone = site, 0, {}
        self.first = site.home("ana", kit=True)
        for n in range(4):
            self.first.json("backup", export(site.dir / f"export-{n}", n), "--chat", f"Chat {n}", exits=(0,))
        self.fresh = site.joined("fresh", self.first, by="kit")
        self.truth = told(self.first)
        self.objects = site.dir / "service/objects"
        self.settled()

    def stored(self):
        return {str(p.relative_to(self.objects)): p.read_bytes() for p in self.objects.rglob("*") if p.is_file()}

    def packs(self):
        return sorted(name for name in self.stored() if len(name) == 65)

    def mirrored(self):
        return sorted(name for name in self.stored() if len(name) != 65)

    def live(self):
        """Every pack that anything reads, and what it holds: what `check` misses when all are gone."""
        self.damage({name: None for name in self.packs()})
        problems = self.check(4)
        self.undo()
        return {object: problem["holds"] for object, problem in problems.items()}

    def check(self, exits):
        ended = self.first.ended("check", "--read-data", "--json")
        if ended.returncode != exits:
            hold(f"turn {self.turn}: check, {ended.stdout}{ended.stderr}", ended.returncode, exits)
            return {}
        return {p["object"]: p for p in json.loads(ended.stdout)["problems"]}

    def damage(self, changes):
        for name, bytes in changes.items():
            path = self.objects / name
            self.undone[name] = path.read_bytes()
            path.unlink()
            if bytes is not None:
                path.write_bytes(bytes)

    def undo(self):
        for name, bytes in self.undone.items():
            (self.objects / name).write_bytes(bytes)
        self.undone = {}

    def settled(self):
        """Everything is there, and mirrored."""
        hold(f"turn {self.turn}: check", self.check(0), {})
        self.restored("from the service", self.service(), {}, whole=True)
        for _ in range(60):
            if self.bucket().ended.returncode == 0:
                break
            time.sleep(0.5)
        self.restored("from the bucket", self.bucket(), {}, whole=True)

    def service(self):
        return Restored(self.site.copied("again", self.fresh), "restore")

    def bucket(self):
        way = ["--from-bucket", self.objects, "--recovery-key-file", self.first.kit]
        return Restored(self.site.machine("heir", new=True), "restore", *way)

    def restored(self, way, it, holds, whole=False):
        """Holds what a fresh home is shown to what is true. `holds`: what the damaged objects hold."""
        what = f"turn {self.turn}: {way}"
        code = it.ended.returncode
        if code not in ((0,) if whole else (0, 30)) or "panicked" in it.ended.stderr:
            return hold(f"{what}, {it.ended.stdout}{it.ended.stderr}", code, "0 or 30")
        shown = it.shown()
        wrong = [line for line, here in shown.items() if any(h not in (None, t) for h, t in zip(here, self.truth.get(line, [])))]
        wrong += [line for line in shown if line not in self.truth]
        if wrong:
            return hold(f"{what}: shown and never written", wrong, [])
        if code == 0:
            # A lost chunk run alone loses nothing: the records say the same.
            return hold(f"{what}: everything", shown == self.truth, True) if shown != self.truth else None
        absent = sum(h is None for here in shown.values() for h in here)
        lost, report = len(self.truth) - len(shown), it.report()
        if "lost" not in report or not shown and "mirrored" in holds:
            # Without the catalogue, or what leads to it, there is nothing to restore; it is said which of them it is.
            said = "missing" in it.ended.stderr or "cannot" in it.ended.stderr or "verif" in it.ended.stderr
            return None if said and {"page", "mirrored"} & set(holds) else hold(f"{what}: refused whole", it.ended.stderr, "")
        counted = "page" in holds or lost <= sum(l["rows"] for l in report["lost"])
        if not counted or absent != len(report["missing"]):
            return hold(f"{what}: {lost} lost and {absent} absent, {report}", "more than told", "what is told")
        if not {"run", "page"} & set(holds) and lost or not {"attachments", "chunk run", "page"} & set(holds) and absent:
            return hold(f"{what}: {lost} messages lost and {absent} attachments absent", holds, "other damage")

    def trial(self, kind, changes, live, repair):
        """Damages, looks, and either undoes it or has it made whole."""
        self.turn += 1
        before = len(failed)
        self.damage(changes)
        expected = {n.split("/")[1] for n in changes if n.split("/")[1] in live and len(n) == 65}
        named = self.check(4 if expected else 0)
        if set(named) != expected:
            hold(f"turn {self.turn}: {kind} {sorted(changes)}: named by check", sorted(named), sorted(expected))
        holds = [p["holds"] for p in named.values()]
        self.restored(f"{kind} of {holds}, from the service", self.service(), holds, whole=not expected)
        bucket = self.bucket()
        if any(len(name) != 65 for name in changes):
            holds.append("mirrored")
        if not (bucket.ended.returncode == 12 and any(name.startswith("slots/") for name in changes)):
            self.restored(f"{kind} of {holds}, from the bucket", bucket, holds)
        if repair and expected:
            self.first.json("backup", exits=(0,))
            self.undone = {name: old for name, old in self.undone.items() if len(name) != 65}
            self.undo()
            self.settled()
        else:
            self.undo()
        if len(failed) > before or not self.turn % 10:
            print(f"     turn {self.turn}: {kind} of {holds or ['nothing that is read']}", flush=True)
        return repair and bool(expected)


class Restored:
    """A fresh home that was told to restore."""

    def __init__(self, home, *arguments):
        self.home, self.ended = home, home.ended(*arguments, "--json")

    def report(self):
        return json.loads(self.ended.stderr.splitlines()[-1])["details"]

    def shown(self):
        probe = self.home.ended("chats", "--json")
        if probe.returncode == 10:
            return {}
        return told(self.home)


def flipped(bytes, *of):
    at = drawn("byte", *of) % len(bytes)
    return bytes[:at] + (bytes[at] ^ 1 << drawn("bit", *of) % 8).to_bytes() + bytes[at + 1:]


def cut(bytes, *of):
    return bytes[: drawn("cut", *of) % len(bytes)]


KINDS = {"removal": lambda *_: None, "cut": cut, "flip": flipped}


def changed(kind, stored, *names):
    """What stands in the place of objects, as they are stored now, after damage of a kind."""
    if kind == "swap":
        a, b = names
        return {a: stored[b], b: stored[a]}
    return {name: KINDS[kind](stored[name], name) for name in names}


def trials(vault):
    """Runs all of them; how many of each kind, and how many were made whole."""
    live, tried, repaired = vault.live(), collections.Counter(), 0
    names = sorted(vault.stored())

    def run(kind, *names, repair=False):
        nonlocal live, repaired
        tried[kind] += 1
        if vault.trial(kind, changed(kind, vault.stored(), *names), live, repair):
            repaired, live = repaired + 1, vault.live()

    for kind in ["removal", "cut"]:
        for name in names[drawn(kind) % OBJECTS :: OBJECTS]:
            run(kind, name)
    for a, b in sorted(itertools.combinations(names, 2), key=lambda pair: drawn("swap", pair))[:SWAPS]:
        run("swap", a, b)
    for n in range(FLIPS):
        # Packs that are read, what is mirrored, and packs that nothing reads any more, in turn.
        alive = [name for name in vault.packs() if name.split("/")[1] in live]
        dead = [name for name in vault.packs() if name not in alive]
        of = [alive, alive, alive, vault.mirrored(), dead][n % 5] or alive
        run("flip", of[drawn("object", n) % len(of)], repair=n % REPAIRS == 0)
    for kind in ["removal", "cut", "swap"]:
        for what in sorted(set(live.values()))[:: 1 if long else 2]:
            of = sorted(name for name in vault.packs() if live.get(name.split("/")[1]) == what)
            other = [name for name in vault.packs() if name.split("/")[1] in live and name != of[0]]
            run(kind, of[0], *other[: kind == "swap"], repair=True)
    return tried, repaired


with Site(binaries) as site:
    vault = Vault(site)
    live = vault.live()
    hold("what packs hold", sorted(set(live.values())), ["attachments", "chunk run", "front page", "page", "run"])
    hold("what is mirrored", [n.split("/")[1] for n in vault.mirrored() if not n.startswith("slots/")], ["head", "opaque", "roster", "slot-1"])
    print(f"     {len(live)} packs are read: {sorted(live.values())}; {len(vault.packs()) - len(live)} are not; {len(vault.mirrored())} mirrored")
    tried, repaired = trials(vault)
    print(f"     {dict(tried)}, {repaired} made whole by a backup")
    hold("every kind was tried, and some made whole", (len(tried), repaired > 8), (4, True))
    vault.settled()
    hold("the first device shows what it did", told(vault.first) == vault.truth, True)
    hold("the service ran on without a panic", (site.running(), "panicked" in site.log), (True, False))
end("damage")
