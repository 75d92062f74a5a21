"""Opens sealed pieces (format 2.2). It cannot seal."""
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .derive import K, u8, u32
from .refused import Refused

SEAL_BYTES = 80
RECORD, PIECE, SLOT, ROOT_WRAP, CHUNK, MEDIA = 1, 2, 3, 4, 5, 6


def associated(kind, account, *place):
    return u8(1) + u8(kind) + account + b"".join(place)


def open_sealed(key, ad, sealed):
    """What a seal holds. Whatever fails, the error is the same."""
    seed, commitment, text = sealed[:32], sealed[32:64], sealed[64:]
    made = K(key, b"chatkeep 2026 v1 seal\0", seed, ad, n=64)
    try:
        if not hmac.compare_digest(made[32:], commitment):
            raise InvalidTag
        return ChaCha20Poly1305(made[:32]).decrypt(bytes(12), text, None)
    except InvalidTag:
        raise Refused("it does not open") from None


def open_piece(key, account, pack_id, number, last, sealed):
    return open_sealed(key, associated(PIECE, account, pack_id, u32(number), u8(last)), sealed)


def open_chunk(key, account, chunk_id, sealed):
    return open_sealed(key, associated(CHUNK, account, chunk_id), sealed)


def open_media(key, account, file, number, last, sealed):
    return open_sealed(key, associated(MEDIA, account, file, u32(number), u8(last)), sealed)
