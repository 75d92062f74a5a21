"""What people did to messages: edits, reactions, deletions."""
from dataclasses import dataclass, replace

from ..derive import B
from ..row import MEDIA_DELETE, MEDIA_UNDELETE, OWN_DELETE, REACTION_ADD, REACTION_REMOVE, UNDELETE, Tag
from ..values import DELETED, Party, encode_fields
from .native import read_view, sender_field

I64_MIN = -(2**63)


def at(row):
    """When something was done: the act's own time, else the time it is shown at, else the export's."""
    sent = row.sent_at
    for time in (row.number(Tag.EDITED_AT), sent and sent.utc_ms, row.number(Tag.AS_OF)):
        if time is not None:
            return time
    return I64_MIN


def content_hash(row):
    """Orders contents written at one time, by everything that can differ."""
    left_out = (Tag.AS_OF, Tag.PLACE, Tag.SECONDS, Tag.ATTACHMENTS)
    return B(encode_fields({tag: value for tag, value in row.fields.items() if tag not in left_out}))


def reactions(acts):
    """Reactions as they stand, each person and emoji by its latest act: (by, native id, emoji)."""
    latest = {}
    for placed in acts:
        row = placed.row
        if row.kind not in (REACTION_ADD, REACTION_REMOVE):
            continue
        party, emoji = row.sender or Party(), row.text(Tag.EMOJI)
        if emoji is None:
            continue
        person = party.native_id if party.native_id is not None else party.name or ""
        shown = party.name if party.name is not None else party.native_id or ""
        act = (at(row), row.kind == REACTION_REMOVE, shown, (party.native_id is not None, party.native_id or ""))
        latest[person, emoji] = max(latest.get((person, emoji), act), act)
    standing = {(shown, id, emoji) for (_, emoji), (_, removed, shown, id) in latest.items() if not removed}
    return [(shown, id if known else None, emoji) for shown, (known, id), emoji in sorted(standing)]


@dataclass
class Grave:
    """An own deletion in force: the rows it names; in formats without ids, where it lies and what stood there."""

    ids: set
    spot: tuple | None


def named(row):
    """The ids an act names: its target, and the rows that are the same message."""
    more = row.fields.get(Tag.ROW_IDS, b"")
    ids = {more[i : i + 32] for i in range(0, len(more) - len(more) % 32, 32)}
    return ids | ({row.target} if row.target is not None else set())


def _in_force(acts, deletes, undoes):
    """Deletions of a kind in force. An undo that names the deletion, or the message at or after it, ends it."""
    undone = {}
    for placed in acts:
        if placed.row.kind == undoes:
            for id in named(placed.row):
                undone[id] = max(undone.get(id, I64_MIN), at(placed.row))
    for placed in sorted(acts, key=lambda placed: placed.id):
        row = placed.row
        if row.kind == deletes and placed.id not in undone:
            if not any(id in undone and undone[id] >= at(row) for id in named(row)):
                yield row


def graves(acts):
    return [Grave(named(row), _spot(row)) for row in _in_force(acts, OWN_DELETE, UNDELETE)]


def without_deleted_media(attachments, acts):
    """Attachments as they are shown: those whose content was deleted keep their name and have none."""
    gone = set()
    for row in _in_force(acts, MEDIA_DELETE, MEDIA_UNDELETE):
        named_contents = row.fields.get(Tag.CONTENTS, b"")
        gone |= {named_contents[i : i + 32] for i in range(0, len(named_contents) - len(named_contents) % 40, 40)}
    return [replace(one, hash=None, presence=DELETED) if one.hash in gone else one for one in attachments]


def _spot(row):
    strand, view = row.number(Tag.STRAND), row.value(Tag.VIEW, read_view)
    if strand is None or view is None:
        return None
    sender = sender_field(row.sender.name if row.sender else None)
    return strand, row.time, sender, row.number(Tag.PLACE) or 0, view.lines()
