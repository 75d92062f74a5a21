"""Reads buckets that make_bucket wrote: sound ones, damaged ones, and ones under the wrong key."""
import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from .. import __main__, recovery
from ..derive import B, event_id, svarint
from ..row import EDIT, IMPORT, MESSAGE, OWN_DELETE, REACTION_ADD, REACTION_REMOVE, SNAPSHOT, SOURCE_DELETE, UNDELETE, Row, Tag
from ..values import Attachment, Party, encode_list
from .make_bucket import Account, Entry, fields

TELEGRAM, CHAT = "telegram", "private_group:7"
NOON = 1_700_000_000_000
PHOTO, VIDEO, LETTER = b"\x89PNG " * 5_000, bytes(range(256)) * 700, "long text ünïcode\n" * 4_000


def row(kind, time, native, target=None, **named):
    """A row; fields by name: texts and bytes as they are, numbers as numbers."""
    values = {}
    for name, value in named.items():
        value = value.encode() if isinstance(value, str) else value
        values[getattr(Tag, name.upper())] = svarint(value) if isinstance(value, int) else value
    return Row(kind, time, target, native, dict(sorted(values.items())))


def person(name, id=None):
    return Party(id, name).encode()


def stamp(utc=None, precision=1, local=None, zone=0):
    return fields(f1=None if utc is None else svarint(utc), f2=local and local.encode(), f4=svarint(zone), f5=svarint(precision))


def attached(hash, size, name):
    return encode_list([Attachment(name, None, size, 3, 0, hash, None).encode()])


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.bucket = self.folder / "bucket"

    def account(self, **given):
        return Account(self.id(), **given)

    def entries(self, *rows, source=TELEGRAM, chat=CHAT):
        return [Entry(source, chat, one) for one in rows]

    def id_of(self, account, native, kind=MESSAGE, source=TELEGRAM, chat=CHAT):
        return event_id(account.event_key, source, chat, kind, native)

    def run_reader(self, account, *words, key=None, out="out", timed=("--with-timed",)):
        path = self.folder / "kit.txt"
        path.write_text("Account: ana@vault.example.org\nRecovery key: " + recovery.shown(key or account.recovery_key) + "\n")
        given = [*words, str(self.bucket), "--recovery-key-file", str(path)]
        given += [] if words else ["--out", str(self.folder / out), *timed]
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()) as errors:
            code = __main__.main(given)
        return code, said.getvalue(), errors.getvalue()

    def restored(self, account, code=0, out="out", **given):
        found, _, errors = self.run_reader(account, out=out, **given)
        self.assertEqual(found, code, errors)
        return [json.loads(line) for line in (self.folder / out / "messages.jsonl").read_text().splitlines()], errors

    def damage(self, account, name, at=-1):
        path = self.bucket / account.address / name
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)


class Sound(Case):
    def test_messages_with_all_that_was_done_to_them(self):
        account = self.account()
        first, second, gone, back = (self.id_of(account, n) for n in "1234")
        deletion = self.id_of(account, "del-4", OWN_DELETE)
        account.messages(self.entries(
            row(MESSAGE, NOON, "1", body="hello", sender=person("Ana", "user1"), sent_at=stamp(NOON),
                extra='{"b":1.50,"a":[true,null,"\\u00e9\\u0001"]}'),
            row(MESSAGE, NOON + 1_000, "2", body="see you", sender=person("Ben", "user2"), sent_at=stamp(NOON + 1_000),
                reply_to=fields(f1=b"1", f3=b"hello")),
            row(MESSAGE, NOON + 2_000, "3", body="deleted here"), row(MESSAGE, NOON + 3_000, "4", body="back again"),
            row(IMPORT, 0, "title/group/x", title="The group", as_of=5), row(IMPORT, 0, "title/group/y", title="Old", as_of=4),
            row(99, NOON, "from a later version", body="ignored"),
        ))
        account.messages(self.entries(
            row(EDIT, NOON + 1_000, "e1", second, body="see you at noon", edited_at=NOON + 9_000),
            row(REACTION_ADD, NOON, "r1", first, sender=person("Ben", "user2"), emoji="👍", edited_at=NOON + 1),
            row(REACTION_ADD, NOON, "r2", first, sender=person("Zoë"), emoji="❤", edited_at=NOON + 2),
            row(REACTION_REMOVE, NOON, "r3", first, sender=person("Zoë"), emoji="❤", edited_at=NOON + 3),
            row(SOURCE_DELETE, NOON + 1_000, "d1", second),
            row(OWN_DELETE, NOON + 2_000, "del-3", gone, row_ids=gone, edited_at=NOON + 10),
            row(OWN_DELETE, NOON + 3_000, "del-4", back, row_ids=back, edited_at=NOON + 11),
            row(UNDELETE, NOON + 3_000, "undel-4", deletion, edited_at=NOON + 12),
        ))
        account.messages([Entry("chatkeep", "", row(SNAPSHOT, NOON, "ab" * 16, counts="{}"))])
        account.write(self.bucket)
        lines, _ = self.restored(account)
        self.assertEqual([(m["id"], m.get("text")) for m in lines], [("1", "hello"), ("2", "see you at noon"), ("4", "back again")])
        self.assertEqual(lines[0], {
            "id": "1", "chat": CHAT, "sender": "user1", "ts": "2023-11-14T22:13:20.000Z", "chat_name": "The group",
            "sender_name": "Ana", "text": "hello", "reactions": [{"by": "Ben", "by_id": "user2", "emoji": "👍"}],
            "source": TELEGRAM, "native": "1", "kind": "message", "precision": "second", "tz_source": "explicit",
            "extra": {"b": 1.5, "a": [True, None, "é\u0001"]},
        })
        text = (self.folder / "out/messages.jsonl").read_text()
        self.assertIn('"extra":{"a":[true,null,"é\\u0001"],"b":1.50}', text)
        self.assertEqual(lines[1]["versions"], [{"at": None, "text": "see you"}])
        self.assertEqual((lines[1]["deleted"], lines[1]["edited_at"]), (True, "2023-11-14T22:13:29.000Z"))
        self.assertEqual((lines[1]["reply_to"], lines[1]["reply_text"]), ("1", "hello"))

    def test_files_of_one_chunk_of_several_and_by_list(self):
        account = self.account()
        hashes = [
            account.file(PHOTO), account.file(VIDEO, chunk_bytes=50_000, pack_well=True),
            account.file(VIDEO[1:], chunk_bytes=40_000, listed_ids=True), account.file(LETTER.encode(), pack_well=True),
        ]
        names = "a.PNG", "b", "c.tar.gz~"
        sizes = len(PHOTO), 5, None
        account.messages(self.entries(
            *(row(MESSAGE, NOON, str(i), attachments=attached(hashes[i], sizes[i], names[i])) for i in range(3)),
            row(MESSAGE, NOON + 1, "long", body="long te",
                long_body=Attachment(None, None, len(LETTER.encode()), 3, 0, hashes[3], None).encode()),
        ))
        account.chunks()
        account.write(self.bucket)
        lines, _ = self.restored(account)
        paths = [m["attachments"][0]["path"] for m in lines[:3]]
        self.assertEqual(paths, [f"media/{h.hex()}.{e}" for h, e in zip(hashes, ("png", "bin", "bin"))])
        for path, content in zip(paths, (PHOTO, VIDEO, VIDEO[1:])):
            self.assertEqual((self.folder / "out" / path).read_bytes(), content)
        self.assertEqual([m["attachments"][0]["size"] for m in lines[:3]], [len(PHOTO), len(VIDEO), len(VIDEO) - 1])
        self.assertEqual(lines[3]["text"], LETTER)

    def test_many_rows_over_many_blocks_runs_and_pages(self):
        account = self.account()
        for run in range(3):
            account.messages([Entry(TELEGRAM, f"chat {n % 7}", row(MESSAGE, NOON + n, f"{n}", body=f"text {n} " + "x" * 90))
                              for n in range(run, 3_000, 3)])
        account.front = self.entries(row(MESSAGE, NOON, "0", body="text 0 " + "x" * 90), chat="chat 0")
        account.write(self.bucket)
        lines, _ = self.restored(account)
        expected = sorted((f"chat {n % 7}", f"text {n} " + "x" * 90) for n in range(3_000))
        self.assertEqual(sorted((m["chat"], m["text"]) for m in lines), expected)
        self.assertEqual([m["ts"] for m in lines if m["chat"] == "chat 3"], sorted(m["ts"] for m in lines if m["chat"] == "chat 3"))
        self.assertEqual(self.run_reader(account, "digest")[0], 0)

    def test_a_head_older_than_the_roster_that_rotated_the_root(self):
        for head_epoch in (0, 1):
            with self.subTest(head_epoch=head_epoch):
                account = self.account(rotated=True)
                account.messages(self.entries(row(MESSAGE, NOON, "1", body="before and after")))
                account.write(self.bucket, head_epoch=head_epoch)
                lines, _ = self.restored(account, out=f"out {head_epoch}")
                self.assertEqual([m["text"] for m in lines], ["before and after"])
        (self.bucket / account.address / "rotation-2").unlink()
        self.assertEqual(self.run_reader(account, out="none")[0], 4)

    def test_rows_of_one_key_join_and_what_differs_becomes_a_version(self):
        account = self.account()
        early = row(MESSAGE, NOON, "1", body="hello", place=2, as_of=10)
        late = row(MESSAGE, NOON, "1", body="hello", place=5, as_of=4, seconds=7)
        other = row(MESSAGE, NOON, "1", body="hello!", as_of=3)
        for one in (early, late, other):
            account.messages(self.entries(one))
        account.digests.clear()
        account.write(self.bucket)
        code, said, _ = self.run_reader(account, "digest")
        self.assertEqual((code, "NOT EQUAL" in said), (4, True))
        self.assertIn("from 2 rows", said)
        # "hello" has as-of 4 once joined, so it is the later text, whichever row stays.
        lines, _ = self.restored(account, code=4)
        self.assertEqual([(m["text"], m["place"], [v["text"] for v in m["versions"]]) for m in lines], [("hello", 5, ["hello!"])])


class Broken(Case):
    def setUp(self):
        super().setUp()
        self.one = self.account()
        photo = attached(B(PHOTO), len(PHOTO), "a.png")
        rows = [row(MESSAGE, NOON + n, f"{n}", body=f"{n} " + "y" * 1_000, **dict(attachments=photo) if n == 5 else {})
                for n in range(100)]
        self.one.messages(self.entries(*rows[:50]))
        self.one.messages(self.entries(*rows[50:]))
        self.one.messages(self.entries(row(MESSAGE, NOON, "timed", body="timed", expires_at=NOON + 9), chat="timed"), last_day=100)
        self.one.file(PHOTO)
        self.chunk_pack = self.one.chunks().hex()
        self.one.write(self.bucket)

    def test_the_sound_one_is_read_in_full(self):
        self.assertEqual(len(self.restored(self.one)[0]), 101)

    def test_messages_with_a_timer_are_left_out_unless_asked_for(self):
        self.assertEqual(len(self.restored(self.one, timed=())[0]), 100)

    def test_another_key_opens_nothing(self):
        code, _, errors = self.run_reader(self.one, key=bytes(20))
        self.assertEqual(code, 12)
        self.assertFalse((self.folder / "out").exists())

    def test_of_several_slots_the_one_that_the_roster_names_is_taken(self):
        slots = self.bucket / "slots"
        (named,) = slots.iterdir()
        name, content = named.name.rpartition("-")[0], named.read_bytes()
        for other in (f"{name}-9", f"{name}-10", f"{name}-01", f"{name}-x", name):
            (slots / other).write_bytes(bytes(512))
        self.assertEqual(len(self.restored(self.one)[0]), 101)
        # The right one under a name that is nobody's is not looked at.
        named.unlink()
        (slots / f"{name}-01").write_bytes(content)
        code, _, errors = self.run_reader(self.one, out="none")
        self.assertEqual(code, 4)
        self.assertIn(f"{name}-10", errors)

    def test_a_block_that_is_damaged_costs_its_rows_and_no_others(self):
        self.damage(self.one, self.one.runs[0].id.hex(), 300)
        lines, errors = self.restored(self.one, code=4)
        self.assertTrue(50 < len(lines) < 101, len(lines))
        self.assertIn(self.one.runs[0].id.hex(), errors)

    def test_a_run_that_is_missing_is_named(self):
        (self.bucket / self.one.address / self.one.runs[1].id.hex()).unlink()
        lines, errors = self.restored(self.one, code=4)
        self.assertEqual(len(lines), 51)
        self.assertIn(self.one.runs[1].id.hex(), errors)

    def test_a_run_whose_last_day_is_over_may_be_missing(self):
        (self.bucket / self.one.address / self.one.runs[2].id.hex()).unlink()
        self.assertEqual(len(self.restored(self.one)[0]), 100)
        self.assertEqual(self.run_reader(self.one, "digest")[0], 0)

    def test_bytes_in_the_padding_are_told(self):
        self.damage(self.one, self.one.runs[0].id.hex(), -1)
        lines, errors = self.restored(self.one, code=4)
        self.assertEqual(len(lines), 101)
        self.assertIn("padding", errors)

    def test_a_damaged_chunk_costs_its_file_alone(self):
        self.damage(self.one, self.chunk_pack, 100)
        lines, errors = self.restored(self.one, code=4)
        self.assertEqual(len(lines), 101)
        found = [m["attachments"][0] for m in lines if "attachments" in m]
        self.assertEqual([(a["state"], "path" in a) for a in found], [("missing", False)])
        self.assertEqual(list((self.folder / "out/media").iterdir()), [])
        self.assertIn("a.png", errors)

    def test_a_damaged_page_costs_the_runs_it_names(self):
        head = json.dumps(self.restored(self.one)[0])
        names = {p.name for p in (self.bucket / self.one.address).iterdir()} - {r.id.hex() for r in self.one.runs}
        pages = sorted(n for n in names - {self.chunk_pack, "head", "roster"})
        self.damage(self.one, pages[0], 40)
        lines, errors = self.restored(self.one, code=4, out="second")
        self.assertIn(pages[0], errors)
        self.assertLess(len(json.dumps(lines)), len(head))

    def test_no_account_without_its_head_or_roster(self):
        for name in ("head", "roster"):
            with self.subTest(name=name):
                self.damage(self.one, name, 400)
                code, _, errors = self.run_reader(self.one)
                self.assertEqual(code, 4)
                self.assertIn("cannot be opened", errors)
                self.assertFalse((self.folder / "out").exists())
                self.damage(self.one, name, 400)

    def test_rows_other_than_the_head_states_are_told(self):
        other = self.account()
        other.messages(self.entries(row(MESSAGE, NOON, "1", body="one")))
        other.digests[0][7] ^= 1
        other.write(self.bucket)
        code, said, _ = self.run_reader(other, "digest")
        self.assertEqual((code, "NOT EQUAL" in said), (4, True))
        lines, errors = self.restored(other, code=4)
        self.assertEqual(len(lines), 1)
        self.assertIn("head states", errors)

    def test_rows_out_of_order_are_not_taken_for_sound(self):
        other = self.account()
        rows = self.entries(*(row(MESSAGE, NOON + n, f"{n}", body="z") for n in (2, 1)))
        block = other._block(rows)
        other.message_blocks = lambda entries: [block]
        other.messages(rows)
        other.write(self.bucket)
        lines, errors = self.restored(other, code=4)
        self.assertEqual(lines, [])
        self.assertIn("out of order", errors)


if __name__ == "__main__":
    unittest.main()
