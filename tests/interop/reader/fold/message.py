"""A message, and how it comes from the rows that are it."""
from collections import defaultdict
from dataclasses import dataclass, field, replace

from ..derive import B
from ..join import contents, is_version, join_attachments
from ..row import EDIT, SOURCE_DELETE, Tag
from ..values import or_none, read_ranges, read_reply
from . import acts

I64_MIN = -(2**63)


def has_ids(source):
    return source not in ("whatsapp", "meta", "irc")


@dataclass
class Message:
    id: bytes
    chat: object
    kind: int
    time: int
    place: int
    native: str
    sender: object
    sent_at: object
    text: str | None
    ranges: list
    reply: object
    forwarded_from: str | None
    via_bot: str | None
    attachments: list
    action: str | None
    extra: str | None
    row_ids: list
    reactions: list = field(default_factory=list)
    versions: list = field(default_factory=list)
    edited_at: int | None = None
    edited: bool = False
    deleted: bool = False
    expires_at: int | None = None

    @property
    def timed(self):
        return self.expires_at is not None


@dataclass
class Text:
    """A text that a message had; `rank` says which is shown."""

    rank: tuple
    at: int | None
    row: object


def base(chat, id, row_ids, row):
    sender = row.sender
    return Message(
        id, chat, row.kind, row.time, row.number(Tag.PLACE) or 0, row.native, sender, row.sent_at, row.body,
        row.value(Tag.RANGES, read_ranges) or [], row.value(Tag.REPLY_TO, read_reply), row.text(Tag.FORWARDED_FROM),
        row.text(Tag.VIA_BOT), row.attachments, row.text(Tag.ACTION), row.text(Tag.EXTRA), row_ids,
    )


def set_texts(message, texts):
    """Shows the last text, and keeps the others that differ, oldest first."""
    if not texts:
        message.text = None
        return
    *earlier, last = sorted(texts, key=lambda text: text.rank)
    shown, versions = last.row.body or "", []
    for text in earlier:
        body = text.row.body or ""
        if body and body != shown and all(body != other for _, other in versions):
            versions.append((text.at, body))
    message.text, message.ranges = last.row.body, last.row.value(Tag.RANGES, read_ranges) or []
    message.edited = last.rank[0] == 2 or bool(versions)
    message.edited_at, message.versions = last.row.number(Tag.EDITED_AT), versions


def fold_targets(chat, rows):
    """The messages of a chat whose source has ids: each from its rows and from all that name it."""
    own, about = defaultdict(list), defaultdict(list)
    for placed in rows:
        if placed.row.target is None:
            if placed.row.stands:
                own[placed.id].append(placed.row)
            continue
        for id in acts.named(placed.row):
            about[id].append(placed)
    dead = {id for grave in acts.graves([p for p in rows if p.row.target is not None]) for id in grave.ids}
    for id, mine in own.items():
        if id not in dead:
            yield from_target(chat, id, mine, about.get(id, []))


def from_target(chat, id, own, named):
    edits = [placed.row for placed in named if placed.row.kind == EDIT]
    texts = []
    for row in [*own, *edits]:
        edited_at, as_of = row.number(Tag.EDITED_AT), row.number(Tag.AS_OF)
        at = edited_at if edited_at is not None else as_of
        texts.append(Text((0, I64_MIN if at is None else at, acts.content_hash(row)), edited_at, row))
    message = base(chat, id, [id], min(own, key=lambda row: (row.time, row.encode())))
    message.attachments = acts.without_deleted_media(_latest_attachments(texts), named)
    set_texts(message, texts)
    message.edited |= message.edited_at is not None
    message.deleted = any(placed.row.kind == SOURCE_DELETE for placed in named)
    message.expires_at = min(own, key=lambda row: (row.time, row.encode())).number(Tag.EXPIRES_AT)
    message.reactions = acts.reactions(named)
    return message


def _latest_attachments(texts):
    """Files of the latest content; what it only refers to, an earlier one may have the bytes of."""
    lists = [text.row.attachments for text in sorted(texts, key=lambda text: text.rank, reverse=True)]
    lists = [items for items in lists if items]
    shown = list(lists[0]) if lists else []
    for items in lists[1:]:
        for i, (here, earlier) in enumerate(zip(shown, items)):
            if here.hash is None and earlier.hash is not None:
                shown[i] = earlier
    return [one for item in shown for one in contents(item)]


def from_entries(chat, entries, named, time, name):
    """A message of a source without ids, from the entries that are it and from what was done to it."""

    def age(e):
        return (e.open, e.as_of if e.open else 0, e.strand, e.unit, e.k, e.content, e.id)

    by_age = sorted(entries, key=age)
    public = by_age[0]
    texts = []
    for e in entries:
        if not e.is_deleted:
            at = e.as_of if e.open and e.is_edited else None
            texts.append(Text((int(e.is_edited), e.as_of, B((e.row.body or "").encode())), at, e.row))
    edited = any(text.rank[0] == 1 for text in texts)
    for placed in named:
        if placed.row.kind == EDIT and not is_version(placed.row):
            at = acts.at(placed.row)
            texts.append(Text((2, at, acts.content_hash(placed.row)), at, placed.row))
    attachments = []
    for e in by_age:
        attachments = join_attachments(attachments, e.row.attachments)
    message = base(chat, public.id, sorted({e.id for e in entries}), public.row)
    message.time, message.place = time, max(e.place for e in entries)
    shown = [one for item in attachments for one in contents(item)]
    message.attachments = acts.without_deleted_media(shown, named)
    set_texts(message, texts)
    message.edited |= edited
    message.deleted = any(e.is_deleted for e in entries) or any(p.row.kind == SOURCE_DELETE for p in named)
    ends = [e.row.number(Tag.EXPIRES_AT) for e in entries]
    message.expires_at = None if None in ends else max(ends)
    message.reactions = acts.reactions(named)
    if name is not None and message.sender is not None:
        message.sender = replace(message.sender, name=name)
    return message
