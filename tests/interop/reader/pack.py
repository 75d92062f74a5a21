"""Packs: runs, the front page and pages (format 5.1 and 5.4)."""
from dataclasses import dataclass

from .bytes import Reader, unpadded
from .derive import B, padding
from .ladder import TOP, class_of
from .refused import Refused
from .seal import SEAL_BYTES, open_piece

BLOCKS_MAX = 1 << 17


@dataclass
class Located:
    """What must be known of a pack to open it. Without a footer length it is a page."""

    id: bytes
    size_class: int
    hash: bytes
    key: bytes
    footer_length: int = 0
    blocks: int | None = None


@dataclass
class FooterLine:
    sealed_length: int
    rows: int
    first_id: bytes
    first_time: int


def check_whole(place, data):
    """Refuses a pack that is not, byte for byte, the one that was written."""
    if len(data) != 1 << place.size_class or B(data) != place.hash:
        raise Refused("the pack is not as it was written")


def read_page(account, place, data):
    check_whole(place, data)
    return unpadded(open_piece(place.key, account, place.id, 0, True, data))


def read_footer(account, place, data):
    sealed = data[: place.footer_length]
    if len(sealed) != place.footer_length or place.footer_length < SEAL_BYTES:
        raise Refused("a footer is shorter than a seal")
    try:
        content, alone = open_piece(place.key, account, place.id, 0, False, sealed), False
    except Refused:
        content, alone = open_piece(place.key, account, place.id, 0, True, sealed), True
    r = Reader(content)
    count = r.uvarint(BLOCKS_MAX)
    lines = [FooterLine(r.uvarint(1 << TOP), r.uvarint(), r.take(32), r.svarint()) for _ in range(count)]
    r.done()
    if alone != (not lines) or place.blocks not in (None, count):
        raise Refused("a footer is not the last piece exactly where there are no blocks, or counts others")
    return lines


def blocks(account, place, data, on_damage):
    """Footer line and content of each block of a run or front page.

    A block holds by its own seal: what is damaged goes to `on_damage`, and the blocks beside it are read.
    """
    try:
        check_whole(place, data)
    except Refused as e:
        on_damage(str(e))
    lines = read_footer(account, place, data)
    at = place.footer_length
    for number, line in enumerate(lines, 1):
        sealed = data[at : at + line.sealed_length]
        at += line.sealed_length
        try:
            content = open_piece(place.key, account, place.id, number, number == len(lines), sealed)
        except Refused as e:
            on_damage(f"block {number}: {e}")
            continue
        yield number, line, content
    if at > len(data) or data[at:] != padding(place.key, place.id, len(data) - at):
        on_damage("its padding is not the one that belongs there")


def check_class(size_class, floor):
    class_of(1 << size_class if size_class <= TOP else 0, floor, TOP)
    return size_class
