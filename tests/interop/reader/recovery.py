"""Reads the recovery key as people type it (format 2.1)."""
from itertools import product

from .derive import H
from .refused import WrongKey

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MARK = "CK1"
DATA, CHECK = 32, 3


def times(a, b):
    """The product in GF(32), polynomial x^5 + x^2 + 1."""
    out = 0
    for bit in range(5):
        if b >> bit & 1:
            out ^= a << bit
    for bit in (8, 7, 6, 5):
        if out >> bit & 1:
            out ^= 0b100101 << (bit - 5)
    return out


def value_at(symbols, x):
    value = 0
    for symbol in symbols:
        value = times(value, x) ^ symbol
    return value


def checks_out(symbols):
    return not any(value_at(symbols, x) for x in (2, 4, 8))


def parse(typed):
    """The 20 bytes of a typed key, or WrongKey."""
    text = "".join(c for c in typed if not c.isspace() and c != "-")
    if not text.isascii():
        raise WrongKey("that is not a recovery key")
    text = text.upper().translate(str.maketrans("OIL", "011"))
    if len(text) == DATA + CHECK + len(MARK) and text.startswith(MARK):
        text = text[len(MARK) :]
    symbols = [ALPHABET.find(c) for c in text]
    if len(symbols) != DATA + CHECK or min(symbols) < 0 or not checks_out(symbols):
        raise WrongKey("that is not a recovery key")
    bits = 0
    for symbol in symbols[:DATA]:
        bits = bits << 5 | symbol
    return bits.to_bytes(20, "big")


def from_kit(content):
    """The key in a kit: a file that holds it alone, or one line that does, with or without a label before it."""
    candidates = [content]
    for line in content.splitlines():
        candidates += [line, line.rpartition(":")[2]]
        at = line.upper().find(MARK)
        if at >= 0:
            candidates.append(line[at:])
    found = set()
    for candidate in candidates:
        try:
            found.add(parse(candidate))
        except WrongKey:
            pass
    if len(found) != 1:
        raise WrongKey("the file holds no recovery key, or several")
    return found.pop()


def shown(key):
    """The key as it is written down; of the three check symbols two are tried and the third follows."""
    bits = int.from_bytes(key, "big")
    data = [bits >> 5 * (DATA - 1 - i) & 31 for i in range(DATA)]
    rest = value_at(data + [0] * CHECK, 2)
    for c0, c1 in product(range(32), repeat=2):
        symbols = data + [c0, c1, rest ^ times(c0, 4) ^ times(c1, 2)]
        if checks_out(symbols):
            text = "".join(ALPHABET[s] for s in symbols)
            return "-".join([MARK, *(text[i : i + 5] for i in range(0, DATA + CHECK, 5))])
    raise AssertionError("three check symbols solve three equations")


def sign_in_seed(key):
    return H("recovery sign-in key", key)


def slot_key(key):
    return H("recovery slot key", key)


def slot_name(key):
    return H("recovery slot name", key)[:16]
