"""Headers, records, leaves and bodies of the log (format 4.1 and 4.2)."""
from dataclasses import dataclass

from .bytes import Reader, unpadded
from .derive import H, verify
from .ladder import BODY_FLOOR, BODY_TOP, class_of
from .refused import Refused
from .seal import RECORD, associated, open_sealed

HEADER_BYTES, SIGNATURE_BYTES = 212, 64
RECORD_BYTES = HEADER_BYTES + SIGNATURE_BYTES
LEAF_BYTES = RECORD_BYTES + 8
SIZE_MAX = 2**62
EVENTS, ROSTER, HEAD = 1, 2, 3


@dataclass
class Record:
    kind: int
    flags: int
    incarnation: int
    account: bytes
    device: bytes
    counter: int
    previous: bytes
    seen_size: int
    seen_root: bytes
    agreed: int
    roster_version: int
    last_day: int
    clear_length: int
    body_length: int
    body_hash: bytes
    header: bytes
    signature: bytes

    def check(self, purpose, key):
        verify(key, purpose, self.header, self.signature)

    @property
    def digest(self):
        return H("record digest", self.header, self.signature)

    def parts(self, body):
        """Clear and sealed part of the body, once it is the one that was signed."""
        if len(body) != self.body_length or H("body", body) != self.body_hash:
            raise Refused("the body is not the record's")
        return body[: self.clear_length], body[self.clear_length :]

    def open(self, epoch_key, body):
        """Clear part and sealed content."""
        clear, sealed = self.parts(body)
        ad = associated(RECORD, self.account, self.header[:180], clear)
        return clear, unpadded(open_sealed(epoch_key, ad, sealed))


def read_record(data):
    if len(data) != RECORD_BYTES:
        raise Refused("a record has 276 bytes")
    r = Reader(data)
    version = r.u8()
    record = Record(
        r.u8(), r.u16(), r.u32(), r.take(32), r.take(32), r.u64(), r.take(32), r.u64(), r.take(32), r.u64(), r.u64(),
        r.u32(), r.u32(), r.u32(), r.take(32), data[:HEADER_BYTES], data[HEADER_BYTES:],
    )
    if version != 1 or record.kind not in (EVENTS, ROSTER, HEAD) or record.flags > 1 or record.seen_size > SIZE_MAX:
        raise Refused("not a header of this version")
    if record.body_length:
        class_of(record.body_length, BODY_FLOOR, BODY_TOP)
    elif record.body_hash != H("body", b""):
        raise Refused("a body of no bytes has the hash of no bytes")
    if record.clear_length > record.body_length:
        raise Refused("the clear part is longer than the body")
    if record.kind == ROSTER and (record.counter or any(record.device) or any(record.previous)):
        raise Refused("device fields of a roster are zero")
    if record.kind != ROSTER and not record.counter:
        raise Refused("counters begin at 1")
    return record


@dataclass
class Mirrored:
    """A record as the bucket keeps it (format 7)."""

    index: int
    record: Record
    leaf: bytes
    body: bytes
    frontier: list


def read_mirrored(data, with_frontier=False):
    r = Reader(data)
    index, leaf = r.u64(), r.take(LEAF_BYTES)
    if index >= SIZE_MAX:
        raise Refused("a log is at most 2^62 records long")
    record = read_record(leaf[:RECORD_BYTES])
    body, frontier = r.take(record.body_length), []
    if with_frontier:
        frontier = [r.take(32) for _ in range((index + 1).bit_count())]
        # The smallest full subtree holds the head itself; of one leaf it is that leaf's hash.
        if (index + 1) & 1 and frontier[-1] != H("log leaf", leaf):
            raise Refused("the frontier does not end with the head")
    r.done()
    return Mirrored(index, record, leaf, body, frontier)
