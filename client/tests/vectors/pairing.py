"""Pairing (docs/format.md §8.1): SPAKE2 over Ed25519 as python-spake2 defines it, and what is derived from its key."""
from reference import *

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
M_BLIND = bytes.fromhex("15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312")
N_BLIND = bytes.fromhex("f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3")


def point(data):
    n = int.from_bytes(data, "little")
    y, sign_bit = n & (2**255 - 1), n >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    assert x * x % P == square, "no point"
    return (P - x if x & 1 != sign_bit else x, y)


def encoded(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    k = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P,
    )


def times(n, p):
    out = (0, 1)
    while n:
        if n & 1:
            out = add(out, p)
        p, n = add(p, p), n >> 1
    return out


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def password_scalar(password):
    prk = hmac.new(b"", password, hashlib.sha256).digest()
    first = hmac.new(prk, b"SPAKE2 pw\x01", hashlib.sha256).digest()
    okm = first + hmac.new(prk, first + b"SPAKE2 pw\x02", hashlib.sha256).digest()
    return int.from_bytes(okm[:48], "big") % L


def pair(number, words, server, fresh_new, fresh_old):
    """Both sides at once: `fresh` is what each draws for its scalar."""
    about = lp(server) + u32(number)
    password = H("pairing code", about, words.encode())
    w = password_scalar(password)
    x, y = (int.from_bytes(fresh, "little") % L for fresh in (fresh_new, fresh_old))
    new = encoded(add(times(x, BASE), times(w, point(M_BLIND))))
    old = encoded(add(times(y, BASE), times(w, point(N_BLIND))))
    shared = encoded(times(x, add(point(old), times(L - w, point(N_BLIND)))))
    digests = [hashlib.sha256(part).digest() for part in (password, b"new device", b"old device")]
    k = hashlib.sha256(b"".join(digests) + new + old + shared).digest()
    key = H("pairing", k, about, b"A" + new, b"B" + old)
    bits = int.from_bytes(H("pairing check words", key), "little")
    return dict(
        key=key,
        new=b"A" + new,
        old=b"B" + old,
        confirms_new=H("pairing confirm new", key),
        confirms_old=H("pairing confirm old", key),
        check_words=[bits >> shift & 0x7FF for shift in (0, 11, 22)],
    )


def sealed_by(side, key, number, content, fresh):
    return seal(H("pairing seal " + side, key), ad(7, bytes(32), u32(number)), content, fresh)
