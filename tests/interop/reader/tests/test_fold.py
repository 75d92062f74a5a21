"""Folds rows of sources without ids, worked out by hand."""
import random
import unittest

from ..derive import B, lp, svarint, u8, uvarint
from ..derive import chat_id, event_id
from ..fold import messages
from ..fold.native import read_key, sender_field
from ..fold.slots import percent
from ..join import joined_rows
from ..row import (
    EDIT, IMPORT, MEDIA_DELETE, MEDIA_UNDELETE, MESSAGE, OWN_DELETE, VIEW, Chat, Placed, Row, Tag,
)
from ..values import DELETED, Attachment, Party, encode_list

KEY, DIGEST_KEY, CHAT = bytes(32), bytes([1]) * 32, Chat("whatsapp", "Family")
MINUTE = 60_000
TEN = 28_000_000 * MINUTE


def placed(kind, time, native, target=None, chat=CHAT, **named):
    values = {getattr(Tag, name.upper()): svarint(v) if isinstance(v, int) else v.encode() if isinstance(v, str) else v
              for name, v in named.items()}
    row = Row(kind, time, target, native, dict(sorted(values.items())))
    return Placed(chat, chat_id(KEY, chat.source, chat.conversation),
                  event_id(KEY, chat.source, chat.conversation, kind, native), row)


def view(*lines, first=False):
    runs = b"".join(c.encode() + B(text.encode())[:16] + uvarint(k) + uvarint(1) for c, text, k in lines)
    return u8(first) + uvarint(len(lines)) + runs


class Export:
    """Lines of one export as rows: (minute, sender, class, body); `body` of an E is its text, a D has none."""

    def __init__(self, lines, as_of, strand=TEN, chat=CHAT, zone=0):
        self.rows, counts, places, buckets = [], {}, {}, {}
        for minute, sender, cls, body in lines:
            unit = TEN + minute * MINUTE + zone * MINUTE
            normal = "" if cls == "D" else body
            k = counts[unit, sender, cls, normal] = counts.get((unit, sender, cls, normal), -1) + 1
            place = places[unit] = places.get(unit, -1) + 1
            native = f"{strand}/{unit}/{sender_field(sender)}/{cls}/{k}/={normal}"
            open_of = dict(as_of=as_of) if cls != "P" or chat.source == "meta" else {}
            self.rows.append(placed(MESSAGE, unit, native, None, chat, body=body, sender=Party(None, sender).encode(),
                                    place=place, **{"class": cls}, **open_of))
            buckets.setdefault((unit, sender), []).append((cls, normal, k))
        first = min(unit for unit, _ in buckets)
        for (unit, sender), lines in buckets.items():
            is_open = any(cls != "P" for cls, _, _ in lines) or chat.source == "meta"
            if is_open and (len(lines) > 1 or unit == first):
                value = view(*lines, first=unit == first)
                native = f"{strand}/{unit}/{sender_field(sender)}/V/{B(value).hex()[:32]}"
                self.rows.append(placed(VIEW, unit, native, None, chat, view=value, as_of=as_of))
        names = sorted({sender for _, sender in buckets})
        value = (svarint(first) + svarint(first) + svarint(as_of) + uvarint(len(self.rows)) + u8(0) + u8(0)
                 + uvarint(len(names)) + b"".join(lp(name.encode()) for name in names))
        self.rows.append(placed(IMPORT, 0, f"{strand}/import/{B(value).hex()[:32]}", None, chat, **{"import": value}))


def folded(*exports, more=()):
    """What the exports fold to, the same for every order of their rows."""
    rows = [row for export in exports for row in export.rows] + list(more)
    found = None
    for attempt in range(5):
        random.Random(attempt).shuffle(rows)
        again = list(messages(joined_rows(rows, KEY, DIGEST_KEY)))
        assert found is None or found == again, "the fold depends on the order of its rows"
        found = again
    return found


def shown(found):
    return [((m.time - TEN) // MINUTE, m.sender.name, m.text, [text for _, text in m.versions], m.deleted) for m in found]


class Fold(unittest.TestCase):
    def test_an_export_again_and_a_longer_one_add_only_what_is_new(self):
        lines = [(0, "Mum", "P", "cake?"), (0, "Ana", "P", "I do"), (0, "Ana", "P", "I do"), (1, "Ben", "P", "ok")]
        short, long = Export(lines[:3], 10), Export(lines, 20)
        self.assertEqual([(m.time, m.text) for m in folded(short)], [(TEN, "cake?"), (TEN, "I do"), (TEN, "I do")])
        self.assertEqual(len(folded(short, long, long)), 4)

    def test_edited_and_deleted_lines_fall_on_their_messages(self):
        before = Export([(0, "Ben", "P", "first of all"), (1, "Ben", "P", "meet at noon"), (1, "Ben", "P", "who brings cake")], 10)
        after = Export([(0, "Ben", "P", "first of all"), (1, "Ben", "E", "meet at one"), (1, "Ben", "D", "")], 20)
        self.assertEqual(shown(folded(before, after)), [
            (0, "Ben", "first of all", [], False), (1, "Ben", "meet at one", ["meet at noon"], False),
            (1, "Ben", "who brings cake", [], True),
        ])
        self.assertEqual([m.edited for m in folded(before, after)], [False, True, False])

    def test_lines_that_stood_together_are_never_one_message(self):
        export = Export([(0, "Ben", "P", "x"), (1, "Ben", "P", "meet at noon"), (1, "Ben", "E", "meet at noon!")], 10)
        self.assertEqual(len(folded(export)), 3)

    def test_a_message_deleted_in_a_first_minute_after_a_cut_takes_no_slot(self):
        before = Export([(0, "Ana", "P", "start of all"), (5, "Ben", "P", "long gone"), (5, "Ben", "P", "still here")], 10)
        cut = Export([(5, "Ben", "D", ""), (6, "Ana", "P", "later on")], 20)
        self.assertEqual([t for _, _, t, _, _ in shown(folded(before, cut)) if t], ["start of all", "long gone", "still here", "later on"])
        self.assertEqual(len(folded(before, cut)), 5)

    def test_strands_of_other_clocks_are_one_chat(self):
        lines = [(n * 7, "Ana" if n % 2 else "Ben", "P", f"text number {n}") for n in range(20)]
        home, away = Export(lines[:15], 10), Export(lines[5:], 20, strand=TEN + 35 * MINUTE + 60 * MINUTE, zone=60)
        self.assertEqual([(t, text) for t, _, text, _, _ in shown(folded(home, away))], [(n * 7, f"text number {n}") for n in range(20)])
        # Too little in common: both stay as they are.
        apart = Export([(n * 7, "Ana", "P", f"other {n}") for n in range(20)], 20, strand=TEN + 1)
        self.assertEqual(len(folded(home, apart)), 35)

    def test_two_names_of_one_person_become_one(self):
        lines = [(n, "Ana" if n % 2 else "+49 170", "P", f"text number {n}") for n in range(12)]
        renamed = [(n, s.replace("+49 170", "Ben / B"), c, b) for n, s, c, b in lines]
        found = folded(Export(lines, 10), Export(renamed, 20))
        self.assertEqual([(m.sender.name, m.text) for m in found], [(s, b) for _, s, _, b in lines])
        # One export that holds both names keeps them apart.
        both = Export([(90, "+49 170", "P", "I am here"), (91, "Ben / B", "P", "me too")], 30)
        self.assertEqual(len(folded(Export(lines, 10), Export(renamed, 20), both)), 12 + 6 + 2)

    def test_an_own_deletion_refuses_what_is_imported_again(self):
        before = Export([(0, "Ana", "P", "hello"), (1, "Ben", "P", "a secret word")], 10)
        message = folded(before)[1]
        tomb = placed(OWN_DELETE, TEN + MINUTE, "tomb", message.id, row_ids=message.id, strand=TEN, place=0, edited_at=5,
                      view=view(("P", "a secret word", 0)), sender=Party(None, "Ben").encode())
        edited = Export([(0, "Ana", "P", "hello"), (1, "Ben", "E", "a secret word, edited")], 20)
        self.assertEqual([m.text for m in folded(before, edited, more=[tomb])], ["hello"])
        # The rows themselves may be gone from the vault: the deletion alone refuses the later edit.
        self.assertEqual([m.text for m in folded(edited, more=[tomb])], ["hello"])

    def test_an_own_edit_is_the_last_word(self):
        export = Export([(0, "Ana", "P", "helo")], 10)
        id = folded(export)[0].id
        edit = placed(EDIT, TEN, "mine", id, body="hello", edited_at=TEN + 5)
        found = folded(export, more=[edit])[0]
        self.assertEqual((found.text, found.edited, found.edited_at, found.versions), ("hello", True, TEN + 5, [(None, "helo")]))

    def test_lines_that_are_all_open_keep_their_order(self):
        chat = Chat("meta", "inbox/x")
        before = Export([(0, "Ana", "P", "one"), (0, "Ana", "P", "two words"), (0, "Ana", "P", "three")], 10, 0, chat)
        after = Export([(0, "Ana", "P", "one"), (0, "Ana", "P", "two words more"), (0, "Ana", "P", "three")], 20, 0, chat)
        found = folded(before, after)
        self.assertEqual([(m.text, [v for _, v in m.versions]) for m in found],
                         [("one", []), ("two words more", ["two words"]), ("three", [])])
        before = Export([(0, "Ana", "P", "aaaa"), (0, "Ana", "P", "bbbb")], 10, 0, chat)
        after = Export([(0, "Ana", "P", "cccc"), (0, "Ana", "P", "dddd")], 20, 0, chat)
        found = folded(before, after)
        self.assertEqual([(m.text, [v for _, v in m.versions]) for m in found], [("cccc", ["aaaa"]), ("dddd", ["bbbb"])])


class Keys(unittest.TestCase):
    def test_a_key_has_one_form(self):
        key = read_key("-5/60000/=a%2Fb/E/3/=x/y")
        self.assertEqual((key.strand, key.unit, key.sender, key.k, key.clear), (-5, 60_000, "=a%2Fb", 3, "x/y"))
        self.assertEqual(sender_field("a/b"), "=a%2Fb")
        for bad in ("", "1", "01/2/~/P/0/=x", "+1/2/~/P/0/=x", "1/2/x/P/0/=x", "1/2/~/Q/0/=x", "1/2/~/P/-1/=x", "1/2/~/P/0/x",
                    "1/2/~/P/0/#12", "1/2/~/P/0/", "1/2/~/P/4294967296/=x", "1/2/~/P/0/=" + "x" * 513):
            self.assertIsNone(read_key(bad), bad)

    def test_likeness_is_in_whole_percent(self):
        self.assertEqual([percent("abc", "abc"), percent("", ""), percent("", "a"), percent("abc", "xyz")], [100, 100, 0, 0])
        self.assertEqual(percent("\u200ea", "a"), 100)
        self.assertEqual(percent("noon", "nooo"), 75)


    def test_attachments_deleted_by_themselves_keep_their_name_and_their_message(self):
        for chat in (CHAT, Chat("telegram", "group:1")):
            photos = [Attachment(name, None, 5, 0, 0, B(name.encode()), None) for name in ("a.jpg", "b.jpg")]
            native = "7" if chat.source == "telegram" else f"{TEN}/{TEN}/{sender_field('Mum')}/O/0/="
            sent = placed(MESSAGE, TEN, native, None, chat, body="look", sender=Party(None, "Mum").encode(),
                          attachments=encode_list([photo.encode() for photo in photos]), as_of=TEN, place=0)
            named = B(b"a.jpg") + (5).to_bytes(8, "little")
            gone = placed(MEDIA_DELETE, TEN, "gone", sent.id, chat, edited_at=10, contents=named)
            of = [[(one.name, one.hash is None, one.presence == DELETED) for one in m.attachments]
                  for m in folded(more=[sent, gone])]
            self.assertEqual(of, [[("a.jpg", True, True), ("b.jpg", False, False)]], chat)
            undo = {
                "names it": placed(MEDIA_UNDELETE, TEN, "undo", sent.id, chat, edited_at=5, row_ids=gone.id),
                "is later": placed(MEDIA_UNDELETE, TEN, "undo", sent.id, chat, edited_at=10),
            }
            for why, row in undo.items():
                [message] = folded(more=[sent, gone, row])
                self.assertEqual([one.hash for one in message.attachments], [one.hash for one in photos], why)
                self.assertEqual(message.text, "look")
            early = placed(MEDIA_UNDELETE, TEN, "early", sent.id, chat, edited_at=9)
            [message] = folded(more=[sent, gone, early])
            self.assertIsNone(message.attachments[0].hash)


if __name__ == "__main__":
    unittest.main()
