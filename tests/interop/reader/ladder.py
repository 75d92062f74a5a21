"""The size ladder (format 1)."""
from .refused import Refused

BODY_FLOOR, BODY_TOP = 8, 16
PAGE_FLOOR, FRONT_PAGE_TOP = 14, 17
PACK_FLOOR, TOP = 16, 23


def class_of(length, floor, top):
    """The class of a length that stands on the ladder between two classes."""
    if length < 1 << floor or length > 1 << top or length & (length - 1):
        raise Refused("a length is not on the ladder")
    return length.bit_length() - 1
