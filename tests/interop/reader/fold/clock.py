"""Brings the strands of a chat to one clock."""
import bisect
import heapq
from collections import Counter
from dataclasses import dataclass, field

from ..derive import B
from .native import DELETED, is_open

MINUTE = 60_000
SAMPLE_MAX, UNITS_MAX, MATCHES_MAX = 65_536, 24, 4_096
ANCHOR_CHARS = 3
NEAR = 90 * MINUTE


@dataclass(frozen=True)
class Spot:
    """Where an entry stands by its group's clock."""

    group: int
    unit: int
    k: int


@dataclass
class Seen:
    units: list
    anchor: bool
    often: bool = False

    @property
    def only_unit(self):
        return self.units[0] if self.anchor and not self.often and len(self.units) == 1 else None


class Sample:
    """Texts by hash; above the limit the smallest hashes stay."""

    def __init__(self):
        self.seen, self.largest = {}, []

    def note(self, hash, unit, anchor):
        seen = self.seen.get(hash)
        if seen:
            seen.anchor &= anchor
            if unit not in seen.units:
                if len(seen.units) < UNITS_MAX:
                    seen.units.append(unit)
                else:
                    seen.often = True
            return
        if len(self.seen) >= SAMPLE_MAX:
            if hash > -self.largest[0]:
                return
            del self.seen[-heapq.heappop(self.largest)]
        self.seen[hash] = Seen([unit], anchor)
        heapq.heappush(self.largest, -hash)


class Sketch:
    """The texts of a strand, and its triples of successive closed texts, with their times."""

    def __init__(self, source):
        self.source, self.bodies, self.triples = source, Sample(), Sample()
        self.before, self.span = [], None

    def add(self, unit, content, chars):
        self.span = (unit, unit) if self.span is None else (min(self.span[0], unit), max(self.span[1], unit))
        if content[0] == DELETED:
            return
        closed = not is_open(content[0], self.source)
        text = content[1][:8]
        self.bodies.note(int.from_bytes(text, "little"), unit, closed and chars >= ANCHOR_CHARS)
        if closed:
            if len(self.before) == 2:
                (a, unit_a), (b, unit_b) = self.before
                gaps = b"".join(n.to_bytes(8, "little", signed=True) for n in (unit_b - unit_a, unit - unit_b))
                self.triples.note(int.from_bytes(B(a + b + text + gaps)[:8], "little"), unit_a, True)
                self.before.pop(0)
            self.before.append((text, unit))

    def anchors(self, known):
        """(unit, shift) of all that stands at one time in both, ascending."""
        found = []
        for ours, theirs in ((self.bodies, known.bodies), (self.triples, known.triples)):
            for hash, seen in ours.seen.items():
                other = theirs.seen.get(hash)
                if other and seen.only_unit is not None and other.only_unit is not None:
                    found.append((seen.only_unit, seen.only_unit - other.only_unit))
        return sorted(found)

    def equal_lines(self, known, shift):
        if self.span is None or known.span is None:
            return 0, 0
        first, last = max(self.span[0], known.span[0] + shift), min(self.span[1], known.span[1] + shift)
        common = equal = 0
        for hash, seen in self.bodies.seen.items():
            other = known.bodies.seen.get(hash)
            for unit in seen.units:
                if first <= unit <= last:
                    common += 1
                    equal += bool(other and unit - shift in other.units)
        return common, equal


class Match:
    """How a strand matches what is known."""

    def __init__(self, strand, known):
        self.anchors = strand.anchors(known)
        all = len(self.anchors)
        votes = Counter(shift for _, shift in self.anchors)
        votes = {s: n for s, n in votes.items() if s % (15 * MINUTE) == 0 and abs(s) <= 27 * 60 * MINUTE}

        def strong(n):
            return n >= 3 and n * 50 >= all

        def beside(shift):
            others = (votes.get(shift + d * m * MINUTE, 0) for m in (30, 60, 120) for d in (-1, 1))
            return any(n >= 10 and strong(n) for n in others)

        self.accepted = {s: n for s, n in votes.items() if strong(n) or n >= 2 and beside(s)}
        self.by_lines = None
        if not self.accepted and all < 10:
            others = sorted((-n, s) for s, n in votes.items())
            for shift in [0, *[s for _, s in others if s][:8]]:
                common, equal = strand.equal_lines(known, shift)
                if equal * 2 >= common and equal >= (5 if shift else 1):
                    self.by_lines = shift
                    break

    @property
    def same_chat(self):
        votes = sum(self.accepted.values())
        least = 5 if any(self.accepted) else 3
        return self.by_lines is not None or votes >= least and votes * 2 >= len(self.anchors)


class Clock:
    """How far a strand's clock is ahead of its group's, by season."""

    def __init__(self, match=None):
        self.anchors = [a for a in match.anchors if a[1] in match.accepted] if match else []
        self.always = match.by_lines or 0 if match else 0
        shifts = [shift for _, shift in self.anchors]
        self.smooth = [a for i, a in enumerate(self.anchors) if self._agrees(shifts, i)]

    @staticmethod
    def _agrees(shifts, i):
        """Leaves out an anchor that differs from both neighbours; at an end the next two together outvote it."""
        here, before, after = shifts[i], shifts[max(0, i - 2) : i], shifts[i + 1 : i + 3]
        if before and after:
            return here in (before[-1], after[0])
        beside = after or before[::-1]
        if not beside:
            return False
        return here == beside[0] or len(beside) < 2 or beside[1] != beside[0]

    def candidates(self, unit):
        """Shifts a unit may have, the likeliest first."""
        at = bisect.bisect_left(self.smooth, unit, key=lambda a: a[0])
        near = self.smooth[max(0, at - 1) : at + 1] if at else self.smooth[:1]
        if len(near) == 2 and unit - near[0][0] > near[1][0] - unit:
            near.reverse()
        shifts = [shift for _, shift in near] or [self.anchors[0][1] if self.anchors else self.always]
        at = bisect.bisect_left(self.anchors, unit, key=lambda a: a[0])
        shifts += [s for u, s in self.anchors[max(0, at - 3) : at + 3] if abs(u - unit) <= NEAR]
        return list(dict.fromkeys(shifts))


@dataclass
class Clocks:
    by_strand: dict = field(default_factory=dict)

    def unit(self, strand, unit):
        """A unit's group and unit there; that of the first group for a strand without rows."""
        group, clock = self.by_strand.get(strand, (0, None))
        return group, unit - clock.candidates(unit)[0] if clock else unit


def link(source, entries):
    """Links strands, smallest first, growing. A spot for each entry, in the order of `entries`."""
    strands = {}
    for i, entry in enumerate(entries):
        strands.setdefault(entry.strand, []).append(i)
    spots, clocks = [Spot(0, e.unit, e.k) for e in entries], Clocks()
    if len(strands) < 2:
        clocks.by_strand = {strand: (0, Clock()) for strand in strands}
        return spots, clocks
    sketches = {strand: _sketch(source, entries, list) for strand, list in strands.items()}
    waiting, matches, group = sorted(strands), 0, 0
    while waiting:
        base = waiting.pop(0)
        members, known = list(strands[base]), sketches[base]
        for i in members:
            spots[i] = Spot(group, spots[i].unit, spots[i].k)
        clocks.by_strand[base] = (group, Clock())
        grown = True
        while grown:
            grown = False
            for strand in waiting:
                matches += 1
                match = Match(sketches[strand], known)
                if matches <= MATCHES_MAX and match.same_chat:
                    waiting.remove(strand)
                    clock = Clock(match)
                    _set(clock, group, entries, members, strands[strand], spots)
                    clocks.by_strand[strand] = (group, clock)
                    members += strands[strand]
                    known, grown = _sketch_of_group(source, entries, members, spots), True
                    break
        group += 1
    return spots, clocks


def _set(clock, group, entries, members, list, spots):
    """Sets a strand's entries by its clock, where two shifts are possible by the one that finds a partner."""
    known = {(spots[i].unit, entries[i].content) for i in members}
    taken = {}
    for i in sorted(list, key=lambda i: (entries[i].unit, entries[i].k)):
        entry = entries[i]
        candidates = clock.candidates(entry.unit)
        shift = next((s for s in candidates if (entry.unit - s, entry.content) in known), candidates[0])
        unit = entry.unit - shift
        # Two units of this clock that are one by the other: their equal lines go on counting.
        line = (unit, entry.sender, entry.content)
        came_from, base, next_k = taken.get(line, (entry.unit, 0, 0))
        if came_from != entry.unit:
            came_from, base = entry.unit, next_k
        k = base + entry.k
        taken[line] = (came_from, base, max(next_k, k + 1))
        spots[i] = Spot(group, unit, k)


def _sketch(source, entries, list):
    sketch = Sketch(source)
    for e in sorted((entries[i] for i in list), key=lambda e: (e.unit, e.place, e.content, e.k)):
        sketch.add(e.unit, e.content, e.chars)
    return sketch


def _sketch_of_group(source, entries, members, spots):
    """One picture of all that is linked so far; a line that several strands hold counts once, whoever wrote it."""
    lines = {}
    for i in members:
        key = (spots[i].unit, entries[i].content, spots[i].k)
        if key not in lines or entries[i].place > entries[lines[key]].place:
            lines[key] = i
    sketch = Sketch(source)
    for i in sorted(lines.values(), key=lambda i: (spots[i].unit, entries[i].place, entries[i].content, spots[i].k)):
        sketch.add(spots[i].unit, entries[i].content, entries[i].chars)
    return sketch
