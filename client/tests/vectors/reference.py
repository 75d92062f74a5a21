"""The formats that keys and seals have, written from docs/format.md alone: nothing here is taken from the client.

Needs blake3==1.0.11 and cryptography==50.0.2 from PyPI. write.py beside it makes the vectors.
"""
import hashlib, hmac, pathlib, struct

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent
CONTEXT = "chatkeep 2026 v1 "

# ---- 1. conventions -------------------------------------------------------------------------------------------------

u8, u16, u32, u64 = (lambda n, f=f: struct.pack("<" + f, n) for f in "BHIQ")


def uv(n):
    out = b""
    while n >= 0x80:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def sv(n):
    return uv((n << 1) ^ (n >> 63) if n >= 0 else ((-n) << 1) - 1)


def lp(x):
    return uv(len(x)) + x


def H(purpose, *parts):
    return blake3(b"".join(parts), derive_key_context=CONTEXT + purpose).digest()


def K(key, *parts, n=32):
    return blake3(b"".join(parts), key=key).digest(n)


def B(x):
    return blake3(x).digest()


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(seed, purpose, *parts):
    return Ed25519PrivateKey.from_private_bytes(seed).sign((CONTEXT + purpose).encode() + b"\0" + b"".join(parts))


def verifying(seed):
    return public(Ed25519PrivateKey.from_private_bytes(seed))


def fields(*pairs):
    return b"".join(uv(tag) + lp(value) for tag, value in pairs)


def rnd(name, n=32):
    return blake3(b"chatkeep vectors: " + name.encode()).digest(n)


# ---- 2.1 recovery key as text ---------------------------------------------------------------------------------------

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def gf_mul(a, b):
    out = 0
    while b:
        if b & 1:
            out ^= a
        a, b = a << 1, b >> 1
        if a & 32:
            a ^= 0b100101
    return out


def evaluate(symbols, x):
    value = 0
    for s in symbols:
        value = gf_mul(value, x) ^ s
    return value


def recovery_symbols(key):
    bits = int.from_bytes(key, "big")
    data = [bits >> (155 - 5 * i) & 31 for i in range(32)]
    # By search instead of division: the one triple of check symbols at which all three values vanish.
    base = [evaluate(data + [0, 0, 0], x) for x in (2, 4, 8)]
    for c0 in range(32):
        for c1 in range(32):
            c2 = base[0] ^ gf_mul(c0, 4) ^ gf_mul(c1, 2)
            if all(evaluate(data + [c0, c1, c2], x) == 0 for x in (2, 4, 8)):
                return data + [c0, c1, c2]


def recovery_text(key):
    text = "".join(ALPHABET[s] for s in recovery_symbols(key))
    return "CK1-" + "-".join(text[i : i + 5] for i in range(0, 35, 5))


# ---- 2.2 sealing ----------------------------------------------------------------------------------------------------


def ad(kind, account, *place, version=1):
    return u8(version) + u8(kind) + account + b"".join(place)


def schedule(key, seed, associated, context="seal"):
    out = K(key, (CONTEXT + context).encode(), b"\0", seed, associated, n=64)
    return out[:32], out[32:]


def seal(key, associated, m, fresh, seed=None, nonce=bytes(12), context="seal", hashed=None):
    seed = seed or K(H("seed", key), fresh, hashed or B(m), associated)
    cipher, commitment = schedule(key, seed, associated, context)
    return seed + commitment + ChaCha20Poly1305(cipher).encrypt(nonce, m, None)


def padded(content, size, length=None, filler=b"\0"):
    out = u32(len(content) if length is None else length) + content
    return out + filler * (size - len(out))


def opens_under_two(key1, key2, associated):
    """A ciphertext that ChaCha20-Poly1305 accepts under both keys: two free blocks solve two linear equations."""
    p, seed = 2**130 - 5, rnd("two keys: seed")
    keys = []
    for key in (key1, key2):
        cipher, _ = schedule(key, seed, associated)
        # The one-time Poly1305 key is the first block of the key stream. Encrypting zeros shows blocks 1 and up only,
        # so block 0 is computed here.
        stream = chacha_block(cipher, 0)
        r = int.from_bytes(stream[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
        keys.append((cipher, r, int.from_bytes(stream[16:32], "little")))
    length_block = int.from_bytes(u64(0) + u64(32), "little") + 2**128
    for attempt in range(10_000):
        tag = rnd(f"two keys: tag {attempt}", 16)
        t = int.from_bytes(tag, "little")
        # x r^3 + y r^2 = t - s - length r - 2^128 (r^3 + r^2), for both keys.
        (r1, b1), (r2, b2) = (
            (r, (t - s) % 2**128 - length_block * r - 2**128 * (r**3 + r**2)) for _, r, s in keys
        )
        det = (r1**3 * r2**2 - r2**3 * r1**2) % p
        inverse = pow(det, -1, p)
        x = (b1 * r2**2 - b2 * r1**2) * inverse % p
        y = (r1**3 * b2 - r2**3 * b1) * inverse % p
        if x < 2**128 and y < 2**128:
            text = x.to_bytes(16, "little") + y.to_bytes(16, "little") + tag
            plain = [ChaCha20Poly1305(cipher).decrypt(bytes(12), text, None) for cipher, _, _ in keys]
            assert plain[0] != plain[1]
            return seed, text, plain[0]
    raise SystemExit("no ciphertext under two keys was found")


def chacha_block(key, counter):
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter, 0, 0, 0]
    work = state[:]

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            work[x] = (work[x] + work[y]) & 0xFFFFFFFF
            v = work[z] ^ work[x]
            work[z] = (v << n | v >> (32 - n)) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, i + 4, i + 8, i + 12)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(state, work)))


# ---- 4. records and rosters -----------------------------------------------------------------------------------------

HEADER = dict(
    kind=1, flags=0, incarnation=1, account=rnd("account"), device=bytes(32), counter=7, previous=rnd("previous"),
    seen_size=12, seen_root=rnd("seen root"), agreed=2, roster_version=3, last_day=0,
)


def header(clear, body_len, body_hash, **given):
    h = {**HEADER, **given}
    return (
        u8(h.get("version", 1)) + u8(h["kind"]) + u16(h["flags"]) + u32(h["incarnation"]) + h["account"] + h["device"]
        + u64(h["counter"]) + h["previous"] + u64(h["seen_size"]) + h["seen_root"] + u64(h["agreed"])
        + u64(h["roster_version"]) + u32(h["last_day"]) + u32(len(clear)) + u32(body_len) + body_hash
    )


def body_of(epoch, clear, content, fresh, head, kind=1, length=None, filler=b"\0"):
    """Seals a body on the ladder; gives header and body. `head` replaces fields of HEADER."""
    size = 256
    while size < len(clear) + 80 + 4 + len(content):
        size *= 2
    m = padded(content, size - len(clear) - 80, length, filler)
    prefix = header(clear, size, bytes(32), **head)[:180]
    body = clear + seal(epoch, ad(kind, {**HEADER, **head}["account"], prefix, clear), m, fresh)
    return prefix + H("body", body), body


def record_of(signing_seed, purpose, made):
    head, body = made
    return head + sign(signing_seed, purpose, head), body


def xwing_public(seed):
    expanded = hashlib.shake_256(seed).digest(96)
    ml, x = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    return ml, x, ml.public_key().public_bytes_raw() + public(x)


def xwing_encapsulate(key):
    ml, x = MLKEM768PublicKey.from_public_bytes(key[:1184]), X25519PrivateKey.generate()
    return ml.encapsulate()[1] + public(x)


def xwing_decapsulate(seed, ct):
    ml, x, pk = xwing_public(seed)
    shared = ml.decapsulate(ct[:1088]) + x.exchange(X25519PublicKey.from_public_bytes(ct[1088:])) + ct[1088:]
    return hashlib.sha3_256(shared + pk[1184:] + bytes.fromhex("5c2e2f2f5e5c")).digest()


def hpke_seal(shared, info, plaintext):
    """RFC 9180 §5.1: base mode, X-Wing 0x647a, HKDF-SHA256 1, ChaCha20-Poly1305 3."""
    suite = b"HPKE" + bytes.fromhex("647a00010003")

    def extract(salt, label, ikm):
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(prk, label, context, n):
        labeled = struct.pack(">H", n) + b"HPKE-v1" + suite + label + context
        return hmac.digest(prk, labeled + b"\1", "sha256")[:n]

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    return ChaCha20Poly1305(expand(secret, b"key", context, 32)).encrypt(
        expand(secret, b"base_nonce", context, 12), plaintext, b"")


DEVICE = rnd("device: signing seed"), rnd("device: kem seed")
DEVICE_VERIFYING, DEVICE_KEM = verifying(DEVICE[0]), xwing_public(DEVICE[1])[2]
DEVICE_ID = H("device id", DEVICE_VERIFYING, DEVICE_KEM)
ROOT = rnd("root")
ROSTER_SEED, ROOT_WRAP_KEY = H("roster signing key", ROOT), H("root wrap key", ROOT)
ACCOUNT = H("account id", verifying(ROSTER_SEED))
EPOCH, LIFETIME = rnd("epoch key"), rnd("lifetime")


def encapsulated():
    """An encapsulation made once and kept, because the library does not let its randomness be chosen."""
    path = HERE / "xwing.hex"
    if not path.exists():
        path.write_text(xwing_encapsulate(DEVICE_KEM).hex() + "\n")
    return bytes.fromhex(path.read_text())


def roster(**given):
    """A first roster as record and body. Each argument replaces one part of a sound one."""
    g = dict(
        account=ACCOUNT, version=1, epoch=0, root_generation=1, verifying=verifying(ROSTER_SEED), signer=ROSTER_SEED,
        purpose="roster", wrap_version=1, wrap_epoch=0, info_version=1, info_epoch=0, info_device=DEVICE_ID,
        info_kem=DEVICE_KEM, info_account=ACCOUNT, wrapped_key=EPOCH, root_wrapped_key=EPOCH, root_wrap_type=4,
        commitment=H("epoch commitment", EPOCH, ACCOUNT, u32(0)), keyring=u32(0) + LIFETIME, labels=None, tail=b"",
        joiner=DEVICE[0], join_purpose="device join", device_id=DEVICE_ID, header_account=None, header_kind=2,
        header_version=None, header_counter=0, body_key=EPOCH, sealed=None,
    )
    assert set(given) <= set(g)
    g.update(given)
    ct = encapsulated()
    info = (
        (CONTEXT + "epoch wrap").encode() + b"\0" + g["info_account"] + u64(g["info_version"]) + u32(g["info_epoch"])
        + g["info_device"] + H("kem key", g["info_kem"])
    )
    wrapped = hpke_seal(xwing_decapsulate(DEVICE[1], ct), info, g["wrapped_key"])
    root_ad = ad(g["root_wrap_type"], ACCOUNT, u64(g["wrap_version"]), u32(g["wrap_epoch"]))
    slot = u8(2) + u32(1) + rnd("slot digest") + rnd("credential digest")
    device = (
        g["device_id"] + u8(1) + u64(g["version"]) + DEVICE_VERIFYING + DEVICE_KEM + ct + wrapped
    )
    content = (
        u8(1) + g["account"] + u64(g["version"]) + u32(g["epoch"]) + u32(g["root_generation"]) + g["verifying"]
        + g["commitment"] + seal(ROOT_WRAP_KEY, root_ad, g["root_wrapped_key"], rnd("fresh: root wrap"))
        + u8(0) + u8(1) + slot + u16(1) + device
    )
    clear = content + u8(0) + u8(1) + g["device_id"] + sign(g["joiner"], g["join_purpose"], content)
    label = DEVICE_ID + fields((1, b"laptop"), (2, b"linux"), (3, sv(1_767_225_600_000)))
    labels = g["labels"] if g["labels"] is not None else uv(1) + lp(label)
    sealed = g["sealed"] if g["sealed"] is not None else fields((1, g["keyring"]), (2, labels)) + g["tail"]
    head = dict(
        kind=g["header_kind"], account=g["header_account"] or g["account"], device=bytes(32),
        counter=g["header_counter"], previous=bytes(32), seen_size=0, seen_root=bytes(32), agreed=0,
        roster_version=g["header_version"] or g["version"],
    )
    return record_of(g["signer"], g["purpose"], body_of(g["body_key"], clear, sealed, rnd("fresh: roster"), head))
