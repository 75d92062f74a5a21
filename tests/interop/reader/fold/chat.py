"""Folds a whole chat of a source without ids."""
from collections import defaultdict
from dataclasses import dataclass, field

from ..row import IMPORT, VIEW, Tag
from . import acts, clock, names, slots
from .message import I64_MIN, from_entries, from_target
from .native import DELETED, EDITED, is_open, read_import, read_key, read_view, read_view_key, sender_field


@dataclass
class Entry:
    """A message row with what its key says."""

    id: bytes
    row: object
    strand: int
    unit: int
    sender: str
    content: tuple
    k: int
    open: bool
    place: int
    as_of: int
    chars: int

    @property
    def key(self):
        return (self.strand, self.unit, self.sender, self.content, self.k)

    @property
    def is_deleted(self):
        return self.content[0] == DELETED

    @property
    def is_edited(self):
        return self.content[0] == EDITED


@dataclass
class Sorted:
    """The rows of a chat, sorted out."""

    entries: list = field(default_factory=list)
    views: list = field(default_factory=list)
    imports: list = field(default_factory=list)
    acts: dict = field(default_factory=lambda: defaultdict(list))
    strange: list = field(default_factory=list)


def _or(n, default):
    return default if n is None else n


def sort_out(source, rows):
    found = Sorted()
    for placed in sorted(rows, key=lambda p: (p.id, p.row.kind, p.row.encode())):
        row = placed.row
        if row.target is not None:
            found.acts[row.target].append(placed)
        elif row.stands:
            key = read_key(row.native)
            if key is None:
                found.strange.append(placed)
                continue
            found.entries.append(Entry(
                placed.id, row, key.strand, key.unit, key.sender, key.content, key.k, is_open(key.content[0], source),
                row.number(Tag.PLACE) or 0, _or(row.number(Tag.AS_OF), I64_MIN),
                3 if key.clear is None else min(3, len(key.clear)),
            ))
        elif row.kind == VIEW:
            key, view = read_view_key(row.native), row.value(Tag.VIEW, read_view)
            if key and view:
                found.views.append((*key, _or(row.number(Tag.AS_OF), I64_MIN), view))
        elif row.kind == IMPORT:
            value = row.value(Tag.IMPORT, read_import)
            if value:
                found.imports.append(value)
    found.entries.sort(key=lambda e: e.key)
    return found


@dataclass
class Bucket:
    """Rows of one group, unit and sender: entries of each content and number, what was seen together, graves."""

    rows: dict = field(default_factory=lambda: defaultdict(list))
    sights: list = field(default_factory=list)
    graves: list = field(default_factory=list)


def fold_chat(chat, rows):
    found = sort_out(chat.source, rows)
    spots, clocks = clock.link(chat.source, found.entries)
    one_name = names.one_names(chat.source, found, spots)
    graves = acts.graves([placed for list in found.acts.values() for placed in list])
    dead = {id: g for g, grave in enumerate(graves) for id in grave.ids}
    messages = []
    for (_, unit, _), bucket in sorted(_buckets(found, spots, clocks, one_name, graves).items()):
        for entries in _deal(chat.source, bucket, graves, dead):
            name = next((one_name[e.row.sender.name] for e in entries
                         if e.row.sender and e.row.sender.name in one_name), None)
            messages.append(from_entries(chat, entries, _acts(found, {e.id for e in entries}), unit, name))
    for placed in found.strange:
        if placed.id not in dead:
            messages.append(from_target(chat, placed.id, [placed.row], _acts(found, {placed.id})))
    return messages


def _acts(found, ids):
    return [placed for id in sorted(ids) for placed in found.acts.get(id, ())]


def _buckets(found, spots, clocks, one_name, graves):
    fields = {sender_field(name): sender_field(one) for name, one in one_name.items()}
    buckets, since = defaultdict(Bucket), {}
    at = {entry.key: spot for entry, spot in zip(found.entries, spots)}
    for entry, spot in zip(found.entries, spots):
        since[spot.group] = min(since.get(spot.group, spot.unit), spot.unit)
        bucket = buckets[spot.group, spot.unit, fields.get(entry.sender, entry.sender)]
        bucket.rows[entry.content, spot.k].append(entry)
    for strand, unit, sender, as_of, view in found.views:
        # The lines of one view may lie in two units by the group's clock: each bucket gets its part.
        parts = defaultdict(list)
        for content, k in view.lines():
            spot = at.get((strand, unit, sender, content, k))
            if spot:
                parts[spot.group, spot.unit, fields.get(sender, sender)].append(content)
        for place, lines in parts.items():
            at_cut = view.first_unit and place[0] in since and since[place[0]] < place[1]
            buckets[place].sights.append(slots.Sight(as_of, tuple(lines), at_cut))
    for g, grave in enumerate(graves):
        if grave.spot:
            strand, unit, sender, place, held = grave.spot
            group, unit = clocks.unit(strand, unit)
            buckets[group, unit, fields.get(sender, sender)].graves.append((g, place, held))
    return buckets


def _deal(source, bucket, graves, dead):
    """Lists of entries that are one message each; those of a deletion are left out."""
    rows, pieces = sorted(bucket.rows.items(), key=lambda item: item[0]), []
    for (content, k), entries in rows:
        named = [dead[e.id] for e in entries if e.id in dead]
        named += [g for g, _, held in bucket.graves if (content, k) in held]
        texts = [e.row.body for e in entries if e.row.body is not None]
        pieces.append(slots.Piece(
            content, k, max(e.place for e in entries), min(e.as_of for e in entries), any(e.open for e in entries),
            min(texts, default=None), any(e.row.attachments for e in entries), named[0] if named else None,
        ))
    for g, place, held in bucket.graves:
        for content, k in held:
            if (content, k) not in bucket.rows:
                pieces.append(slots.Piece(content, k, place, I64_MIN, is_open(content[0], source), None, False, g))
    if any(p.open or p.grave is not None for p in pieces):
        dealt = slots.deal(pieces, bucket.sights)
    else:
        dealt = [[i] for i in range(len(pieces))]
    for message in dealt:
        entries = [e for i in message if i < len(rows) for e in rows[i][1]]
        if entries and all(pieces[i].grave is None for i in message):
            yield entries
