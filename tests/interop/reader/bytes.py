"""Reads the conventions of format 1; what is not in its one form is refused."""
from .refused import Refused

U64_MAX = 2**64 - 1
FIELDS_MAX = 256
TAG_MAX = 65_535


class Reader:
    """Hands out the parts of some bytes from front to back."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    @property
    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        if n > self.left:
            raise Refused("the bytes end early")
        self.at += n
        return self.data[self.at - n : self.at]

    def rest(self):
        return self.take(self.left)

    def done(self):
        if self.left:
            raise Refused("bytes are left over")

    def uint(self, size):
        return int.from_bytes(self.take(size), "little")

    def u8(self):
        return self.uint(1)

    def u16(self):
        return self.uint(2)

    def u32(self):
        return self.uint(4)

    def u64(self):
        return self.uint(8)

    def flag(self):
        n = self.u8()
        if n > 1:
            raise Refused("a flag is 0 or 1")
        return n == 1

    def uvarint(self, limit=U64_MAX):
        value = 0
        for at in range(10):
            byte = self.u8()
            value |= (byte & 0x7F) << (7 * at)
            if not byte & 0x80:
                if at and not byte:
                    raise Refused("a number is longer than it needs to be")
                if value > limit:
                    raise Refused("a number is above its limit")
                return value
        raise Refused("a number is above its limit")

    def svarint(self):
        n = self.uvarint()
        return (n >> 1) ^ -(n & 1)

    def lp(self, limit):
        return self.take(self.uvarint(limit))

    def text(self, limit):
        return as_text(self.lp(limit))


def whole(read, data):
    """Reads all of some bytes with one function; nothing may stay behind it."""
    r = Reader(data)
    value = read(r)
    r.done()
    return value


def as_text(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("a text is not UTF-8") from None


def as_number(data):
    return whole(Reader.svarint, data)


def as_fields(data):
    """A field map as a dict in the order it is written, which is the order of its tags."""
    r, found, last = Reader(data), {}, -1
    while r.left:
        tag = r.uvarint(TAG_MAX)
        if tag <= last or len(found) == FIELDS_MAX:
            raise Refused("tags of a field map ascend, and there are at most 256")
        found[tag], last = r.lp(r.left), tag
    return found


def as_list(data, limit, item_limit=None):
    r = Reader(data)
    items = [r.lp(r.left if item_limit is None else item_limit) for _ in range(r.uvarint(limit))]
    r.done()
    return items


def ascending(values, what):
    """Refuses values that do not strictly ascend."""
    if any(a >= b for a, b in zip(values, values[1:])):
        raise Refused(f"{what} are out of order")


def unpadded(data):
    """The content of a padded plaintext (format 2.2)."""
    r = Reader(data)
    content = r.take(r.u32())
    if any(r.rest()):
        raise Refused("padding carries bytes")
    return content
