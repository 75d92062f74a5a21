"""Which rows of a bucket are one message."""
from collections import Counter, deque
from dataclasses import dataclass, field

from .native import DELETED, OMITTED

CELLS_MAX = COMPARISONS_MAX = 400_000
SAME, OPEN, OF_DELETED, LIKE_AT_CUT = 400, 100, 25, 40
COMPARED_CHARS = 200


@dataclass
class Piece:
    """Rows of one content and number, or a dead row that only a deletion names."""

    content: tuple
    k: int
    place: int
    as_of: int
    open: bool
    text: str | None
    media: bool
    grave: int | None


@dataclass(frozen=True, order=True)
class Sight:
    """What stood together: when the export was, contents in order, whether a cut may stand before it."""

    as_of: int
    lines: tuple
    at_cut: bool


@dataclass
class Slot:
    closed: tuple | None = None
    open: list = field(default_factory=list)
    texts: list = field(default_factory=list)
    media: bool = False
    pieces: list = field(default_factory=list)
    fixed_open: int = 0

    def contents(self):
        return [*([self.closed] if self.closed else []), *self.open]

    def holds(self, content):
        return content in self.contents()


@dataclass
class Copies:
    open: bool
    as_of: int
    pieces: list = field(default_factory=list)
    text: str | None = None
    media: bool = False


def percent(a, b):
    """Common pairs of neighbouring characters in percent of all, in whole numbers."""
    a, b = _pairs(a), _pairs(b)
    if not a or not b:
        return 100 if a == b else 0
    return 2 * (a & b).total() * 100 // (a.total() + b.total())


def _pairs(text):
    chars = [c for c in text if c not in "\u200e\u200f"][:COMPARED_CHARS]
    return Counter(zip(["\0", *chars], chars))


def deal(pieces, sights):
    """Deals the pieces out to messages: a list of piece numbers each, in order."""
    bucket = _Bucket(pieces)
    sights = [Sight(s.as_of, tuple(c for c in s.lines if c in bucket.copies), s.at_cut) for s in sights]
    # Open rows that no view shows are views of themselves.
    for content, copies in sorted(bucket.copies.items()):
        if copies.open:
            shown = max((s.lines.count(content) for s in sights), default=0)
            sights += [Sight(copies.as_of, (content,), False)] * (len(copies.pieces) - shown)
    sights = sorted({s for s in sights if any(bucket.copies[c].open for c in s.lines)})
    for sight in sights:
        bucket.learn(sight)
    for sight in sights:
        bucket.take(sight)
    return bucket.messages()


class _Bucket:
    def __init__(self, pieces):
        self.slots, self.copies, self.beside, self.here, self.comparisons = [], {}, {}, set(), 0
        graves = {}
        for i in sorted(range(len(pieces)), key=lambda i: (pieces[i].place, pieces[i].content, pieces[i].k)):
            piece = pieces[i]
            copies = self.copies.setdefault(piece.content, Copies(piece.open, piece.as_of))
            copies.open, copies.as_of = piece.open, min(copies.as_of, piece.as_of)
            copies.text = piece.text if copies.text is None else copies.text
            copies.media |= piece.media
            copies.pieces.append(i)
            if piece.open and piece.grave is None:
                continue
            slot = graves.get(piece.grave) if piece.grave is not None else None
            if slot is None:
                slot = Slot()
                self.slots.append(slot)
                if piece.grave is not None:
                    graves[piece.grave] = slot
            slot.texts += [piece.text] if piece.text is not None else []
            slot.media |= piece.media
            slot.pieces.append(i)
            if piece.open:
                slot.open.append(piece.content)
                slot.fixed_open += 1
            else:
                slot.closed = piece.content
        for copies in self.copies.values():
            copies.pieces.sort(key=lambda i: pieces[i].k)

    def whole(self, sight):
        """Contents of which a sight shows every copy."""
        return {c for c, n in Counter(sight.lines).items() if n >= len(self.copies[c].pieces)}

    def learn(self, sight):
        whole = self.whole(sight)
        for content in whole:
            if self.copies[content].open:
                self.beside.setdefault(content, set()).update(whole - {content})

    def take(self, sight):
        self.here = self.whole(sight)
        fits = len(sight.lines) * len(self.slots) <= CELLS_MAX
        aligned = self.align(sight) if fits else [None] * len(sight.lines)
        used, shown = {j for j in aligned if j is not None}, Counter(sight.lines)
        for content, j in zip(sight.lines, aligned):
            if j is not None:
                self.put(content, self.slots[j])
        new = []
        for i, content in enumerate(sight.lines):
            copies = self.copies[content]
            if not copies.open or aligned[i] is not None:
                continue
            placed = self.held(content) + sum(c == content for _, c in new)
            if placed >= min(shown[content], len(copies.pieces)):
                continue
            best = self.best_free(content, used, sight.at_cut)
            if best is not None:
                used.add(best)
                self.put(content, self.slots[best])
            else:
                new.append((next((j for j in reversed(aligned[:i]) if j is not None), None), content))
        first = next((j for j in aligned if j is not None), len(self.slots))
        for before, content in reversed(new):
            slot = Slot()
            self.slots.insert(first if before is None else before + 1, slot)
            self.put(content, slot)

    def held(self, content):
        return sum(slot.holds(content) for slot in self.slots)

    def put(self, content, slot):
        copies = self.copies[content]
        if copies.open and not slot.holds(content) and self.held(content) < len(copies.pieces):
            slot.open.append(content)
            slot.texts += [copies.text] if copies.text is not None else []
            slot.media |= copies.media

    def best_free(self, content, used, at_cut):
        if self.comparisons > COMPARISONS_MAX:
            return None
        self.comparisons += len(self.slots)
        found = [(self.worth(content, slot, at_cut), -j) for j, slot in enumerate(self.slots) if j not in used]
        found = [(worth, j) for worth, j in found if worth is not None]
        return -max(found)[1] if found else None

    def worth(self, content, slot, at_cut):
        """What a line is worth on a slot; None where it cannot be."""
        if slot.holds(content):
            return SAME
        copies = self.copies[content]
        if not copies.open:
            return None
        apart = self.here | self.beside.get(content, set())
        if any(c in apart or content in self.beside.get(c, ()) for c in slot.contents()):
            return None
        if content[0] == DELETED:
            return None if at_cut else OPEN + OF_DELETED
        if content[0] == OMITTED:
            caption = (copies.text or "").strip()
            equal = any(text.strip() == caption for text in slot.texts) or not caption and not slot.texts
            return OPEN + 100 if slot.media and equal else None
        like = 0 if copies.text is None else max((percent(copies.text, text) for text in slot.texts), default=0)
        return None if at_cut and like < LIKE_AT_CUT else OPEN + like

    def align(self, sight):
        """The slot of each line, both in order, for the best total."""
        worth = {content: [self.worth(content, slot, sight.at_cut) for slot in self.slots] for content in set(sight.lines)}
        rows, columns = len(sight.lines), len(self.slots)
        best = [[0] * (columns + 1) for _ in range(rows + 1)]
        for i, content in enumerate(sight.lines):
            for j, value in enumerate(worth[content]):
                matched = 0 if value is None else best[i][j] + value
                best[i + 1][j + 1] = max(best[i + 1][j], best[i][j + 1], matched)
        aligned, i, j = [None] * rows, rows, columns
        while i and j:
            if best[i][j] == best[i - 1][j]:
                i -= 1
            elif best[i][j] == best[i][j - 1]:
                j -= 1
            else:
                i, j = i - 1, j - 1
                aligned[i] = j
        return aligned

    def messages(self):
        """Gives each slot its rows: the k-th copy of a content to the k-th slot that holds it."""
        fixed = {i for slot in self.slots for i in slot.pieces}
        left = {content: deque(i for i in copies.pieces if i not in fixed)
                for content, copies in sorted(self.copies.items()) if copies.open}
        made = []
        for slot in self.slots:
            message = list(slot.pieces)
            for content in slot.open[slot.fixed_open :]:
                if left[content]:
                    message.append(left[content].popleft())
            made.append(message)
        # Nothing is lost, whatever a view said.
        return [message for message in made if message] + [[i] for rest in left.values() for i in rest]
