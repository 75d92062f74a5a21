#!/usr/bin/env python3
"""Writes the vectors beside it: what the client must compute, and what it must refuse.

    pip install blake3==1.0.11 cryptography==50.0.2
    python3 client/tests/vectors/write.py

holds/NAME.json    {"call", "with", "gives"}: the call with these inputs gives exactly this.
refused/NAME.json  {"flaw", "of", "changed"}: the call in holds/OF.json is refused once these inputs are changed.

Bytes are hex; `fresh` is what the random source gives. Every run writes the same files. Old files stay for ever; a
change of format adds files.
"""
import json

from pairing import pair, sealed_by
from reference import *


def put(folder, name, content):
    text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
    (HERE / folder / (name.replace(" ", "-") + ".json")).write_text(text)


def plain(values):
    if isinstance(values, dict):
        return {k: plain(v) for k, v in values.items()}
    if isinstance(values, list):
        return [plain(v) for v in values]
    return values.hex() if isinstance(values, bytes) else values


SOUND = {}


def holds(name, call, given, gives):
    SOUND[name] = given
    put("holds", name, {"call": call, "with": plain(given), "gives": plain(gives)})


def refused(name, flaw, of, /, **changed):
    changed = {k: v for k, v in changed.items() if SOUND[of][k] != v}
    assert changed, name
    put("refused", name, {"flaw": flaw, "of": of.replace(" ", "-"), "changed": plain(changed)})


def flip(data, at):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# ---- keys and names -------------------------------------------------------------------------------------------------

RECOVERY = rnd("recovery key", 20)
TEXT = recovery_text(RECOVERY)
RECOVERY_SEED = H("recovery sign-in key", RECOVERY)
holds("recovery key", "recovery key", dict(typed=TEXT),
      dict(text=TEXT, verifying_key=verifying(RECOVERY_SEED), slot_name=H("recovery slot name", RECOVERY)[:16]))
loose = TEXT.lower().removeprefix("ck1-").replace("-", " ").replace("0", "o").replace("1", "l")
holds("recovery key as people type it", "recovery key", dict(typed=loose),
      dict(text=TEXT, verifying_key=verifying(RECOVERY_SEED), slot_name=H("recovery slot name", RECOVERY)[:16]))
holds("recovery key drawn", "recovery key drawn", dict(fresh=RECOVERY), dict(text=TEXT))
for label, key in (("zeros", bytes(20)), ("ones", b"\xff" * 20)):
    holds(f"recovery key of {label}", "recovery key drawn", dict(fresh=key), dict(text=recovery_text(key)))

holds("root", "root", dict(root=ROOT), dict(verifying_key=verifying(ROSTER_SEED), account=ACCOUNT))
holds("device", "device", dict(seeds=b"".join(DEVICE)),
      dict(id=DEVICE_ID, verifying_key=DEVICE_VERIFYING, encapsulation_key=DEVICE_KEM))
NONCE = rnd("nonce")
holds("device sign-in", "device sign-in",
      dict(seeds=b"".join(DEVICE), server="vault.example.org", account=ACCOUNT, nonce=NONCE),
      dict(signature=sign(DEVICE[0], "sign-in", lp(b"vault.example.org") + ACCOUNT + DEVICE_ID + NONCE)))
holds("recovery sign-in", "recovery sign-in", dict(typed=TEXT, server="vault.example.org", name="ana", nonce=NONCE),
      dict(signature=sign(RECOVERY_SEED, "recovery sign-in", lp(b"vault.example.org") + lp(b"ana") + NONCE)))
holds("permit", "permit", dict(root=ROOT, account=ACCOUNT, roster_version=3, bytes=123_456_789, last_day=20_800),
      dict(signature=sign(ROSTER_SEED, "permit", ACCOUNT + u64(3) + u8(1) + u64(123_456_789) + u32(20_800))))
holds("epoch commitment", "epoch commitment", dict(epoch_key=EPOCH, account=ACCOUNT, epoch=5),
      dict(commitment=H("epoch commitment", EPOCH, ACCOUNT, u32(5))))

EVENT = H("event id key", LIFETIME)
CHAT = lp("telegram".encode()) + lp("personal_chat:Zoë".encode())
named = dict(lifetime=LIFETIME, source="telegram", conversation="personal_chat:Zoë")
holds("chat id", "chat id", named, dict(id=K(EVENT, b"\0" + CHAT)))
holds("event id of a message", "event id", dict(named, kind=1, native="4711"),
      dict(id=K(EVENT, b"\1" + CHAT + u16(0) + lp(b"4711"))))
holds("event id of a poll is that of a message", "event id", dict(named, kind=4, native="4711"),
      dict(id=K(EVENT, b"\1" + CHAT + u16(0) + lp(b"4711"))))
holds("event id of an edit", "event id", dict(named, kind=16, native="4711"),
      dict(id=K(EVENT, b"\1" + CHAT + u16(16) + lp(b"4711"))))
holds("event id with an empty native key", "event id", dict(named, kind=300, native=""),
      dict(id=K(EVENT, b"\1" + CHAT + u16(300) + lp(b""))))
holds("version mark", "version mark", dict(lifetime=LIFETIME, values=b"values"),
      dict(mark=K(EVENT, b"\2values").hex()[:32]))
CONTENT = rnd("content", 1000)
holds("file id", "file id", dict(lifetime=LIFETIME, content_hash=B(CONTENT), size=len(CONTENT)),
      dict(id=K(H("file id key", LIFETIME), B(CONTENT) + u64(len(CONTENT)))))
holds("chunk id", "chunk id", dict(lifetime=LIFETIME, content=CONTENT),
      dict(id=K(H("chunk id key", LIFETIME), CONTENT)))

# A row by docs/format.md 3.1: kind, time, own target, native key, body.
ROWS = [uv(1) + sv(t) + b"\0" + lp(n) + fields((1, b)) for t, n, b in
        ((1_600_000_000_000, b"1", "héllo".encode()), (-1, b"2", b""), (1_600_000_000_001, b"3", b"x" * 300))]
DIGEST = H("digest key", LIFETIME)
holds("rank of a row", "row rank", dict(named, row=ROWS[0]), dict(rank=K(DIGEST, CHAT + ROWS[0])))


def digest(rows):
    lanes = [0] * 1024
    for row in rows:
        for i, lane in enumerate(struct.unpack("<1024H", K(DIGEST, CHAT + row, n=2048))):
            lanes[i] = (lanes[i] + lane) % 65536
    return H("digest", struct.pack("<1024H", *lanes))


holds("digest of nothing", "digest", dict(named, add=[], remove=[]), dict(hash=digest([])))
holds("digest of three rows", "digest", dict(named, add=ROWS, remove=[]), dict(hash=digest(ROWS)))
holds("digest of three rows less one", "digest", dict(named, add=ROWS, remove=ROWS[:1]), dict(hash=digest(ROWS[1:])))

PACK, KEY = rnd("pack", 16), rnd("pack key")
for owner in ("pack", "chunk"):
    holds(f"{owner} padding", f"{owner} padding", dict(key=KEY, pack=PACK, length=100),
          dict(padding=K(H("padding key", KEY), PACK, n=100)))

# ---- seals ----------------------------------------------------------------------------------------------------------

FRESH, TEXT_IN = rnd("fresh"), b"what is sealed"
KINDS = {
    "piece": (2, dict(pack=PACK, number=3, last=False), lambda p: (p["pack"], u32(p["number"]), u8(p["last"]))),
    "chunk": (5, dict(chunk=rnd("chunk")), lambda p: (p["chunk"],)),
    "media": (6, dict(file=rnd("file"), number=3, last=False), lambda p: (p["file"], u32(p["number"]), u8(p["last"]))),
}
CASES = {}
for call, (kind, place, write) in KINDS.items():
    sealed = seal(KEY, ad(kind, ACCOUNT, *write(place)), TEXT_IN, FRESH)
    case = dict(key=KEY, account=ACCOUNT, **place)
    CASES[call] = dict(case, sealed=sealed)
    # A chunk's id stands for its content.
    hashed = B(case["chunk"] + u64(len(TEXT_IN)) + TEXT_IN[:64]) if call == "chunk" else None
    made = seal(KEY, ad(kind, ACCOUNT, *write(place)), TEXT_IN, FRESH, hashed=hashed)
    holds(f"sealed {call}", f"seal {call}", dict(case, content=TEXT_IN, fresh=FRESH), dict(sealed=made))
    holds(f"opened {call}", f"open {call}", CASES[call], dict(content=TEXT_IN))
empty = seal(KEY, ad(2, ACCOUNT, PACK, u32(1), u8(1)), b"", FRESH)
holds("sealed piece of nothing", "seal piece",
      dict(key=KEY, account=ACCOUNT, pack=PACK, number=1, last=True, content=b"", fresh=FRESH), dict(sealed=empty))

PIECE = CASES["piece"]
SEALED, PLACE = PIECE["sealed"], (PACK, u32(3), u8(0))
for part, at in (("seed", 0), ("commitment", 32), ("commitments end", 63), ("first byte", 64), ("last byte", -17), ("tag", -1)):
    refused(f"piece with {part} flipped", "one bit is another", "opened piece", sealed=flip(SEALED, at))
for name, cut in (("without its last byte", SEALED[:-1]), ("without its first byte", SEALED[1:]),
                  ("shorter than a seal", SEALED[:79]), ("of a seed alone", SEALED[:32]), ("of no bytes", b"")):
    refused(f"piece {name}", "truncated", "opened piece", sealed=cut)
refused("piece with a trailing byte", "one byte too many", "opened piece", sealed=SEALED + b"\0")
refused("piece with seed and commitment swapped", "parts in another order", "opened piece",
        sealed=SEALED[32:64] + SEALED[:32] + SEALED[64:])
refused("piece under another key", "wrong key", "opened piece", key=rnd("another key"))
refused("piece of another account", "wrong account", "opened piece", account=rnd("another account"))
refused("piece of another pack", "wrong pack", "opened piece", pack=rnd("another pack", 16))
refused("piece at another number", "swapped with a neighbour", "opened piece", number=4)
refused("piece that claims to be the last", "truncated pack", "opened piece", last=True)
for kind in (1, 3, 4, 5, 6, 0, 255):
    refused(f"piece sealed as type {kind}", "wrong type in the associated data", "opened piece",
            sealed=seal(KEY, ad(kind, ACCOUNT, *PLACE), TEXT_IN, FRESH))
for version in (0, 2):
    refused(f"piece of version {version}", "wrong version in the associated data", "opened piece",
            sealed=seal(KEY, ad(2, ACCOUNT, *PLACE, version=version), TEXT_IN, FRESH))
refused("piece numbered in big endian", "wrong byte order in the associated data", "opened piece",
        sealed=seal(KEY, ad(2, ACCOUNT, PACK, u32(3)[::-1], u8(0)), TEXT_IN, FRESH))
refused("piece without its account", "the account is missing from the associated data", "opened piece",
        sealed=seal(KEY, ad(2, b"", *PLACE), TEXT_IN, FRESH))
refused("piece under another context", "derived for another purpose", "opened piece",
        sealed=seal(KEY, ad(2, ACCOUNT, *PLACE), TEXT_IN, FRESH, context="sealed"))
refused("piece with another nonce", "the cipher's nonce is not zero", "opened piece",
        sealed=seal(KEY, ad(2, ACCOUNT, *PLACE), TEXT_IN, FRESH, nonce=b"\1" + bytes(11)))
cipher, commitment = schedule(KEY, SEALED[:32], ad(2, ACCOUNT, *PLACE))
refused("piece with its associated data given to the cipher too", "the cipher's own associated data is not empty",
        "opened piece", sealed=SEALED[:64] + ChaCha20Poly1305(cipher).encrypt(bytes(12), TEXT_IN, b"chatkeep"))
SECOND = rnd("second key")
seed, both, first_text = opens_under_two(KEY, SECOND, ad(2, ACCOUNT, *PLACE))
two = dict(PIECE, sealed=seed + schedule(KEY, seed, ad(2, ACCOUNT, *PLACE))[1] + both)
holds("piece that opens under two cipher keys", "open piece", two, dict(content=first_text))
refused("piece that opens under two cipher keys", "the cipher accepts it under both; the commitment does not",
        "piece that opens under two cipher keys", key=SECOND)

CHUNK, MEDIA = CASES["chunk"], CASES["media"]
refused("chunk under another id", "wrong place", "opened chunk", chunk=rnd("another chunk"))
refused("chunk of another account", "wrong account", "opened chunk", account=rnd("another account"))
refused("chunk with a bit flipped", "one bit is another", "opened chunk", sealed=flip(CHUNK["sealed"], 70))
refused("chunk sealed as a piece", "wrong type in the associated data", "opened chunk",
        sealed=seal(KEY, ad(2, ACCOUNT, CHUNK["chunk"]), TEXT_IN, FRESH))
refused("media block at another number", "wrong place", "opened media", number=2)
refused("media block that claims to be the last", "truncated file", "opened media", last=True)
refused("media block of another file", "wrong place", "opened media", file=rnd("another file"))
refused("media block sealed as a chunk", "wrong type in the associated data", "opened media",
        sealed=seal(KEY, ad(5, ACCOUNT, MEDIA["file"], u32(3), u8(0)), TEXT_IN, FRESH))

# ---- slots ----------------------------------------------------------------------------------------------------------

SLOT_KEY = H("recovery slot key", RECOVERY)


def slot(version=1, kind=2, account=ACCOUNT, generation=4, root_generation=2, name=b"ana", written=None, size=512,
         content=ROOT + bytes(12), length=None, filler=b"\0", key=SLOT_KEY, ad_kind=3, length_of_name=None):
    prefix = (u8(version) + u8(kind) + account + u32(generation) + u32(root_generation)
              + (length_of_name or uv(len(name))) + name)
    m = padded(content, size - len(prefix) - 80, length, filler)
    sealed = seal(key, ad(ad_kind, account, written or prefix), m, FRESH)
    return prefix + sealed


OPEN_SLOT = dict(typed=TEXT, name="ana", slot=slot())
holds("recovery slot", "make recovery slot",
      dict(recovery=RECOVERY, root=ROOT, account=ACCOUNT, name="ana", generation=4, root_generation=2, fresh=FRESH),
      dict(slot=slot()))
longest = "a" * 64
holds("recovery slot with the longest name", "make recovery slot",
      dict(recovery=RECOVERY, root=ROOT, account=ACCOUNT, name=longest, generation=4, root_generation=2, fresh=FRESH),
      dict(slot=slot(name=longest.encode())))
holds("recovery slot opened", "open recovery slot", OPEN_SLOT,
      dict(account=ACCOUNT, generation=4, root_generation=2, roster_key=verifying(ROSTER_SEED)))
refused("slot under another recovery key", "wrong key", "recovery slot opened",
        typed=recovery_text(rnd("another recovery key", 20)))
refused("slot under another name", "the name typed is not the slot's", "recovery slot opened", name="ben")
body = slot()
for what, at in (("account", 2), ("generation", 34), ("root generation", 38), ("name", 45)):
    refused(f"slot with its {what} changed", "the clear prefix is not the one sealed", "recovery slot opened",
            slot=flip(body, at))
refused("slot of kind passphrase", "wrong kind", "recovery slot opened", slot=slot(kind=1))
refused("slot of unknown kind", "wrong kind", "recovery slot opened", slot=slot(kind=3))
refused("slot of version 2", "wrong version", "recovery slot opened", slot=slot(version=2))
refused("slot sealed as a chunk", "wrong type in the associated data", "recovery slot opened",
        slot=slot(ad_kind=5))
refused("slot with non-zero padding", "padding carries bytes", "recovery slot opened", slot=slot(filler=b"\1"))
refused("slot whose content is longer than it", "a length beyond the end", "recovery slot opened",
        slot=slot(length=100_000))
refused("slot with a content of the largest length", "a length beyond the end", "recovery slot opened",
        slot=slot(length=2**32 - 1))
refused("slot with a byte behind its content", "trailing byte", "recovery slot opened",
        slot=slot(content=ROOT + bytes(13)))
refused("slot with a short content", "truncated content", "recovery slot opened", slot=slot(content=ROOT))
refused("slot with a cost where none belongs", "a recovery slot states zeros", "recovery slot opened",
        slot=slot(content=ROOT + u32(65536) + u32(3) + u32(1)))
refused("slot of 511 bytes", "wrong length", "recovery slot opened", slot=slot(size=511))
refused("slot of 513 bytes", "wrong length", "recovery slot opened", slot=slot(size=513))
refused("slot of no bytes", "wrong length", "recovery slot opened", slot=b"")
refused("slot with a name in capitals", "not an account name", "recovery slot opened", name=None,
        slot=slot(name=b"Ana"))
refused("slot with a long varint", "non-canonical varint", "recovery slot opened",
        slot=slot(length_of_name=b"\x83\0"))

# ---- the recovery key as it is mistyped -----------------------------------------------------------------------------

letters = TEXT.removeprefix("CK1-").replace("-", "")
at = next(i for i in range(34) if letters[i] != letters[i + 1])
for name, wrong in (
    ("one character wrong", ("B" if letters[0] != "B" else "C") + letters[1:]),
    ("a check character wrong", letters[:34] + ("B" if letters[34] != "B" else "C")),
    ("neighbours swapped", letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :]),
    ("a character missing", letters[:-1]),
    ("a character too many", letters + letters[-1]),
    ("a group missing", letters[:30]),
    ("a letter outside the alphabet", "U" + letters[1:]),
    ("a letter outside ASCII", "\u0660" + letters[1:]),
    ("another mark", "CK2-" + letters),
    ("nothing typed", ""),
    ("the mark alone", "CK1"),
    ("the mark twice", "CK1CK1" + letters),
):
    refused(f"recovery key with {name}", "not a recovery key", "recovery key", typed=wrong)

# ---- records --------------------------------------------------------------------------------------------------------

OWN = dict(device=DEVICE_ID)
CLEAR, INSIDE = u16(0) + u8(0), b"sections"
made = body_of(EPOCH, CLEAR, INSIDE, FRESH, OWN)
RECORD, BODY = record_of(DEVICE[0], "record", made)
NUMBERS = {k: v for k, v in HEADER.items() if k != "device"}
holds("sealed record", "seal record",
      dict(seeds=b"".join(DEVICE), epoch_key=EPOCH, header=NUMBERS, clear=CLEAR, content=INSIDE, fresh=FRESH),
      dict(record=RECORD, body=BODY))
bare = header(b"", 0, H("body", b""), **OWN)
holds("record without a body", "sign bare", dict(seeds=b"".join(DEVICE), header=NUMBERS),
      dict(record=bare + sign(DEVICE[0], "record", bare)))
OPEN = dict(record=RECORD, body=BODY, epoch_key=EPOCH, verifying_key=DEVICE_VERIFYING)
holds("opened record", "open record", OPEN, dict(clear=CLEAR, content=INSIDE))


def resealed(purpose="record", signer=DEVICE[0], body_key=EPOCH, **given):
    head = {**OWN, **given.pop("head", {})}
    record, body = record_of(signer, purpose, body_of(body_key, CLEAR, INSIDE, FRESH, head, **given))
    return dict(record=record, body=body)


def resigned(head):
    return head + sign(DEVICE[0], "record", head)


HEAD = RECORD[:212]
refused("record signed as a roster", "signed for another purpose", "opened record",
        record=resealed(purpose="roster")["record"])
refused("record signed by another device", "wrong key", "opened record",
        record=resealed(signer=rnd("another device"))["record"])
refused("record with its signature flipped", "one bit is another", "opened record", record=flip(RECORD, -1))
refused("record with its counter changed after signing", "the signature covers other bytes", "opened record",
        record=flip(RECORD, 72))
ORDER = 2**252 + 27742317777372353535851937790883648493
s = int.from_bytes(RECORD[244:], "little") + ORDER
refused("record with a malleable signature", "the scalar is not reduced", "opened record",
        record=RECORD[:244] + s.to_bytes(32, "little"))
refused("record whose body was replaced", "another body hash", "opened record", body=flip(BODY, 100))
refused("record whose clear part was replaced", "another body hash", "opened record", body=flip(BODY, 0))
refused("record with half its body", "another body length", "opened record", body=BODY[:128])
refused("record with a body twice as long", "another body length", "opened record", body=BODY + bytes(256))
later = HEAD[:72] + u64(8) + HEAD[80:]
refused("record whose body was moved to another counter", "the seal names another header", "opened record",
        record=resigned(later))
other_roster = HEAD[:160] + u64(4) + HEAD[168:]
refused("record whose body was moved under another roster", "the seal names another header", "opened record",
        record=resigned(other_roster))
moved = flip(BODY, 2)
refused("record whose clear part is not the sealed one", "the seal names another clear part", "opened record",
        record=resigned(HEAD[:180] + H("body", moved)), body=moved)
split = HEAD[:172] + u32(4) + HEAD[176:]
refused("record whose clear part ends elsewhere", "the seal names another header", "opened record",
        record=resigned(split))
refused("record under another epoch key", "wrong key", "opened record", epoch_key=rnd("another epoch"))
refused("record sealed as a piece", "wrong type in the associated data", "opened record", **resealed(kind=2))
refused("record with non-zero padding", "padding carries bytes", "opened record", **resealed(filler=b"\1"))
refused("record whose content is longer than it", "a length beyond the end", "opened record",
        **resealed(length=1_000_000))
for name, at, value in (("version 2", 0, u8(2)), ("an unknown kind", 1, u8(9)), ("an unknown flag", 2, u16(2))):
    refused(f"record of {name}", "not a header of this version", "opened record",
            record=resigned(HEAD[:at] + value + HEAD[at + len(value) :]))
refused("record without its last byte", "truncated", "opened record", record=RECORD[:-1])
refused("record with a trailing byte", "one byte too many", "opened record", record=RECORD + b"\0")

# ---- rosters --------------------------------------------------------------------------------------------------------

first = dict(zip(("record", "body"), roster()))
KEYRING_SHOWS = dict(
    account=ACCOUNT, version=1, epoch=0, names=["laptop"], chat=K(EVENT, b"\0" + CHAT),
    commitment=H("epoch commitment", EPOCH, ACCOUNT, u32(0)),
)
BY_ROOT, BY_DEVICE = dict(first, root=ROOT), dict(first, seeds=b"".join(DEVICE))
holds("first roster by the root", "open roster by root", BY_ROOT, KEYRING_SHOWS)
holds("first roster by its device", "open roster by device", BY_DEVICE, KEYRING_SHOWS)


def flawed(name, flaw, /, by=("root",), **given):
    changed = dict(zip(("record", "body"), roster(**given)))
    for way in by:
        refused(f"roster by {way} {name}", flaw, f"first roster by {'the root' if way == 'root' else 'its device'}", **changed)


OTHER = rnd("another epoch key")
flawed("signed by another root", "wrong roster key", by=("root", "device"), signer=rnd("another root"))
flawed("signed as a record", "signed for another purpose", purpose="record")
flawed("that commits to another epoch key", "wrong epoch commitment", by=("root", "device"),
       commitment=H("epoch commitment", OTHER, ACCOUNT, u32(0)))
flawed("that commits for another epoch", "wrong epoch commitment",
       commitment=H("epoch commitment", EPOCH, ACCOUNT, u32(1)))
flawed("that commits for another account", "wrong epoch commitment",
       commitment=H("epoch commitment", EPOCH, rnd("another account"), u32(0)))
flawed("with its root wrap of another version", "wrong place", wrap_version=2)
flawed("with its root wrap of another epoch", "wrong place", wrap_epoch=1)
flawed("with its root wrap sealed as a chunk", "wrong type in the associated data", root_wrap_type=5)
flawed("with another key in its root wrap", "the wraps hold different keys", root_wrapped_key=OTHER)
flawed("with another key in its wrap", "the wraps hold different keys", by=("device",), wrapped_key=OTHER)
flawed("with a wrap for another version", "wrong wrap info", by=("device",), info_version=2)
flawed("with a wrap for another epoch", "wrong wrap info", by=("device",), info_epoch=1)
flawed("with a wrap for another account", "wrong wrap info", by=("device",), info_account=rnd("another account"))
flawed("with a wrap for another device", "wrong wrap info", by=("device",), info_device=rnd("another device"))
flawed("with a wrap for another key", "wrong wrap info", by=("device",), info_kem=flip(DEVICE_KEM, 0))
flawed("with a wrap of 31 bytes", "a wrapped key has 32 bytes", by=("device",), wrapped_key=EPOCH[:31])
flawed("sealed under another key", "wrong key", body_key=OTHER)
flawed("with a keyring of one epoch more", "the keyring does not match the epoch", keyring=u32(1) + OTHER + LIFETIME)
flawed("with a keyring that ends early", "truncated", keyring=u32(0) + LIFETIME[:31])
flawed("with a byte behind its keyring", "trailing byte", keyring=u32(0) + LIFETIME + b"\0")
flawed("without a keyring", "a field is missing", sealed=fields((2, uv(0))))
flawed("with two keyrings", "a tag stands twice",
       sealed=fields((1, u32(0) + LIFETIME), (1, u32(0) + LIFETIME), (2, uv(0))))
flawed("with tags out of order", "tags descend", sealed=fields((2, uv(0)), (1, u32(0) + LIFETIME)))
flawed("with a long varint", "non-canonical varint", sealed=b"\x81\0" + lp(u32(0) + LIFETIME) + fields((2, uv(0))))
flawed("with a list longer than its count", "bytes left over", labels=uv(0) + lp(DEVICE_ID))
flawed("with more names than devices may be", "a count above its limit", labels=uv(10_000))
flawed("with a joiner signed by another device", "no proof of the joining device's keys",
       joiner=rnd("another device"))
flawed("with a joiner signed as a record", "signed for another purpose", join_purpose="record")
flawed("of another account", "the account is not the first roster key's", account=rnd("another account"))
flawed("whose header names another account", "header and content differ", header_account=rnd("another account"))
flawed("whose header names another version", "header and content differ", header_version=2)
flawed("with a device counter", "device fields are zero in a roster", header_counter=1)
flawed("that claims to be events", "wrong kind", header_kind=1)
flawed("whose device is not named by its keys", "wrong device id", device_id=rnd("another device"))

# ---- pairing --------------------------------------------------------------------------------------------------------

SPOKEN = dict(code="417-lamp-orbit-civil", server="vault.example.org",
              fresh_new=rnd("pairing, new", 64), fresh_old=rnd("pairing, old", 64))
PAIRED = pair(417, "lamp-orbit-civil", b"vault.example.org", SPOKEN["fresh_new"], SPOKEN["fresh_old"])
PAIRING_KEY = PAIRED.pop("key")
holds("pairing", "pair", SPOKEN, PAIRED)
for side, number, content in (("new", 0, b"keys"), ("old", 3, b"an account")):
    holds(f"message of the {side} device", "open pairing message",
          dict(SPOKEN, side=side, number=number,
               sealed=sealed_by(side, PAIRING_KEY, number, content, rnd("pairing, " + side))),
          dict(content=content))
of = "message of the new device"
good = SOUND[of]["sealed"]
refused("pairing message as another one", "wrong number in the associated data", of, number=1)
refused("pairing message of the other side", "wrong sealing key", of, side="old")
refused("pairing message with another word", "another key", of, code="417-lamp-orbit-cliff")
refused("pairing message with another number", "another key", of, code="418-lamp-orbit-civil")
refused("pairing message at another server", "another key", of, server="vault.example.com")
refused("pairing message cut short", "truncated", of, sealed=good[:-1])
for label, at in (("seed", 0), ("commitment", 40), ("content", 64), ("tag", -1)):
    refused(f"pairing message with a changed {label}", "flipped bit", of, sealed=flip(good, at))
