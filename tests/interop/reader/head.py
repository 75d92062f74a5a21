"""The head: which packs are the archive (format 4.5)."""
import json
from dataclasses import dataclass

from .bytes import Reader, as_fields, as_list, as_number, ascending, whole
from .pack import Located, check_class
from .ladder import PAGE_FLOOR
from .record import HEAD
from .refused import Refused
from .roster import ACTIVE

ERASE_MAX, PACKS_MAX, PAGES_MAX, DEVICES_MAX, DAYS_MAX = 64, 400, 1_024, 148, 1 << 16
NO_PACK = bytes(16)
FORMAT = 1


@dataclass
class Head:
    generation: int
    covered_size: int
    covered_root: bytes
    front_size: int
    page_ids: list
    front_page: Located | None = None
    pages: list = None
    devices: list = None
    digests: dict = None
    counts: dict = None
    front_last_day: int = 0


def _read_clear(r):
    generation, parent = r.u64(), r.take(32)
    head = Head(generation, r.u64(), r.take(32), r.u64(), [])
    ascending([r.u64() for _ in range(_count(r.u8(), ERASE_MAX))], "bodies to erase")
    ascending([(r.take(16), r.u8(), r.u32())[0] for _ in range(_count(r.u16(), PACKS_MAX))], "packs to add")
    drops = [(r.take(16), r.u8()) for _ in range(_count(r.u16(), PACKS_MAX))]
    ascending([id for id, _ in drops], "packs to drop")
    head.page_ids = [r.take(16) for _ in range(_count(r.u16(), PAGES_MAX))]
    if any(not 1 <= reason <= 5 for _, reason in drops):
        raise Refused("a pack is dropped for no known reason")
    if not generation or any(parent) != (generation > 1) or head.front_size > head.covered_size:
        raise Refused("numbers of a head do not fit")
    if not head.page_ids or NO_PACK in head.page_ids[1:]:
        raise Refused("a head names its front page, or zeros, and then its pages")
    return head


def _count(n, limit):
    if n > limit:
        raise Refused("a count is above its limit")
    return n


def read_head(mirrored, roster, keyring):
    """The newest head, signed by a device of the roster and opened with the account's epoch keys."""
    record = mirrored.record
    if record.kind != HEAD or record.account != roster.account:
        raise Refused("not a head of this account")
    device = roster.device(record.device)
    if device is None or not device.joined <= record.roster_version <= roster.version:
        raise Refused("the head is by no device of the account")
    if device.state != ACTIVE and record.roster_version >= device.ended:
        raise Refused("the head is by a device that was no longer one of the account's")
    record.check("record", device.verifying_key)
    clear, content = _open(record, mirrored.body, keyring)
    head = whole(_read_clear, clear)
    if head.covered_size > mirrored.index:
        raise Refused("the head covers more than stood before it")
    fields = as_fields(content)
    if as_number(fields.get(5, b"\2")) > FORMAT:
        raise Refused("the head asks for a newer reader")
    places = [whole(_place, item) for item in as_list(fields.get(1, b"\0"), PAGES_MAX)]
    if [p.id for p in places] not in (head.page_ids, head.page_ids[1:] if head.page_ids[0] == NO_PACK else None):
        raise Refused("the sealed pages are not those named in clear")
    if head.page_ids[0] == NO_PACK:
        head.pages = [p for p in places if p.id != NO_PACK]
    else:
        head.front_page, head.pages = places[0], places[1:]
    for place in [head.front_page, *head.pages] if head.front_page else head.pages:
        check_class(place.size_class, PAGE_FLOOR)
    head.devices = [whole(lambda r: (r.take(32), r.u64(), r.take(32)), d) for d in as_list(fields.get(2, b"\0"), DEVICES_MAX)]
    days = [whole(lambda r: (r.u32(), r.take(32)), d) for d in as_list(fields.get(3, b"\0"), DAYS_MAX)]
    ascending([id for id, *_ in head.devices], "devices")
    ascending([day for day, _ in days], "last days")
    head.digests = dict(days)
    head.front_last_day = as_number(fields.get(6, b"\0"))
    try:
        head.counts = json.loads(fields.get(4, b"{}"))
    except ValueError:
        raise Refused("the counts are not JSON") from None
    return head


def _place(r):
    return Located(r.take(16), r.u8(), r.take(32), r.take(32), r.u32())


def _open(record, body, keyring):
    """A head may be older than the newest roster, so its epoch is found by trying; the seal commits to its key."""
    for epoch_key in reversed(keyring.epochs):
        try:
            return record.open(epoch_key, body)
        except Refused as e:
            error = e
    raise error
