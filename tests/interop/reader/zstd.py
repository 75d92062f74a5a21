"""Unpacks one zstd frame that states its content's size."""
import zstandard

from .refused import Refused

MAGIC = b"\x28\xb5\x2f\xfd"


def unpack(data, limit):
    try:
        if data[:4] != MAGIC:
            raise Refused("not a zstd frame")
        stated = zstandard.get_frame_parameters(data).content_size
        if stated in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR) or stated > limit:
            raise Refused("a zstd frame states no size, or one above its limit")
        content = zstandard.ZstdDecompressor().decompress(data, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError:
        raise Refused("a zstd frame is damaged") from None
    if len(content) != stated:
        raise Refused("a zstd frame is not as long as it states")
    return content
