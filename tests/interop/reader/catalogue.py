"""Run entries on catalogue pages (format 5.3 and 5.4)."""
from dataclasses import dataclass

from .bytes import Reader, as_fields, as_list, as_number, whole
from .ladder import PACK_FLOOR
from .pack import Located, check_class
from .refused import Refused

PAGE_ENTRIES_MAX = 1 << 12
MESSAGES, CHUNKS = 1, 2


@dataclass
class Run:
    place: Located
    family: int
    level: int
    rows: int
    last_day: int
    filter: bytes


def _exactly(data, size):
    if len(data) != size:
        raise Refused("an id, hash or key has another length")
    return data


def read_entry(data):
    fields = as_fields(data)

    def number(tag, most):
        n = as_number(fields[tag]) if tag in fields else 0
        if not 0 <= n <= most:
            raise Refused("a number of a run entry is out of its range")
        return n

    def pair(read, tag):
        if tag in fields:
            whole(lambda r: (read(r), read(r)), fields[tag])

    pair(Reader.uvarint, 8)
    pair(Reader.svarint, 9)
    id, hash, key = (_exactly(fields.get(tag, b""), size) for tag, size in ((1, 16), (3, 32), (4, 32)))
    size_class = check_class(number(2, 255), PACK_FLOOR)
    place = Located(id, size_class, hash, key, number(12, 1 << 23), number(13, 1 << 17))
    return Run(place, number(5, 255), number(6, 255), number(7, 2**62), number(10, 2**32 - 1),
               _exactly(fields.get(11, bytes(128)), 128))


def read_entries(content):
    return [read_entry(item) for item in as_list(content, PAGE_ENTRIES_MAX)]


def may_hold(run, chat):
    """Whether the run's filter lets it hold rows of a chat id."""
    bits = (int.from_bytes(chat[i : i + 2], "little") % 1024 for i in range(0, 8, 2))
    return all(run.filter[bit >> 3] >> (bit & 7) & 1 for bit in bits)
