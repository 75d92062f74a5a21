"""Values inside a row's fields (format 3.2). What does not decode reads as absent."""
from dataclasses import dataclass, field

from .bytes import Reader, as_fields, as_list, as_number, as_text, whole
from .derive import lp, svarint, uvarint
from .refused import Refused

ATTACHMENTS_MAX, RANGES_MAX = 1_024, 8_192
PRECISIONS = ("minute", "second", "ms", "us", "ns")
ZONES = ("explicit", "assumed", "unknown")
ROLES = ("photo", "video", "voice", "file", "sticker", "contact", "location", "gif")
PRESENCES = ("present", "omitted", "expired", "missing", "deleted")
PRESENT, MISSING, DELETED = 0, 3, 4


def encode_fields(fields):
    return b"".join(uvarint(tag) + lp(value) for tag, value in sorted(fields.items()))


def encode_list(items):
    return uvarint(len(items)) + b"".join(map(lp, items))


def _text(fields, tag):
    value = fields.pop(tag, None)
    return None if value is None else as_text(value)


def _number(fields, tag):
    value = fields.pop(tag, None)
    return None if value is None else as_number(value)


def _index(fields, tag, words):
    n = _number(fields, tag)
    if n is None or not 0 <= n < len(words):
        raise Refused("a word of no known number")
    return n


def _encoded(rest, texts, numbers=()):
    fields = dict(rest)
    fields |= {tag: value.encode() if isinstance(value, str) else value for tag, value in texts if value}
    fields |= {tag: svarint(value) for tag, value in numbers if value is not None}
    return encode_fields(fields)


@dataclass
class Party:
    native_id: str | None = None
    name: str | None = None
    is_self: bool = False
    rest: dict = field(default_factory=dict)

    def encode(self):
        return _encoded(self.rest, ((1, self.native_id), (2, self.name)), ((3, 1 if self.is_self else None),))


def read_party(data):
    f = as_fields(data)
    return Party(_text(f, 1), _text(f, 2), (_number(f, 3) or 0) != 0, f)


@dataclass
class Stamp:
    utc_ms: int | None
    local_text: str | None
    offset_min: int | None
    zone: int
    precision: int


def read_stamp(data):
    f = as_fields(data)
    return Stamp(_number(f, 1), _text(f, 2), _number(f, 3), _index(f, 4, ZONES), _index(f, 5, PRECISIONS))


@dataclass
class Attachment:
    name: str | None
    mime: str | None
    size: int | None
    role: int
    presence: int
    hash: bytes | None
    source_ref: str | None
    rest: dict = field(default_factory=dict)

    def encode(self):
        texts = ((1, self.name), (2, self.mime), (6, self.hash), (7, self.source_ref))
        return _encoded(self.rest, texts, ((3, self.size), (4, self.role), (5, self.presence)))


def read_attachment(data):
    f = as_fields(data)
    name, mime = _text(f, 1), _text(f, 2)
    try:
        size = _number(f, 3)
    except Refused:
        size = None
    role, presence, hash = _index(f, 4, ROLES), _index(f, 5, PRESENCES), f.pop(6, None)
    if hash is not None and len(hash) != 32:
        raise Refused("a content's hash has 32 bytes")
    return Attachment(name, mime, None if size is None or size < 0 else size, role, presence, hash, _text(f, 7), f)


def read_attachments(data):
    return [read_attachment(item) for item in as_list(data, ATTACHMENTS_MAX)]


@dataclass
class Reply:
    native: str | None
    conversation: str | None
    quoted_text: str | None


def read_reply(data):
    f = as_fields(data)
    return Reply(_text(f, 1), _text(f, 2), _text(f, 3))


@dataclass
class Range:
    start: int
    len: int
    style: str
    value: str | None


def _range(r):
    start, length = r.uvarint(2**32 - 1), r.uvarint(2**32 - 1)
    return Range(start, length, r.text(r.left), r.text(r.left) if r.left else None)


def read_ranges(data):
    return [whole(_range, item) for item in as_list(data, RANGES_MAX)]


def or_none(read, data):
    if data is None:
        return None
    try:
        return read(data)
    except Refused:
        return None
