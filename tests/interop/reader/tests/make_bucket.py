"""Writes a bucket from docs/format.md: a second writer, to try readers on. Not for real use: its keys are no secret.

    account = Account("some seed")
    account.messages([Entry(chat, arrival, row), …], last_day=0)     a message run
    account.file(content)                                            chunks of a file, for the next chunk run
    account.chunks()                                                 chunk pack and chunk run
    account.write(folder)                                            pages, front page, head, roster, slot

Everything that is random in the format comes from the seed, so a bucket can be made twice.
"""
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ..derive import B, H, K, chat_id, event_id, file_id, lp, padding, svarint, u8, u16, u32, u64, uvarint, verifying_key
from ..fold.acts import at, named
from ..row import OWN_DELETE, UNDELETE, Row
from ..unwrap import encapsulation_key

BLOCK_BYTES, CHUNK_BYTES, IDS_PER_FILE = 32 << 10, 4 << 20, 512
EVENTS, ROSTER, HEAD = 1, 2, 3
CONTEXT = b"chatkeep 2026 v1 "


@dataclass
class Entry:
    """A row of a chat, and when it arrived."""

    source: str
    conversation: str
    row: Row
    arrival: int = 1


@dataclass
class Run:
    id: bytes
    entry: bytes
    last_day: int


def fields(**values):
    """A field map; keys are f1, f2, …; what is None is left out."""
    numbered = sorted((int(name[1:]), value) for name, value in values.items() if value is not None)
    return b"".join(uvarint(tag) + lp(value) for tag, value in numbered)


def listed(items):
    return uvarint(len(items)) + b"".join(map(lp, items))


def sign(seed, purpose, content):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(CONTEXT + purpose.encode() + b"\0" + content)


def ladder(length, floor, top=23):
    """The smallest class that holds a length."""
    size_class = max(floor, (length - 1).bit_length())
    assert size_class <= top, "a length stands above the ladder"
    return size_class


def padded(content, size):
    return (u32(len(content)) + content).ljust(size, b"\0")


@dataclass
class Account:
    seed: str
    name: str = "ana"
    objects: dict = field(default_factory=dict)
    runs: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)
    digests: dict = field(default_factory=dict)
    counted: list = field(default_factory=list)
    terms: dict = field(default_factory=dict)
    front: list = field(default_factory=list)
    rotated: bool = False

    def __post_init__(self):
        self.drawn = 0
        self.recovery_key = self.draw(20)
        self.roots = [self.draw(), self.draw()] if self.rotated else [self.draw()]
        self.lifetime, self.epochs = self.draw(), [self.draw() for _ in self.roots]
        self.device_seeds = self.draw(), self.draw()
        first = verifying_key(H("roster signing key", self.roots[0]))
        self.id = H("account id", first)
        self.address = self.id[:16].hex()
        keys = verifying_key(self.device_seeds[0]), encapsulation_key(self.device_seeds[1])
        self.device = H("device id", *keys)
        self.event_key, self.digest_key = H("event id key", self.lifetime), H("digest key", self.lifetime)
        self.chunk_id_key, self.file_key = H("chunk id key", self.lifetime), H("file id key", self.lifetime)
        self.waiting, self.file_entries = {}, {}

    def draw(self, n=32):
        self.drawn += 1
        return blake3(f"{self.seed}: {self.drawn}".encode()).digest(n)

    # ---- seals and packs --------------------------------------------------------------------------------------------

    def seal(self, key, kind, place, content):
        ad = u8(1) + u8(kind) + self.id + place
        seed = K(H("seed", key), self.draw(), B(content), ad)
        made = K(key, CONTEXT + b"seal\0", seed, ad, n=64)
        return seed + made[32:] + ChaCha20Poly1305(made[:32]).encrypt(bytes(12), content, None)

    def piece(self, key, pack, number, last, content):
        return self.seal(key, 2, pack + u32(number) + u8(last), content)

    def put(self, pack, data):
        self.objects[f"{self.address}/{pack.hex()}"] = data

    def fill(self, pack, key, data, floor, top=23):
        size_class = ladder(len(data), floor, top)
        self.put(pack, data + padding(key, pack, (1 << size_class) - len(data)))
        return size_class

    def page(self, content):
        """A pack that is one padded piece; gives what a head says of it."""
        pack, key = self.draw(16), self.draw()
        size_class = ladder(len(content) + 84, 14)
        self.put(pack, self.piece(key, pack, 0, 1, padded(content, (1 << size_class) - 80)))
        return self.place(pack, size_class, key, 0)

    def place(self, pack, size_class, key, footer):
        return pack + u8(size_class) + B(self.objects[f"{self.address}/{pack.hex()}"]) + key + u32(footer)

    def blocks(self, lines, floor, top=23):
        """A pack of sealed blocks. `lines` are (rows, first id, first time, content)."""
        pack, key = self.draw(16), self.draw()
        sealed = [self.piece(key, pack, n, n == len(lines), line[3]) for n, line in enumerate(lines, 1)]
        footer = uvarint(len(lines)) + b"".join(
            uvarint(len(s)) + uvarint(rows) + first + svarint(time) for s, (rows, first, time, _) in zip(sealed, lines))
        footer = self.piece(key, pack, 0, not lines, footer)
        size_class = self.fill(pack, key, footer + b"".join(sealed), floor, top)
        return pack, key, size_class, len(footer)

    # ---- messages ---------------------------------------------------------------------------------------------------

    def key_of(self, entry):
        row = entry.row
        own = event_id(self.event_key, entry.source, entry.conversation, row.kind, row.native)
        target = own if row.target is None else row.target
        return (chat_id(self.event_key, entry.source, entry.conversation), row.time, target, row.kind, own)

    def message_blocks(self, entries):
        blocks, block, size = [], [], 0
        for entry in sorted(entries, key=self.key_of):
            block.append(entry)
            size += len(entry.row.encode())
            if size >= BLOCK_BYTES:
                blocks, block, size = [*blocks, block], [], 0
        return [self._block(block) for block in ([*blocks, block] if block else blocks)]

    def _block(self, entries):
        frames = {}
        for entry in entries:
            said = uvarint(entry.arrival) + lp(entry.row.encode())
            begin = lp(entry.source.encode()) + lp(entry.conversation.encode())
            name = (self.key_of(entry)[0], begin)
            frames[name] = frames.get(name, begin) + said
        packed = [zstandard.ZstdCompressor().compress(frame) for _, frame in sorted(frames.items())]
        chat, time = self.key_of(entries[0])[:2]
        return len(entries), chat, time, listed(packed)

    def messages(self, entries, last_day=0, level=0):
        lines = self.message_blocks(entries)
        pack, key, size_class, footer = self.blocks(lines, 16)
        bits = {int.from_bytes(self.key_of(e)[0][i : i + 2], "little") % 1024 for e in entries for i in range(0, 8, 2)}
        filter = sum(1 << bit for bit in bits).to_bytes(128, "little")
        arrivals, times = [e.arrival for e in entries], [e.row.time for e in entries]
        self._run(pack, key, size_class, 1, len(entries), footer, len(lines), last_day, level, f11=filter,
                  f8=uvarint(min(arrivals)) + uvarint(max(arrivals)), f9=svarint(min(times)) + svarint(max(times)))
        self.count(entries, last_day)

    def _run(self, pack, key, size_class, family, rows, footer, blocks, last_day, level=0, **more):
        number = svarint
        self.runs.append(Run(pack, fields(
            f1=pack, f2=number(size_class), f3=B(self.objects[f"{self.address}/{pack.hex()}"]), f4=key,
            f5=number(family), f6=number(level) if level else None, f7=number(rows),
            f10=number(last_day) if last_day else None, f12=number(footer), f13=number(blocks), **more), last_day))

    def count(self, entries, last_day=0):
        """Notes rows for the digest the head will state; a caller that wants rows joined counts them itself."""
        self.counted += [(last_day, e) for e in entries]
        gone = self.deleted()
        self.digests = {}
        for day, e in self.counted:
            lanes = self.digests.setdefault(day, [0] * 1024)
            _, _, target, kind, own = self.key_of(e)
            if kind not in (OWN_DELETE, UNDELETE) and gone & {own, target}:
                continue
            if (day, id(e)) not in self.terms:
                key = lp(e.source.encode()) + lp(e.conversation.encode())
                self.terms[day, id(e)] = struct.unpack("<1024H", K(self.digest_key, key, e.row.encode(), n=2048))
            lanes[:] = [(a + b) % 65_536 for a, b in zip(lanes, self.terms[day, id(e)])]

    def deleted(self):
        """What own deletions name that no undelete ends."""
        acts = [(self.key_of(e)[4], e.row) for _, e in self.counted if e.row.kind in (OWN_DELETE, UNDELETE)]
        undone = {}
        for _, row in acts:
            if row.kind == UNDELETE:
                for one in named(row):
                    undone[one] = max(undone.get(one, at(row)), at(row))
        gone = set()
        for own, row in acts:
            late = any(undone.get(one, at(row) - 1) >= at(row) for one in named(row))
            if row.kind == OWN_DELETE and own not in undone and not late:
                gone |= named(row)
        return gone

    # ---- files ------------------------------------------------------------------------------------------------------

    def _chunk(self, content, pack_well=False):
        id = K(self.chunk_id_key, content)
        self.waiting[id] = (zstandard.ZstdCompressor().compress(content) if pack_well else content, int(pack_well))
        return id

    def file(self, content, chunk_bytes=CHUNK_BYTES, listed_ids=False, pack_well=False):
        """Cuts a file and notes its entry; gives its BLAKE3. The cut is by length: readers do not care."""
        ids = [self._chunk(content[i : i + chunk_bytes], pack_well) for i in range(0, len(content), chunk_bytes)]
        depth = 0
        if listed_ids or len(ids) > IDS_PER_FILE:
            ids, depth = [self._chunk(b"".join(ids))], 1
        id = file_id(self.file_key, B(content), len(content))
        self.file_entries[id] = u8(2) + id + u64(len(content)) + u8(depth) + uvarint(len(ids)) + b"".join(ids)
        return B(content)

    def chunks(self):
        """Seals what waits into one chunk pack and writes the chunk run that finds it."""
        pack, data, entries = self.draw(16), b"", dict(self.file_entries)
        entries = {(id, 2): entry for id, entry in entries.items()}
        first = None
        for id, (content, coding) in sorted(self.waiting.items(), key=lambda item: B(item[0])):
            key = self.draw()
            first = first or key
            sealed = self.seal(key, 5, id, content)
            entries[id, 1] = u8(1) + id + pack + u32(len(data)) + u32(len(sealed)) + key + u8(coding)
            data += sealed
        if first:
            self.fill(pack, first, data, 16)
        lines, block = [], []
        for name in sorted(entries):
            block.append(name)
            if sum(len(entries[n]) for n in block) >= BLOCK_BYTES or name == max(entries):
                lines.append((len(block), block[0][0], 0, b"".join(entries[n] for n in block)))
                block = []
        run, key, size_class, footer = self.blocks(lines, 16)
        self._run(run, key, size_class, 2, len(entries), footer, len(lines), 0)
        self.waiting, self.file_entries = {}, {}
        return pack

    # ---- records ----------------------------------------------------------------------------------------------------

    def record(self, kind, clear, content, epoch_key, signer, roster_version, device=bytes(32), counter=0):
        body_class = ladder(len(clear) + 84 + len(content), 8, 16)
        size = 1 << body_class
        header = (
            u8(1) + u8(kind) + u16(0) + u32(1) + self.id + device + u64(counter) + bytes(32) + u64(0) + bytes(32)
            + u64(0) + u64(roster_version) + u32(0) + u32(len(clear)) + u32(size)
        )
        body = clear + self.seal(epoch_key, 1, header + clear, padded(content, size - len(clear) - 80))
        header += H("body", body)
        return header + sign(signer, "roster" if kind == ROSTER else "record", header), body

    def roster(self, version, root_index, slot):
        """The roster that began root generation `root_index + 1`."""
        root, epoch = self.roots[root_index], root_index
        seed, epoch_key = H("roster signing key", root), self.epochs[epoch]
        commitment = H("epoch commitment", epoch_key, self.id, u32(epoch))
        wrap = self.seal(H("root wrap key", root), 4, u64(version) + u32(epoch), epoch_key)
        keys = verifying_key(self.device_seeds[0]), encapsulation_key(self.device_seeds[1])
        # A reader with the root needs no device's wrap, so those bytes are only drawn here.
        device = self.device + u8(1) + u64(1) + keys[0] + keys[1] + self.draw(1120) + self.draw(48)
        line = u8(2) + u32(version) + H("slot", slot) + self.draw()
        content = (
            u8(1) + self.id + u64(version) + u32(epoch) + u32(root_index + 1) + verifying_key(seed) + commitment + wrap
            + u8(0) + u8(1) + line + u16(1) + device
        )
        clear = content
        if root_index:
            old = H("roster signing key", self.roots[root_index - 1])
            clear += u8(1) + verifying_key(old) + sign(old, "roster rotation", content)
        else:
            clear += u8(0)
        joins = version == 1
        clear += u8(joins) + (self.device + sign(self.device_seeds[0], "device join", content) if joins else b"")
        sealed = fields(f1=u32(epoch) + b"".join(self.epochs[:epoch]) + self.lifetime,
                        f2=listed([self.device + fields(f1=b"laptop", f2=b"linux", f3=svarint(1))]))
        return self.record(ROSTER, clear, sealed, epoch_key, seed, version)

    def slot(self):
        prefix = u8(1) + u8(2) + self.id + u32(len(self.roots)) + u32(len(self.roots)) + lp(self.name.encode())
        content = padded(self.roots[-1] + bytes(12), 512 - len(prefix) - 80)
        return prefix + self.seal(H("recovery slot key", self.recovery_key), 3, prefix, content)

    def head(self, epoch, pages, entries_per_page, front_last_day):
        texts = [r.entry for r in self.runs]
        places = [self.page(listed(texts[i : i + entries_per_page])) for i in range(0, len(texts), entries_per_page)]
        if self.front:
            pack, key, size_class, footer = self.blocks(self.message_blocks(self.front), 14, 17)
            places.insert(0, self.place(pack, size_class, key, footer))
        else:
            places.insert(0, bytes(16 + 1 + 32 + 32 + 4))
        clear = (
            u64(1) + bytes(32) + u64(5) + self.draw() + u64(5) + u8(0) + u16(0) + u16(0) + u16(len(places))
            + b"".join(place[:16] for place in places)
        )
        days = [u32(day) + H("digest", b"".join(map(u16, lanes))) for day, lanes in sorted(self.digests.items())]
        content = fields(
            f1=listed(places), f2=listed([self.device + u64(4) + self.draw()]), f3=listed(days),
            f4=json.dumps({"attachments": 0, "bytes": 0, "chats": 0, "messages": 0, "waiting": 0}, separators=(",", ":")).encode(),
            f5=svarint(1), f6=svarint(front_last_day) if front_last_day else None,
        )
        return self.record(HEAD, clear, content, self.epochs[epoch], self.device_seeds[0], epoch + 1, self.device, 5)

    def write(self, folder, head_epoch=None, entries_per_page=2, front_last_day=0):
        """Writes all objects. `head_epoch`: the head may be older than the newest roster."""
        slot, newest = self.slot(), len(self.roots)
        self.objects[f"slots/{H('recovery slot name', self.recovery_key)[:16].hex()}-{newest}"] = slot
        for index in range(newest):
            record, body = self.roster(index + 1, index, slot)
            mirrored = u64(index) + record + u64(1_767_225_600_000) + body
            if index:
                self.objects[f"{self.address}/rotation-{index + 1}"] = mirrored
            self.objects[f"{self.address}/roster"] = mirrored
        record, body = self.head(newest - 1 if head_epoch is None else head_epoch, self.runs, entries_per_page, front_last_day)
        leaf, index = record + u64(1_767_225_600_000), 6
        frontier = [self.draw(), self.draw(), H("log leaf", leaf)]
        self.objects[f"{self.address}/head"] = u64(index) + leaf + body + b"".join(frontier)
        for name, data in self.objects.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
