"""Opens a recovery slot (format 6)."""
import re
from dataclasses import dataclass

from .bytes import Reader, unpadded
from .derive import H
from .refused import Refused
from .seal import SLOT, associated, open_sealed

SLOT_BYTES = 512
PASSPHRASE_KIND, RECOVERY_KIND = 1, 2
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


@dataclass
class Slot:
    account: bytes
    generation: int
    root_generation: int
    name: str
    root: bytes


def digest(slot):
    """How a roster names a slot."""
    return H("slot", slot)


def open_recovery_slot(slot_key, data):
    if len(data) != SLOT_BYTES:
        raise Refused("a slot has 512 bytes")
    r = Reader(data)
    if (r.u8(), r.u8()) != (1, RECOVERY_KIND):
        raise Refused("not a recovery slot of this version")
    account, generation, root_generation, name = r.take(32), r.u32(), r.u32(), r.text(64)
    if not NAME.fullmatch(name):
        raise Refused("not an account name")
    prefix = data[: r.at]
    inside = Reader(unpadded(open_sealed(slot_key, associated(SLOT, account, prefix), r.rest())))
    root = inside.take(32)
    if any(inside.take(12)):
        raise Refused("a recovery slot states no cost")
    inside.done()
    return Slot(account, generation, root_generation, name, root)
