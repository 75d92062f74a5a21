"""Rosters: which devices and keys an account has (format 4.4)."""
from dataclasses import dataclass, field

from .bytes import Reader, as_fields, as_list, as_number, as_text, ascending, whole
from .derive import H, account_id, epoch_commitment, u32, u64, verify
from .record import ROSTER
from .refused import Refused
from .seal import ROOT_WRAP, associated, open_sealed

ACTIVE, REVOKED, LEFT = 1, 2, 3
ACTIVE_MAX, GONE_MAX = 20, 128


@dataclass
class Device:
    id: bytes
    state: int
    joined: int
    verifying_key: bytes
    encapsulation_key: bytes = b""
    encapsulated: bytes = b""
    wrapped: bytes = b""
    ended: int = 0


@dataclass
class SlotLine:
    kind: int
    generation: int
    digest: bytes
    credential: bytes


@dataclass
class Roster:
    account: bytes
    version: int
    epoch: int
    root_generation: int
    verifying_key: bytes
    commitment: bytes
    root_wrap: bytes
    ended: bool
    slots: list
    devices: list
    content: bytes
    rotation: tuple | None = None
    joining: tuple | None = None

    def device(self, id):
        return next((d for d in self.devices if d.id == id), None)


@dataclass
class Keyring:
    """What the sealed part of a roster gives: every epoch's key, by epoch, and the lifetime secret."""

    epochs: list
    lifetime: bytes
    names: dict = field(default_factory=dict)


def _read(r):
    start = r.at
    if r.u8() != 1:
        raise Refused("not a roster of this version")
    account, version, epoch, root_generation = r.take(32), r.u64(), r.u32(), r.u32()
    key, commitment, root_wrap, ended, count = r.take(32), r.take(32), r.take(112), r.flag(), r.u8()
    if count > 2:
        raise Refused("more slots than there are kinds")
    slots = [SlotLine(r.u8(), r.u32(), r.take(32), r.take(32)) for _ in range(count)]
    ascending([s.kind for s in slots], "slots")
    if any(s.kind not in (1, 2) for s in slots):
        raise Refused("a slot of no known kind")
    count = r.u16()
    if count > ACTIVE_MAX + GONE_MAX:
        raise Refused("more devices than there may be")
    devices = [_device(r) for _ in range(count)]
    ascending([d.id for d in devices], "devices")
    active = sum(d.state == ACTIVE for d in devices)
    if active > ACTIVE_MAX or count - active > GONE_MAX:
        raise Refused("more devices than there may be")
    content = r.data[start : r.at]
    rotation = (r.take(32), r.take(64)) if r.flag() else None
    joining = (r.take(32), r.take(64)) if r.flag() else None
    return Roster(account, version, epoch, root_generation, key, commitment, root_wrap, ended, slots, devices, content,
                  rotation, joining)


def _device(r):
    device = Device(r.take(32), r.u8(), r.u64(), r.take(32))
    if device.state == ACTIVE:
        device.encapsulation_key, device.encapsulated, device.wrapped = r.take(1216), r.take(1120), r.take(48)
    elif device.state in (REVOKED, LEFT):
        device.ended = r.u64()
    else:
        raise Refused("a device is in no known state")
    return device


def read_roster(record, body):
    """A roster that holds by itself: its shape, its signatures, its devices' ids."""
    if record.kind != ROSTER or record.flags or record.last_day:
        raise Refused("not a roster record")
    clear, _ = record.parts(body)
    roster = whole(_read, clear)
    if (record.account, record.roster_version) != (roster.account, roster.version):
        raise Refused("header and content of a roster differ")
    record.check("roster", roster.verifying_key)
    for device in roster.devices:
        if device.state == ACTIVE and device.id != H("device id", device.verifying_key, device.encapsulation_key):
            raise Refused("a device is not named by its keys")
        if device.joined > roster.version or device.ended > roster.version:
            raise Refused("a device joined or ended later than its roster")
    if not roster.slots or not roster.version or not roster.root_generation:
        raise Refused("a roster has a slot, and its numbers begin at 1")
    if roster.rotation:
        verify(roster.rotation[0], "roster rotation", roster.content, roster.rotation[1])
    if roster.joining:
        device = roster.device(roster.joining[0])
        if device is None or device.state != ACTIVE or device.joined != roster.version:
            raise Refused("the joining device does not join here")
        verify(device.verifying_key, "device join", roster.content, roster.joining[1])
    return roster


def check_first(roster):
    """What only the first roster of an account may and must be."""
    only = roster.devices[0] if len(roster.devices) == 1 else None
    numbers = (roster.version, roster.epoch, roster.root_generation, {s.generation for s in roster.slots})
    if numbers != (1, 0, 1, {1}) or roster.ended or roster.rotation:
        raise Refused("not a first roster")
    if only is None or only.state != ACTIVE or only.joined != 1 or not roster.joining:
        raise Refused("a first roster has the one device that joins")
    if roster.account != account_id(roster.verifying_key):
        raise Refused("the account is not that of its first key")


def check_chain(account, rotations, newest):
    """Leads the newest roster's key back to the account id, over the rosters that rotated the root."""
    if newest.rotation and (not rotations or rotations[-1].content != newest.content):
        rotations = [*rotations, newest]
    chain = rotations if rotations and rotations[-1].content == newest.content else [*rotations, newest]
    first = rotations[0].rotation[0] if rotations and rotations[0].rotation else newest.verifying_key
    if account_id(first) != account or any(r.account != account for r in chain):
        raise Refused("the rosters do not lead back to the account")
    key, generation = first, 1
    for roster in rotations:
        if not roster.rotation or roster.rotation[0] != key or roster.root_generation != generation + 1:
            raise Refused("a rotation does not follow the one before it")
        key, generation = roster.verifying_key, roster.root_generation
    if (newest.verifying_key, newest.root_generation) != (key, generation):
        raise Refused("the newest roster has another key than its last rotation")
    for before, after in zip(chain, chain[1:]):
        if after.version <= before.version or after.epoch < before.epoch or before.ended:
            raise Refused("rosters of the account are out of order")


def open_by_root(roster, root_wrap_key):
    """The roster's epoch key from its wrap under the root."""
    ad = associated(ROOT_WRAP, roster.account, u64(roster.version), u32(roster.epoch))
    return checked(roster, open_sealed(root_wrap_key, ad, roster.root_wrap))


def checked(roster, epoch_key):
    if len(epoch_key) != 32 or epoch_commitment(epoch_key, roster.account, roster.epoch) != roster.commitment:
        raise Refused("the epoch key is not the one its roster commits to")
    return epoch_key


def read_keyring(roster, epoch_key, content):
    fields = as_fields(content)
    r = Reader(fields.get(1, b""))
    count = r.u32()
    if count != roster.epoch or 32 * (count + 1) != r.left:
        raise Refused("the keyring does not fit its epoch")
    keyring = Keyring([r.take(32) for _ in range(count)] + [epoch_key], r.take(32))
    for item in as_list(fields.get(2, b"\0"), ACTIVE_MAX + GONE_MAX):
        label = Reader(item)
        id = label.take(32)
        values = as_fields(label.rest())
        keyring.names[id] = as_text(values.get(1, b""))
        as_text(values.get(2, b""))
        as_number(values.get(3, b"\0"))
    return keyring
