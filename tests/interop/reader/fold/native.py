"""Native keys, views and imports of formats without ids (format 3.5)."""
import re
from dataclasses import dataclass

from ..bytes import whole
from ..derive import B
from ..refused import Refused
from ..values import PRECISIONS

CLEAR_MAX = 512
CLASSES = "PEDO"
PLAIN, EDITED, DELETED, OMITTED = range(4)
RUNS_MAX, LINES_MAX, U32_MAX = 1_000, 65_536, 2**32 - 1
NAMES_BYTES_MAX, NAME_MAX = 18 << 10, 4_096
NUMBER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)


def is_open(cls, source):
    """Whether a row of this class may stand for another text."""
    return source == "meta" or source != "irc" and cls != PLAIN


def number(text):
    if not NUMBER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise Refused("not a number in its one form")
    return int(text)


def ident(normal):
    return B(normal.encode())[:16]


def _sender(field):
    if field != "~" and field[:1] not in ("=", "#"):
        raise Refused("not a sender's field")
    return field


@dataclass
class Key:
    strand: int
    unit: int
    sender: str
    content: tuple
    k: int
    clear: str | None


def read_key(native):
    """A message row's key: strand/unit/sender/class/k/body. None if it is another."""
    parts = native.split("/", 5)
    try:
        if len(parts) != 6 or len(parts[3]) != 1 or parts[3] not in CLASSES:
            return None
        strand, unit, sender, k = number(parts[0]), number(parts[1]), _sender(parts[2]), number(parts[4])
        mark, body = parts[5][:1], parts[5][1:]
        if mark == "=" and len(body.encode()) <= CLEAR_MAX:
            clear, id = body, ident(body)
        elif mark == "#" and re.fullmatch("[0-9a-fA-F]{64}", body):
            clear, id = None, bytes.fromhex(body)[:16]
        else:
            return None
        if not 0 <= k <= U32_MAX:
            return None
        return Key(strand, unit, sender, (CLASSES.index(parts[3]), id), k, clear)
    except Refused:
        return None


def read_view_key(native):
    """Strand, unit and sender of a view row; None if its key is another."""
    parts = native.split("/", 4)
    try:
        return (number(parts[0]), number(parts[1]), _sender(parts[2])) if len(parts) == 5 and parts[3] == "V" else None
    except Refused:
        return None


def sender_field(name):
    if name is None:
        return "~"
    escaped = name.replace("%", "%25").replace("/", "%2F")
    return f"={escaped}" if len(escaped.encode()) <= CLEAR_MAX else f"#{B(name.encode()).hex()}"


@dataclass
class View:
    first_unit: bool
    runs: list

    def lines(self):
        return [(content, k + i) for content, k, count in self.runs for i in range(count)]


def _view(r):
    first_unit, runs, lines = r.flag(), [], 0
    for _ in range(r.uvarint(RUNS_MAX)):
        letter, id, k, count = chr(r.u8()), r.take(16), r.uvarint(U32_MAX), r.uvarint(U32_MAX)
        lines += count
        if letter not in CLASSES or not count or lines > LINES_MAX or k > U32_MAX - LINES_MAX:
            raise Refused("a view is out of its range")
        runs.append(((CLASSES.index(letter), id), k, count))
    return View(first_unit, runs)


def read_view(data):
    return whole(_view, data)


@dataclass
class Import:
    as_of: int
    names: set
    names_cut: bool

    def holds(self, name):
        return self.names_cut or name in self.names


def _import(r):
    _, _, as_of, _ = r.svarint(), r.svarint(), r.svarint(), r.uvarint()
    precision, cut = r.u8(), r.flag()
    names = [r.text(NAME_MAX) for _ in range(r.uvarint(NAMES_BYTES_MAX))]
    if precision >= len(PRECISIONS) or any(a >= b for a, b in zip(names, names[1:])):
        raise Refused("an import is out of its range")
    return Import(as_of, set(names), cut)


def read_import(data):
    return whole(_import, data)
