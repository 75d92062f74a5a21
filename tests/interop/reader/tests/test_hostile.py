"""Changes bytes of a bucket, outside and inside its seals: the reader tells, and never breaks."""
import os
import random

from ..row import EDIT, MESSAGE, OWN_DELETE, REACTION_ADD, Row
from .make_bucket import Account, Entry
from .test_fold import Export
from .test_reader import NOON, PHOTO, Case, attached, person, row, stamp

ROUNDS = 3_000 if os.environ.get("CHATKEEP_LONG") else 30


class Spoiled(Account):
    """An account whose writer spoils the content of one seal before it is sealed."""

    spoil_at, random, sealed = None, None, 0

    def seal(self, key, kind, place, content):
        self.sealed += 1
        if self.sealed == self.spoil_at:
            content = spoiled(content, self.random)
        return super().seal(key, kind, place, content)


class SpoiledRow(Row):
    """A row that is written as other bytes than it has."""

    said = b""

    def encode(self, without=()):
        return self.said


def spoiled(data, random):
    """Data with a bit flipped, a part cut out, doubled, or replaced."""
    data = bytearray(data)
    at = random.randrange(min(len(data), random.choice((8, 64, 1 << 20)))) if data else 0
    way = random.randrange(5)
    if way == 0 and data:
        data[at] ^= 1 << random.randrange(8)
    elif way == 1:
        del data[at : at + random.choice((1, 4, 1_000))]
    elif way == 2:
        data[at:at] = data[at : at + random.choice((1, 40))]
    elif way == 3:
        data[at : at + 10] = b"\xff" * 10
    else:
        data[at : at + 1] = bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF))])
    return bytes(data)


class Hostile(Case):
    def filled(self, account):
        one = self.id_of(account, "1")
        hashes = self.files(account)
        photo, listed = attached(hashes[0], len(PHOTO), "a.png"), attached(hashes[1], None, "b")
        account.messages(self.entries(
            row(MESSAGE, NOON, "1", body="hello", sender=person("Ana", "user1"), sent_at=stamp(NOON), attachments=photo),
            row(MESSAGE, NOON + 1, "2", body="there", attachments=listed, extra='{"a":1}'),
            row(EDIT, NOON, "e", one, body="hello!", edited_at=NOON + 1),
            row(REACTION_ADD, NOON, "r", one, emoji="x", sender=person("Ben"), edited_at=NOON + 1),
            row(OWN_DELETE, NOON + 1, "d", one, row_ids=bytes(33)),
        ))
        lines = [(0, "Ben", "P", "x"), (1, "Ben", "P", "meet at noon"), (1, "Ben", "E", "meet at noon!")]
        whatsapp = [p for at in (10, 20) for p in Export(lines, at).rows]
        account.messages([e for p in whatsapp[:4] for e in self.entries(p.row, source="whatsapp", chat="Family")])
        account.chunks()
        return account

    def files(self, account):
        return account.file(PHOTO), account.file(PHOTO[1:], chunk_bytes=30_000, listed_ids=True, pack_well=True)

    def test_any_byte_outside(self):
        account = self.filled(self.account(rotated=True))
        account.write(self.bucket)
        self.assertEqual(self.run_reader(account)[0], 0)
        drawn, told = random.Random(1), 0
        runs = {run.id.hex() for run in account.runs}
        names = sorted(account.objects)
        for attempt in range(ROUNDS):
            path = self.bucket / drawn.choice(names)
            sound = path.read_bytes()
            changed = spoiled(sound, drawn)
            path.write_bytes(changed)
            code, _, errors = self.run_reader(account, out=f"out {attempt}")
            path.write_bytes(sound)
            # What nobody can hold to anything: server times, indexes, most of a frontier, padding of chunk packs.
            self.assertIn(code, (0, 4), errors)
            if path.name in runs and changed != sound:
                self.assertEqual(code, 4, path.name)
            told += code == 4
        self.assertGreater(told, ROUNDS // 2)

    def test_any_byte_inside(self):
        count = self.filled(Spoiled(self.id()))
        count.write(self.bucket)
        self.assertEqual(self.run_reader(count)[0], 0)
        codes = set()
        for attempt in range(ROUNDS):
            account = Spoiled(self.id())
            account.random = random.Random(attempt)
            account.spoil_at = account.random.randrange(1, count.sealed + 1)
            self.filled(account)
            account.write(self.bucket)
            code, _, errors = self.run_reader(account, out=f"out {attempt}")
            self.assertIn(code, (0, 4), errors)
            codes.add(code)
        self.assertEqual(codes, {0, 4})

    def test_any_byte_of_a_row(self):
        sound, codes = self.account(), set()
        sound.messages = lambda entries: rows.extend(entries)
        rows = []
        self.filled(sound)
        for attempt in range(2 * ROUNDS):
            drawn, account = random.Random(attempt), self.account()
            for n, entry in enumerate(rows):
                row = entry.row
                if n == attempt % len(rows):
                    row = SpoiledRow(row.kind, row.time, row.target, row.native, row.fields)
                    row.said = spoiled(entry.row.encode(), drawn)
                account.messages([Entry(entry.source, entry.conversation, row)])
            self.files(account)
            account.chunks()
            account.write(self.bucket, entries_per_page=50)
            code, _, errors = self.run_reader(account, out=f"out {attempt}")
            self.assertIn(code, (0, 4), errors)
            codes.add(code)
        self.assertEqual(codes, {0, 4})
