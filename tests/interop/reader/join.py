"""Makes one row of the rows that have one key (format 3.4)."""
from .bytes import as_number
from .derive import event_id
from .digest import rank
from .row import EDIT, NATIVE_MAX, Placed, Row, Tag
from .values import (
    Attachment, Party, encode_list, or_none, read_attachments, read_party, read_stamp,
)

ALSO, ALSO_MAX = 64, 64
MARK, MARK_HEX = "\x1f", 32
# Where a field joins: among all rows of one key, or only among those that are equal but for such fields.
OF_KEY, OF_CORE = "key", "core"
WITH_IDS = {
    Tag.PLACE: OF_KEY, Tag.SECONDS: OF_KEY, Tag.AS_OF: OF_CORE, Tag.EXPIRES_AT: OF_CORE, Tag.ATTACHMENTS: OF_CORE,
}
WITH_CLASS = {
    Tag.PLACE: OF_KEY, Tag.SECONDS: OF_KEY, Tag.AS_OF: OF_KEY, Tag.EXPIRES_AT: OF_CORE, Tag.ATTACHMENTS: OF_KEY,
    Tag.SENT_AT: OF_KEY, Tag.SENDER: OF_KEY,
}


def is_version(row):
    """Whether joining made this edit, not a person."""
    return row.kind == EDIT and MARK in row.native


def joined_rows(rows, event_key, digest_key):
    """Rows in any order as rows whose keys differ, by key."""
    waiting, done = list(rows), {}
    while waiting:
        placed = waiting.pop()
        before = done.get(placed.key)
        if before is None or before.row.encode() == placed.row.encode():
            done[placed.key] = before or placed
            continue
        kept, version = join(before, placed, digest_key)
        chat = placed.chat
        done[placed.key] = Placed(chat, placed.chat_id, placed.id, kept, min(before.arrival, placed.arrival))
        if version is not None:
            own = event_id(event_key, chat.source, chat.conversation, EDIT, version.native)
            waiting.append(Placed(chat, placed.chat_id, own, version, max(before.arrival, placed.arrival)))
    return [done[key] for key in sorted(done)]


def join(a, b, digest_key):
    """The row that stays, and the version the other becomes if their cores differ."""
    chat = a.chat
    cores = [p.row.encode(_scopes(p.row)) for p in (a, b)]
    ranks = [rank(digest_key, chat.source, chat.conversation, core) for core in cores]
    if cores[0] == cores[1]:
        return _filled(a.row, a.row, b.row, (OF_KEY, OF_CORE)), None
    stays, goes, mark = (a, b, ranks[1]) if (ranks[0], cores[0]) < (ranks[1], cores[1]) else (b, a, ranks[0])
    kept = _filled(_filled(stays.row, stays.row, stays.row, (OF_CORE,)), a.row, b.row, (OF_KEY,), bare=False)
    version = _filled(goes.row, goes.row, goes.row, (OF_CORE,))
    fits = len(goes.row.native.encode()) + 1 + MARK_HEX <= NATIVE_MAX
    version.kind, version.target = EDIT, goes.id if goes.row.target is None else goes.row.target
    version.native = (goes.row.native if fits else "") + MARK + mark.hex()[:MARK_HEX]
    return kept, version


def _scopes(row):
    return WITH_CLASS if Tag.CLASS in row.fields else WITH_IDS


def _filled(row, a, b, scopes, bare=True):
    """The row's core, with the fields of these scopes as a and b together have them."""
    fields = {t: v for t, v in row.fields.items() if not bare or t not in _scopes(row)}
    for tag, scope in (*_scopes(a).items(), *_scopes(b).items()):
        both = [other.fields[tag] for other in (a, b) if tag in other.fields]
        if tag == Tag.EXPIRES_AT and len(both) == 1:
            continue  # What any source has without a timer stays.
        if scope in scopes and both:
            fields[tag] = both[0] if both[0] == both[-1] else _join_field(tag, *both)
    return Row(row.kind, row.time, row.target, row.native, dict(sorted(fields.items())))


def _join_field(tag, a, b):
    numbers = [or_none(as_number, value) for value in (a, b)]
    if tag == Tag.PLACE:
        return max((n is not None, n or 0, value) for n, value in zip(numbers, (a, b)))[2]
    if tag in (Tag.AS_OF, Tag.SECONDS, Tag.EXPIRES_AT):
        return min((n is None, n or 0, value) for n, value in zip(numbers, (a, b)))[2]
    if tag == Tag.SENT_AT:
        # The one that knows the instant, then the finer; of equals the smaller bytes.
        ranks = [(s is not None, s and s.utc_ms is not None, s and s.precision)
                 for s in (or_none(read_stamp, value) for value in (a, b))]
        return min(a, b) if ranks[0] == ranks[1] else (a if ranks[0] > ranks[1] else b)
    if tag == Tag.SENDER:
        parties = [or_none(read_party, value) for value in (a, b)]
        if None not in parties:
            return _join_parties(*parties).encode()
        return max((party is not None, value) for party, value in zip(parties, (a, b)))[1]
    if tag == Tag.ATTACHMENTS:
        lists = [or_none(read_attachments, value) or [] for value in (a, b)]
        if all(lists):
            return encode_list([it.encode() for it in join_attachments(*lists)])
        return max((bool(items), value) for items, value in zip(lists, (a, b)))[1]
    raise AssertionError("every joined field is one of these")


def _join_parties(a, b):
    return Party(_smaller(a.native_id, b.native_id), _smaller(a.name, b.name), a.is_self or b.is_self,
                 _join_rest(a.rest, b.rest))


def join_attachments(a, b):
    """Place by place; the longer list keeps its tail."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    joined = [_join_place(x, y) for x, y in zip(longer, shorter)]
    return joined + longer[len(shorter) :]


def _join_place(a, b):
    """A reference without bytes yields to contents; contents are united, the smallest hash first."""
    left, right = _by_hash(a), _by_hash(b)
    if not left and not right:
        return _join_same(a, b)
    all = dict(left)
    for hash, item in right.items():
        all[hash] = _join_same(all[hash], item) if hash in all else item
    kept = [all[hash] for hash in sorted(all)[: ALSO_MAX]]
    first = kept[0]
    rest = {tag: value for tag, value in first.rest.items() if tag != ALSO}
    if kept[1:]:
        rest[ALSO] = encode_list([item.encode() for item in kept[1:]])
    return Attachment(first.name, first.mime, first.size, first.role, first.presence, first.hash, first.source_ref, rest)


def _by_hash(place):
    if place.hash is None:
        return {}
    found = {}
    for item in or_none(read_attachments, place.rest.get(ALSO)) or []:
        item.rest.pop(ALSO, None)
        if item.hash is not None:
            found[item.hash] = item
    rest = {tag: value for tag, value in place.rest.items() if tag != ALSO}
    first = Attachment(place.name, place.mime, place.size, place.role, place.presence, place.hash, place.source_ref, rest)
    found[place.hash] = _join_same(first, found[place.hash]) if place.hash in found else first
    return found


def contents(attachment):
    """The contents that were seen in an attachment's place, one attachment each."""
    found = _by_hash(attachment)
    return [found[hash] for hash in sorted(found)] or [attachment]


def _join_same(a, b):
    sizes = [size for size in (a.size, b.size) if size is not None]
    return Attachment(
        _smaller(a.name, b.name), _smaller(a.mime, b.mime), max(sizes, default=None), min(a.role, b.role),
        min(a.presence, b.presence), a.hash or b.hash, _smaller(a.source_ref, b.source_ref), _join_rest(a.rest, b.rest),
    )


def _join_rest(a, b):
    return {tag: max(m[tag] for m in (a, b) if tag in m) for tag in a.keys() | b.keys()}


def _smaller(a, b):
    """Fills in what one side lacks; where both have it, the smaller in the order of UTF-8."""
    both = [text for text in (a, b) if text is not None]
    return min(both, key=str.encode, default=None)
