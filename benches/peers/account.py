#!/usr/bin/env python3
"""Makes a chat account of a given size, the same bytes from the same seed, as two days of it.

  account.py DIR --messages 50000 --media-mb 200 [--seed 1] [--percent 1]

DIR/day1 and DIR/day2, each with `data/` (messages.db, a SQLite database of 4 KiB pages as chat apps keep it, and
attachments/: what a tool that backs up files is given) and `messages.jsonl` (the same messages as JSON Lines, naming the
same attachments: what chatkeep is given). Day 2 has PERCENT more messages and media, and edits and deletions besides,
mostly of recent messages. Media that both days have is one file with two names, so nothing about it changes overnight.
"""
import argparse, bisect, datetime, itertools, json, mimetypes, os, pathlib, random, shutil, sqlite3

SCHEMA = """
PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
CREATE TABLE chats(id INTEGER PRIMARY KEY, uid TEXT, name TEXT);
CREATE TABLE messages(id INTEGER PRIMARY KEY, chat INT NOT NULL, sender TEXT NOT NULL, at INT NOT NULL, text TEXT,
  answers INT, edited INT, deleted INT DEFAULT 0, file TEXT, file_hash BLOB, uid BLOB, state INT);
CREATE INDEX messages_by_chat ON messages(chat, at);
CREATE TABLE reactions(message INT, sender TEXT, sign TEXT, at INT, PRIMARY KEY(message, sender)) WITHOUT ROWID;
CREATE TABLE edits(message INT, at INT, text TEXT);
"""
# What people write most often; behind these the vocabulary goes on with invented words, each rarer than the one before.
COMMON = """ok yes no haha thanks see you when where there the a to and is it in at we she he they for on that this with
but not so have will can just was are be my your our what how if from home work train later soon today tomorrow tonight
week dinner lunch coffee kids school car bring take call back late here now good great sure maybe sorry please love time
one two three more some all still need want think know going coming got did do does would could should about after before
really nice fun photo picture look send buy milk bread keys door station bus meet friend mum dad sister weather rain sun""".split()
SIGNS = ["\U0001F44D", "\u2764\ufe0f", "\U0001F602", "\U0001F62E", "\U0001F622", "\U0001F64F", "\U0001F389", "\U0001F60A"]
START_MS = 1_577_836_800_000  # 2020-01-01
STEP_MS = 80_000


def vocabulary():
    rng = random.Random(20)
    onset = ["", "b", "br", "d", "dr", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr", "v", "w"]
    rhyme = [v + c for v in ("a", "e", "i", "o", "u", "ai", "ea", "oo") for c in ("", "l", "m", "n", "nd", "r", "s", "t", "ck")]
    words = dict.fromkeys(COMMON)
    while len(words) < 24_000:
        words["".join(rng.choice(onset) + rng.choice(rhyme) for _ in range(rng.choice((1, 2, 3))))] = None
    words = list(words)
    return words, list(itertools.accumulate((rank + 2) ** -1.08 for rank in range(len(words))))


class Writer:
    """Everything random about an account comes from here, in one order."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.words, self.weights = vocabulary()
        self.ahead = iter(())

    def some(self, count):
        got = list(itertools.islice(self.ahead, count))
        while len(got) < count:
            self.ahead = iter(self.rng.choices(self.words, cum_weights=self.weights, k=100_000))
            got += itertools.islice(self.ahead, count - len(got))
        return " ".join(got)

    def text(self):
        rng = self.rng
        said = self.some(max(1, min(130, round(rng.lognormvariate(2.0, 0.9)))))
        manner = rng.random()
        if manner < 0.3:
            return said[0].upper() + said[1:] + rng.choice(".!?…")
        if manner < 0.42:
            return said + " " + rng.choice(SIGNS) * rng.randint(1, 3)
        if manner < 0.45:
            return f"{said} https://{self.some(1)}.example/{rng.getrandbits(40):010x}"
        return said

    def attachment(self):
        """Its ending and its bytes: mostly photographs from 50 KB to 4 MB, some documents, some notes."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.04:
            return ".txt", self.some(rng.randint(2_000, 20_000)).encode()
        if kind < 0.08:
            pages = [b"%d 0 obj stream\n" % n + rng.randbytes(rng.randint(8_000, 64_000)) + b"\nendstream\n" for n in range(rng.randint(4, 20))]
            return ".pdf", b"%PDF-1.7\n" + b"".join(pages) + b"%%EOF\n"
        size = round(50_000 * 80 ** rng.random())
        return ".jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x02" + rng.randbytes(size) + b"\xff\xd9"


class Account:
    """An account under DIR/data, written to in days; its database may lie elsewhere."""

    def __init__(self, place, seed, chats, database="messages.db"):
        self.data, self.say, self.chats = pathlib.Path(place) / "data", Writer(seed), chats
        (self.data / "attachments").mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(self.data / database)
        self.busy = list(itertools.accumulate((chat + 1) ** -0.8 for chat in range(chats)))
        self.last = self.media_seen = 0
        self.known = []

    def begin(self):
        self.db.executescript(SCHEMA)
        rng = self.say.rng
        rows = [(chat, f"{rng.getrandbits(128):032x}", self.say.some(3)) for chat in range(self.chats)]
        self.db.executemany("INSERT INTO chats VALUES(?,?,?)", rows)

    def resume(self):
        self.last, = self.db.execute("SELECT max(id) FROM messages").fetchone()

    def media(self, bytes_wanted):
        """Writes attachments up to so many bytes; about every fifth is a picture that was sent before."""
        rng, made, total = self.say.rng, [], 0
        while total < bytes_wanted:
            chat = rng.randrange(self.chats)
            folder = self.data / "attachments" / f"{chat:03d}"
            folder.mkdir(exist_ok=True)
            if self.known and rng.random() < 0.18:
                ending, content = rng.choice(self.known)
                content = content.read_bytes()
            else:
                ending, content = self.say.attachment()
            path = folder / f"{self.last:08d}-{len(made):05d}{ending}"
            path.write_bytes(content)
            self.known.append((ending, path))
            made.append((chat, str(path.relative_to(self.data))))
            total += len(content)
        return made

    def messages(self, count, media=()):
        rng, say, first = self.say.rng, self.say, self.last + 1
        people = random.Random(30)
        people = [f"+4670{people.randrange(10**7):07d}" for _ in range(2 * self.chats)]
        # Two attachments that fall on one message leave it with one: some files on disk are named by nobody.
        carrying = {first + rng.randrange(count): one for one in media}
        recent, rows, reactions, edits = {}, [], [], []
        for n in range(first, first + count):
            chat, file = carrying.get(n, (None, None))
            if chat is None:
                chat = bisect.bisect(self.busy, rng.random() * self.busy[-1])
            at = START_MS + n * STEP_MS + rng.randrange(STEP_MS)
            text = say.text() if file is None or rng.random() < 0.3 else None
            before = recent.setdefault(chat, [])
            answers = rng.choice(before) if before and rng.random() < 0.065 else None
            before.append(n)
            del before[:-30]
            edited = at + 45_000 if text and rng.random() < 0.02 else None
            if edited:
                edits.append((n, edited, say.text()))
            if rng.random() < 0.15:
                reactions.append((n, rng.choice(people), rng.choice(SIGNS), at + 9_000))
            rows.append((n, chat, people[2 * chat + rng.randrange(2)], at, text, answers, edited, rng.random() < 0.01, file,
                         rng.randbytes(32) if file else None, rng.randbytes(16), 3))
            if len(rows) == 20_000:
                self.write(rows, reactions, edits)
        self.write(rows, reactions, edits)
        self.last += count

    def write(self, rows, reactions, edits):
        self.db.executemany("INSERT INTO messages VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", rows)
        self.db.executemany("INSERT OR IGNORE INTO reactions VALUES(?,?,?,?)", reactions)
        self.db.executemany("INSERT INTO edits VALUES(?,?,?)", edits)
        self.db.commit()
        rows.clear(), reactions.clear(), edits.clear()

    def second_thoughts(self, count, before):
        """Edits and deletions of what stood there before, mostly of the newest fiftieth; gives which they were."""
        changed = []
        for _ in range(count):
            n = max(1, before - int(self.say.rng.expovariate(50 / before)))
            if self.say.rng.random() < 0.7:
                edit = (self.say.text(), START_MS + before * STEP_MS, n)
                self.db.execute("UPDATE messages SET text=?, edited=? WHERE id=?", edit)
            else:
                self.db.execute("UPDATE messages SET text=NULL, deleted=1 WHERE id=?", (n,))
            changed.append(n)
        self.db.commit()
        return changed

    def lines(self, since=0, changed=()):
        """Each message as a line of JSON, by chat and time; attachments are named from the folder above data/.
        Only those after `since`, and those that changed, where that is said."""
        chats = {chat: (uid, name) for chat, uid, name in self.db.execute("SELECT * FROM chats")}
        reactions = {}
        for n, sender, sign in self.db.execute("SELECT message, sender, sign FROM reactions ORDER BY 1, 2"):
            reactions.setdefault(n, []).append({"by": sender, "emoji": sign})
        rows = self.db.execute("""SELECT m.id, m.chat, m.sender, m.at, m.text, m.edited, m.deleted, m.file, lower(hex(m.uid)), lower(hex(a.uid))
          FROM messages m LEFT JOIN messages a ON a.id = m.answers WHERE m.id > ? OR m.id IN (SELECT value FROM json_each(?)) ORDER BY m.chat, m.at, m.id""",
                               (since, json.dumps(list(changed))))
        for n, chat, sender, at, text, edited, deleted, file, uid, answers in rows:
            line = {"id": uid, "chat": chats[chat][0], "chat_name": chats[chat][1], "sender": sender, "ts": rfc3339(at)}
            if text is not None and not deleted:
                line["text"] = text
            if answers:
                line["reply_to"] = answers
            if edited:
                line["edited_at"] = rfc3339(edited)
            if deleted:
                line["deleted"] = True
            if n in reactions:
                line["reactions"] = reactions[n]
            path = self.data / file if file else None
            if path and path.exists() and not deleted:
                line["attachments"] = [{"name": path.name, "path": f"data/{file}", "size": path.stat().st_size,
                                        "mime": mimetypes.guess_type(file)[0] or "application/octet-stream"}]
            yield json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"

    def write_lines(self, since=0, changed=()):
        with open(self.data.parent / "messages.jsonl", "w", encoding="utf-8") as out:
            out.writelines(self.lines(since, changed))


def rfc3339(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def chats_for(messages):
    return max(8, min(800, messages // 400))


def two_days(place, messages, media_bytes, seed, percent):
    place = pathlib.Path(place)
    first = Account(place / "day1", seed, chats_for(messages))
    first.begin()
    first.messages(messages, first.media(media_bytes))
    first.write_lines()
    first.db.close()

    shutil.copytree(place / "day1" / "data", place / "day2" / "data", copy_function=os.link)
    database = place / "day2" / "data" / "messages.db"
    database.unlink()
    shutil.copyfile(place / "day1" / "data" / "messages.db", database)
    second = Account(place / "day2", seed + 1000, chats_for(messages))
    second.resume()
    new = max(10, int(messages * percent / 100))
    second.messages(new, second.media(int(media_bytes * percent / 100)))
    second.second_thoughts(new // 20, messages)
    second.write_lines()
    second.db.close()


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("dir")
    parse.add_argument("--messages", type=int, default=50_000)
    parse.add_argument("--media-mb", type=float, default=200)
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--percent", type=float, default=1.0)
    asked = parse.parse_args()
    two_days(asked.dir, asked.messages, int(asked.media_mb * 1_000_000), asked.seed, asked.percent)


if __name__ == "__main__":
    main()
