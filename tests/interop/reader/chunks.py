"""Chunk runs, and the files that chunks make (format 5.2)."""
from collections import defaultdict
from dataclasses import dataclass

from blake3 import blake3

from .bytes import Reader
from .derive import H, K, file_id
from .refused import Missing, Refused
from .seal import SEAL_BYTES, open_chunk
from .zstd import unpack

CHUNK_MAX, FILE_IDS_MAX = 4 << 20, 512
AS_IS, PACKED = 0, 1


@dataclass(frozen=True)
class Chunk:
    id: bytes
    pack: bytes
    offset: int
    sealed_length: int
    key: bytes
    coding: int


@dataclass(frozen=True)
class File:
    id: bytes
    size: int
    depth: int
    ids: tuple


def read_entries(data):
    """The entries of a block of a chunk run."""
    r, entries, last = Reader(data), [], (b"", 0)
    while r.left:
        kind, id = r.u8(), r.take(32)
        if kind == 1:
            entry = Chunk(id, r.take(16), r.u32(), r.u32(), r.take(32), r.u8())
            if entry.coding > PACKED or not SEAL_BYTES <= entry.sealed_length <= CHUNK_MAX + SEAL_BYTES + 65_536:
                raise Refused("a chunk entry is out of its range")
        elif kind == 2:
            entry = File(id, r.u64(), r.u8(), tuple(r.take(32) for _ in range(r.uvarint(FILE_IDS_MAX))))
            if entry.depth > 1:
                raise Refused("a file of no known depth")
        else:
            raise Refused("an entry of no known type")
        if (id, kind) <= last:
            raise Refused("entries are out of order")
        entries.append(entry)
        last = (id, kind)
    return entries


class Files:
    """Finds an attachment's bytes. `pack_bytes(pack id, offset, length)` reads from the bucket."""

    def __init__(self, account, lifetime, pack_bytes):
        self.account, self.pack_bytes = account, pack_bytes
        self.file_key, self.chunk_id_key = H("file id key", lifetime), H("chunk id key", lifetime)
        self.chunks, self.files, self.sizes = defaultdict(list), {}, set()

    def learn(self, entries):
        for entry in entries:
            if isinstance(entry, Chunk):
                self.chunks[entry.id].append(entry)
            else:
                self.files[entry.id] = entry
                self.sizes.add(entry.size)

    def find(self, content_hash, stated_size):
        """The file with this content; a source's own word on the size may be wrong."""
        for size in [*([] if stated_size is None or stated_size < 0 else [stated_size]), *sorted(self.sizes)]:
            found = self.files.get(file_id(self.file_key, content_hash, size))
            if found:
                return found
        return None

    def pieces(self, file):
        """The file's bytes, chunk by chunk."""
        ids = file.ids
        if file.depth == 1:
            listed = b"".join(self.chunk(id) for id in ids)
            if len(listed) % 32:
                raise Refused("a list of chunk ids ends inside one")
            ids = [listed[i : i + 32] for i in range(0, len(listed), 32)]
        for id in ids:
            yield self.chunk(id)

    def chunk(self, id):
        error = Missing("a chunk is in no run")
        for entry in self.chunks.get(id, ()):
            try:
                sealed = self.pack_bytes(entry.pack, entry.offset, entry.sealed_length)
                content = open_chunk(entry.key, self.account, id, sealed)
                if entry.coding == PACKED:
                    content = unpack(content, CHUNK_MAX)
                if len(content) > CHUNK_MAX or K(self.chunk_id_key, content) != id:
                    raise Refused("a chunk is not what its id says")
                return content
            except Refused as e:
                error = e
        raise error

    def write(self, file, content_hash, out):
        """Writes the file's bytes to `out`, held to its size and to its hash."""
        size, hasher = 0, blake3()
        for piece in self.pieces(file):
            size += len(piece)
            hasher.update(piece)
            if size > file.size:
                break
            out.write(piece)
        if size != file.size or hasher.digest() != content_hash:
            raise Refused("a file is not what its hash says")
        return size
