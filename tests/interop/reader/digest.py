"""The digest of all rows (format 3.7)."""
from .derive import H, K, chat_name

LANES = 1024
# Every second lane, with room for its carries between: whole sums are added as one number.
ROOM = sum(0xFFFF << 32 * i for i in range(LANES // 2))
MODULUS = sum(0x10000 << 32 * i for i in range(LANES // 2))
ADDS_MAX = 30_000


def rank(digest_key, source, conversation, row):
    """What orders two rows of one key (format 3.4)."""
    return K(digest_key, chat_name(source, conversation), row)


class Lanes:
    """D: a sum over rows, whatever their order."""

    def __init__(self, digest_key):
        self.key, self.even, self.odd, self.adds = digest_key, 0, 0, 0

    def _lanes(self, source, conversation, row):
        made = int.from_bytes(K(self.key, chat_name(source, conversation), row, n=2 * LANES), "little")
        return made & ROOM, made >> 16 & ROOM

    def _sum(self, even, odd):
        self.even, self.odd, self.adds = self.even + even, self.odd + odd, self.adds + 1
        if self.adds == ADDS_MAX:
            self.even, self.odd, self.adds = self.even & ROOM, self.odd & ROOM, 0

    def add(self, source, conversation, row):
        self._sum(*self._lanes(source, conversation, row))

    def remove(self, source, conversation, row):
        even, odd = self._lanes(source, conversation, row)
        self._sum(MODULUS - even, MODULUS - odd)

    def hash(self):
        lanes = self.even & ROOM | (self.odd & ROOM) << 16
        return H("digest", lanes.to_bytes(2 * LANES, "little"))
