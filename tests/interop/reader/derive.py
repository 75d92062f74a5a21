"""Hashes, derived keys, signatures and places of seals (format 1 and 2)."""
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .refused import Refused

CONTEXT = "chatkeep 2026 v1 "


def H(purpose, *parts):
    return blake3(b"".join(parts), derive_key_context=CONTEXT + purpose).digest()


def K(key, *parts, n=32):
    return blake3(b"".join(parts), key=key).digest(n)


def B(data):
    return blake3(data).digest()


def u(size):
    return lambda n: n.to_bytes(size, "little")


u8, u16, u32, u64 = u(1), u(2), u(4), u(8)


def uvarint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def svarint(n):
    return uvarint(n << 1 if n >= 0 else (-n << 1) - 1)


def lp(data):
    return uvarint(len(data)) + data


def padding(key, pack_id, length):
    """What fills a pack up behind its last sealed piece (format 5.1)."""
    return K(H("padding key", key), pack_id, n=length)


def verifying_key(seed):
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


# ---- ids ------------------------------------------------------------------------------------------------------------


def chat_name(source, conversation):
    return lp(source.encode()) + lp(conversation.encode())


def chat_id(event_key, source, conversation):
    return K(event_key, b"\0", chat_name(source, conversation))


def event_id(event_key, source, conversation, kind, native):
    number = 0 if 1 <= kind <= 5 else kind
    return K(event_key, b"\1", chat_name(source, conversation), u16(number), lp(native.encode()))


def file_id(file_key, content_hash, size):
    return K(file_key, content_hash, u64(size))


def account_id(first_roster_key):
    return H("account id", first_roster_key)


def epoch_commitment(epoch_key, account, epoch):
    return H("epoch commitment", epoch_key, account, u32(epoch))


# ---- signatures -----------------------------------------------------------------------------------------------------

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def verify(key, purpose, content, signature):
    """Ed25519, held strictly: canonical points, none of small order."""
    try:
        if len(signature) != 64 or not (_sound(key) and _sound(signature[:32])):
            raise InvalidSignature
        message = (CONTEXT + purpose).encode() + b"\0" + content
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Refused("a signature does not hold") from None


def _sound(encoded):
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    if y >= P:
        return False
    # x from the curve equation -x^2 + y^2 = 1 + d x^2 y^2; only whether the order divides 8 is asked, so either sign does.
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return False
    for _ in range(3):
        k = D * x * x * y * y % P
        x, y = 2 * x * y * pow(1 + k, -1, P) % P, (y * y + x * x) * pow(1 - k, -1, P) % P
    return (x, y) != (0, 1)
