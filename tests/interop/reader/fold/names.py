"""Names of one person in several exports. Never decided for IRC, where nicks are lent."""
from collections import defaultdict

from .native import sender_field

PAIRS_MIN = 3


def one_names(source, found, spots):
    """The one name of each name that is one person with another."""
    if source == "irc" or len(found.imports) < 2:
        return {}
    written = {e.sender: e.row.sender.name for e in found.entries
               if e.row.sender and e.row.sender.name is not None}
    written = {sender: name for sender, name in written.items() if sender_field(name) == sender}
    texts = defaultdict(list)
    for entry, spot in zip(found.entries, spots):
        if not entry.open and entry.chars >= 3 and entry.sender in written:
            texts[spot.group, entry.content].append((spot.unit, written[entry.sender], spot.k))
    sightings = [(same[0][0], {name for _, name, _ in same}) for same in texts.values()
                 if all(k == 0 and unit == same[0][0] for unit, _, k in same)]
    return _one_each(_pairs(sightings, found.imports), found.imports)


def _pairs(sightings, imports):
    times, paired = defaultdict(list), defaultdict(list)
    for unit, names in sightings:
        for name in names:
            times[name].append(unit)
        if len(names) == 2:
            paired[tuple(sorted(names))].append(unit)
    found = []
    for (a, b), units in sorted(paired.items()):
        def most(name):
            return len(units) * 5 >= 4 * sum(min(units) <= unit <= max(units) for unit in times[name])

        apart = any(i.holds(a) and i.holds(b) for i in imports)
        if len(units) >= PAIRS_MIN and (most(a) or most(b)) and not apart:
            found.append((a, b))
    return found


def _one_each(pairs, imports):
    """Of all names that are one person, the one the earliest export holds."""
    people = []
    for a, b in pairs:
        joining = [p for p in people if a in p or b in p]
        together = {a, b}.union(*joining)
        if any(sum(i.holds(name) for name in together) > 1 for i in imports):
            continue
        people = [p for p in people if p not in joining] + [together]
    names = {}
    for person in people:
        def since(name):
            return min((i.as_of for i in imports if i.holds(name)), default=2**63 - 1), name

        one = min(person, key=since)
        names |= {name: one for name in person}
    return names
