"""Rows, frames and blocks of messages (format 3.1 to 3.3)."""
from dataclasses import dataclass
from functools import cached_property

from .bytes import Reader, as_fields, as_number, as_text, whole
from .derive import chat_id, event_id, lp, svarint, uvarint
from .refused import Refused
from .values import encode_fields, or_none, read_attachments, read_party, read_stamp
from .zstd import unpack

KIND_MAX, NATIVE_MAX, ROW_MAX = 65_535, 2_048, 24 << 10
SOURCE_MAX, CONVERSATION_MAX, FRAME_MAX = 64, 1_024, 64 << 10
BLOCK_FRAMES_MAX = 1 << 16

MESSAGE, SYSTEM, CALL, POLL, PIN = 1, 2, 3, 4, 5
EDIT, SOURCE_DELETE, OWN_DELETE, UNDELETE, REACTION_ADD, REACTION_REMOVE, READ_MARK = range(16, 23)
SAME_AS, VIEW, IMPORT, SNAPSHOT, SETTING = 23, 32, 33, 34, 35
MEDIA_DELETE, MEDIA_UNDELETE = 24, 25


class Tag:
    BODY, SENDER, SENT_AT, RECEIVED_AT, SERVER_AT, EDITED_AT, EXPIRES_AT = range(1, 8)
    RANGES, REPLY_TO, FORWARDED_FROM, THREAD_ROOT, VIA_BOT, ATTACHMENTS, EXTRA, RAW = range(8, 16)
    SOURCE_ID, EMOJI, ACTION, ROW_IDS, SETTING, LONG_BODY, LONG_EXTRA, TITLE, COUNTS, RECEIPTS, CONTENTS = range(16, 27)
    PLACE, AS_OF, SECONDS, CLASS, VIEW, IMPORT, STRAND = range(40, 47)


@dataclass(frozen=True)
class Chat:
    source: str
    conversation: str


@dataclass
class Row:
    kind: int
    time: int
    target: bytes | None
    native: str
    fields: dict

    @property
    def stands(self):
        return MESSAGE <= self.kind <= PIN

    def encode(self, without=()):
        target = b"\0" if self.target is None else b"\1" + self.target
        fields = encode_fields({tag: value for tag, value in self.fields.items() if tag not in without})
        return uvarint(self.kind) + svarint(self.time) + target + lp(self.native.encode()) + fields

    # A field that cannot be read stands for nothing: rows of other versions are no reason to lose a message.
    def value(self, tag, read):
        return or_none(read, self.fields.get(tag))

    def text(self, tag):
        return self.value(tag, as_text)

    def number(self, tag):
        return self.value(tag, as_number)

    @property
    def body(self):
        return self.text(Tag.BODY)

    @cached_property
    def sender(self):
        return self.value(Tag.SENDER, read_party)

    @cached_property
    def sent_at(self):
        return self.value(Tag.SENT_AT, read_stamp)

    @cached_property
    def attachments(self):
        return self.value(Tag.ATTACHMENTS, read_attachments) or []


def read_row(data):
    if len(data) > ROW_MAX:
        raise Refused("a row is longer than rows may be")
    r = Reader(data)
    kind, time = r.uvarint(KIND_MAX), r.svarint()
    target = r.take(32) if r.flag() else None
    return Row(kind, time, target, r.text(NATIVE_MAX), as_fields(r.rest()))


@dataclass
class Placed:
    """A row with its chat, its ids and its arrival."""

    chat: Chat
    chat_id: bytes
    id: bytes
    row: Row
    arrival: int = 0

    @property
    def key(self):
        row = self.row
        return (self.chat_id, row.time, self.id if row.target is None else row.target, row.kind, self.id)


def read_frame(event_key, data):
    r = Reader(data)
    chat = Chat(r.text(SOURCE_MAX), r.text(CONVERSATION_MAX))
    id, rows = chat_id(event_key, chat.source, chat.conversation), []
    while r.left:
        arrival, row = r.uvarint(), read_row(r.lp(ROW_MAX))
        own = event_id(event_key, chat.source, chat.conversation, row.kind, row.native)
        rows.append(Placed(chat, id, own, row, arrival))
    if not rows:
        raise Refused("a frame holds no row")
    return rows


def read_block(event_key, data):
    """The rows of a block, in the order of their keys."""

    def frames(r):
        return [unpack(r.lp(r.left), FRAME_MAX) for _ in range(r.uvarint(BLOCK_FRAMES_MAX))]

    read = [read_frame(event_key, frame) for frame in whole(frames, data)]
    if any(a[0].chat_id >= b[0].chat_id for a, b in zip(read, read[1:])):
        raise Refused("a block has one frame for each chat, in the order of their ids")
    rows = [row for frame in read for row in frame]
    check_order(rows)
    return rows


def check_order(rows):
    keys = [row.key for row in rows]
    if any(a >= b for a, b in zip(keys, keys[1:])):
        raise Refused("rows are out of order")
