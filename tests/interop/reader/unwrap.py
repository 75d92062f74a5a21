"""Opens a device's wrap of the epoch key: HPKE base mode over X-Wing (format 4.4, RFC 9180)."""
import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .derive import H, u32, u64, verifying_key
from .refused import Refused
from .roster import ACTIVE, checked

SUITE = b"HPKE" + bytes.fromhex("647a00010003")
XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")


def _halves(seed):
    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


def encapsulation_key(seed):
    lattice, curve = _halves(seed)
    return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def _decapsulate(seed, encapsulated):
    lattice, curve = _halves(seed)
    to = encapsulated[1088:]
    shared = lattice.decapsulate(encapsulated[:1088]) + curve.exchange(X25519PublicKey.from_public_bytes(to))
    return hashlib.sha3_256(shared + to + curve.public_key().public_bytes_raw() + XWING_LABEL).digest()


def _extract(salt, label, key):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + SUITE + label + key, "sha256")


def _expand(key, label, context, length):
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + context
    return hmac.digest(key, labeled + b"\1", "sha256")[:length]


def open_by_device(roster, seeds):
    """The roster's epoch key for the device whose two seeds these are."""
    key, encapsulation = verifying_key(seeds[:32]), encapsulation_key(seeds[32:])
    device = roster.device(H("device id", key, encapsulation))
    if device is None or device.state != ACTIVE:
        raise Refused("the roster does not list this device")
    info = b"".join([
        b"chatkeep 2026 v1 epoch wrap\0", roster.account, u64(roster.version), u32(roster.epoch), device.id,
        H("kem key", encapsulation),
    ])
    try:
        shared = _decapsulate(seeds[32:], device.encapsulated)
        context = b"\0" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
        secret = _extract(shared, b"secret", b"")
        cipher = ChaCha20Poly1305(_expand(secret, b"key", context, 32))
        return checked(roster, cipher.decrypt(_expand(secret, b"base_nonce", context, 12), device.wrapped, b""))
    except (InvalidTag, ValueError):
        raise Refused("it does not open") from None
