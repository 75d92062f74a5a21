"""Writes messages as JSON Lines (format 9)."""
import json
from datetime import datetime, timedelta
from itertools import groupby

from blake3 import blake3

from .derive import CONTEXT, u64
from .row import CALL, MESSAGE, PIN, POLL, SYSTEM
from .values import MISSING, PRECISIONS, PRESENCES, PRESENT, ROLES, ZONES

DERIVED_IDS = ("whatsapp", "meta", "irc", "sms")
KINDS = {MESSAGE: "message", SYSTEM: "system", CALL: "call", POLL: "poll", PIN: "pin"}
MS_MIN, MS_MAX = -62_135_596_800_000, 253_402_300_799_999
ENDING_CHARS_MAX = 8
ENDINGS = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "video/mp4": "mp4",
    "audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/mp4": "m4a", "application/pdf": "pdf", "text/vcard": "vcf",
    "text/x-vcard": "vcf", "text/plain": "txt",
}


class Number(float):
    """A number of a JSON text, which keeps the digits it had."""

    def __new__(cls, text):
        made = super().__new__(cls, 0)
        made.text = text
        return made


ESCAPES = {c: f"\\u{c:04x}" for c in range(0x20)} | {ord(c): "\\" + e for c, e in zip('"\\\n\r\t', '"\\nrt')}


def quote(text):
    """A JSON string; only quote, backslash and control characters are escaped."""
    return '"' + text.translate(ESCAPES) + '"'


def canonical(value):
    """Keys in order, no white space, numbers as they stood."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{quote(k)}:{canonical(v)}" for k, v in sorted(value.items())) + "}"
    return {None: "null", True: "true", False: "false"}[value]


def _no_constant(_):
    raise ValueError


def extra_json(text):
    """The canonical form of what should be JSON; kept as a text where it is not."""
    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_no_constant)
        made = canonical(value)
        made.encode()
        return made
    except (ValueError, RecursionError):
        return quote(text)


def iso(ms, is_utc):
    if MS_MIN <= ms <= MS_MAX:
        time = datetime(1970, 1, 1) + timedelta(milliseconds=ms)
        text = time.isoformat(timespec="milliseconds")
    else:
        text = f"@{ms}"
    return text + "Z" if is_utc else text


def line_id(source, native):
    if source not in DERIVED_IDS and not native.startswith("content:"):
        return native
    said = u64(len(source.encode())) + source.encode() + native.encode()
    return blake3(said, derive_key_context=CONTEXT + "line id").hexdigest()[:32]


class Object:
    """A JSON object in the order it is written; what is None is left out."""

    def __init__(self):
        self.parts = []

    def raw(self, **values):
        self.parts += [f'"{key}":{value}' for key, value in values.items() if value is not None]
        return self

    def put(self, **values):
        return self.raw(**{key: None if value is None else self.json(value) for key, value in values.items()})

    def nullable(self, key, value):
        self.parts.append(f'"{key}":{self.json(value)}')
        return self

    def list(self, key, objects):
        objects = [str(one) for one in objects]
        return self.raw(**{key: "[" + ",".join(objects) + "]"}) if objects else self

    @staticmethod
    def json(value):
        return quote(value) if isinstance(value, str) else json.dumps(value)

    def __str__(self):
        return "{" + ",".join(self.parts) + "}"


def media_path(attachment):
    """The path in an export of an attachment's bytes."""
    ending = (attachment.name or "").rpartition(".")
    ending = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in ending[2]) if ending[1] else ""
    if not (1 <= len(ending) <= ENDING_CHARS_MAX and ending.isascii() and ending.isalnum()):
        ending = ENDINGS.get(attachment.mime or "", "bin")
    return f"media/{attachment.hash.hex()}.{ending}"


def line(m, title, written):
    """One message. `written(attachment)` gives path and size of bytes that are in the export, or None."""
    out, stamp = Object(), m.sent_at
    out.put(id=line_id(m.chat.source, m.native), chat=m.chat.conversation)
    is_system, party = m.kind in (SYSTEM, PIN), m.sender
    shown = party and (party.native_id if party.native_id is not None else party.name)
    out.nullable("sender", None if is_system else shown)
    out.put(ts=iso(m.time, stamp is not None and stamp.utc_ms is not None), chat_name=title)
    if party:
        out.put(**dict(actor=shown, actor_name=party.name) if is_system else dict(sender_name=party.name))
        if party.name is None or party.name == party.native_id:
            out.put(sender_id=party.native_id)
        out.put(sender_self=party.is_self or None)
    out.put(text=m.text or None)
    if m.reply:
        if m.reply.native is not None:
            id = line_id(m.chat.source, m.reply.native)
            out.put(reply_to=id, reply_native=None if m.reply.native == id else m.reply.native)
        out.put(reply_chat=m.reply.conversation, reply_text=m.reply.quoted_text)
    out.put(edited_at=None if m.edited_at is None else iso(m.edited_at, True))
    out.put(edited=m.edited if m.edited != (m.edited_at is not None) else None, deleted=m.deleted or None)
    out.put(expires_at=None if m.expires_at is None else iso(m.expires_at, True))
    out.list("reactions", (Object().put(by=by, by_id=id, emoji=emoji) for by, id, emoji in m.reactions))
    out.list("attachments", [_attachment(item, written(m, item)) for item in m.attachments])
    out.put(source=m.chat.source, native=m.native, kind=KINDS[m.kind], action=m.action)
    if stamp:
        out.put(local_time=stamp.local_text, precision=PRECISIONS[stamp.precision], tz_source=ZONES[stamp.zone],
                offset_min=stamp.offset_min,
                utc=None if stamp.utc_ms in (None, m.time) else iso(stamp.utc_ms, True))
    out.list("versions", (Object().nullable("at", None if at is None else iso(at, True)).put(text=text)
                          for at, text in m.versions))
    out.list("ranges", (Object().put(start=r.start, len=r.len, style=r.style, value=r.value) for r in m.ranges))
    out.put(forwarded=m.forwarded_from, via_bot=m.via_bot, place=m.place or None)
    out.raw(extra=None if m.extra is None else extra_json(m.extra))
    return str(out)


def _attachment(it, written):
    left_out = it.presence == PRESENT and it.hash is not None and written is None
    return Object().put(
        name=it.name, mime=it.mime, size=written[1] if written else it.size, path=written and written[0],
        blake3=it.hash and it.hash.hex(), role=ROLES[it.role], state=PRESENCES[MISSING if left_out else it.presence],
        source_ref=it.source_ref,
    )


def in_order(messages):
    """By chat, time and line id; messages come by chat and time already."""
    for _, moment in groupby(messages, key=lambda m: (m.chat.conversation, m.chat.source, m.time)):
        yield from sorted(moment, key=lambda m: (line_id(m.chat.source, m.native), m.native))
