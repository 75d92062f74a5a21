"""Runs the vectors of client/tests/vectors: each call computed here must give what it holds, or refuse."""
import json
import sys
from pathlib import Path

from . import derive, digest, recovery, seal, slot, unwrap
from .derive import H, K, lp, u8, u32, u64, verify, verifying_key
from .record import read_record
from .refused import Refused
from .roster import check_first, open_by_root, read_keyring, read_roster


def plain(value):
    return value.hex() if isinstance(value, bytes) else value


def calls():
    """Of each call: a function from its inputs, and from what it should give, to what is found."""
    named = {name.replace("_", " "): call for name, call in vars(Calls).items() if not name.startswith("_")}
    return {name.replace("sign in", "sign-in"): call for name, call in named.items()}


class Calls:
    """One function for each call. What writes is checked by reading back what it should give."""

    def recovery_key(w, gives):
        key = recovery.parse(w.typed)
        seed = recovery.sign_in_seed(key)
        return dict(text=recovery.shown(key), verifying_key=verifying_key(seed), slot_name=recovery.slot_name(key))

    def recovery_key_drawn(w, gives):
        return dict(text=recovery.shown(w.fresh))

    def root(w, gives):
        key = verifying_key(H("roster signing key", w.root))
        return dict(verifying_key=key, account=derive.account_id(key))

    def device(w, gives):
        key, encapsulation = verifying_key(w.seeds[:32]), unwrap.encapsulation_key(w.seeds[32:])
        return dict(id=H("device id", key, encapsulation), verifying_key=key, encapsulation_key=encapsulation)

    def device_sign_in(w, gives):
        key, encapsulation = verifying_key(w.seeds[:32]), unwrap.encapsulation_key(w.seeds[32:])
        said = lp(w.server.encode()) + w.account + H("device id", key, encapsulation) + w.nonce
        verify(key, "sign-in", said, gives.signature)
        return dict(signature=gives.signature)

    def recovery_sign_in(w, gives):
        key = verifying_key(recovery.sign_in_seed(recovery.parse(w.typed)))
        verify(key, "recovery sign-in", lp(w.server.encode()) + lp(w.name.encode()) + w.nonce, gives.signature)
        return dict(signature=gives.signature)

    def permit(w, gives):
        said = w.account + u64(w.roster_version) + u8(1) + u64(w.bytes) + u32(w.last_day)
        verify(verifying_key(H("roster signing key", w.root)), "permit", said, gives.signature)
        return dict(signature=gives.signature)

    def epoch_commitment(w, gives):
        return dict(commitment=derive.epoch_commitment(w.epoch_key, w.account, w.epoch))

    def chat_id(w, gives):
        return dict(id=derive.chat_id(H("event id key", w.lifetime), w.source, w.conversation))

    def event_id(w, gives):
        return dict(id=derive.event_id(H("event id key", w.lifetime), w.source, w.conversation, w.kind, w.native))

    def version_mark(w, gives):
        return dict(mark=K(H("event id key", w.lifetime), b"\2" + w.values).hex()[:32])

    def file_id(w, gives):
        return dict(id=derive.file_id(H("file id key", w.lifetime), w.content_hash, w.size))

    def chunk_id(w, gives):
        return dict(id=K(H("chunk id key", w.lifetime), w.content))

    def row_rank(w, gives):
        return dict(rank=digest.rank(H("digest key", w.lifetime), w.source, w.conversation, w.row))

    def digest(w, gives):
        lanes = digest.Lanes(H("digest key", w.lifetime))
        for row in w.add:
            lanes.add(w.source, w.conversation, bytes.fromhex(row))
        for row in w.remove:
            lanes.remove(w.source, w.conversation, bytes.fromhex(row))
        return dict(hash=lanes.hash())

    def pack_padding(w, gives):
        return dict(padding=derive.padding(w.key, w.pack, w.length))

    chunk_padding = pack_padding

    def open_piece(w, gives):
        return dict(content=seal.open_piece(w.key, w.account, w.pack, w.number, w.last, w.sealed))

    def open_chunk(w, gives):
        return dict(content=seal.open_chunk(w.key, w.account, w.chunk, w.sealed))

    def open_media(w, gives):
        return dict(content=seal.open_media(w.key, w.account, w.file, w.number, w.last, w.sealed))

    def seal_piece(w, gives):
        found = seal.open_piece(w.key, w.account, w.pack, w.number, w.last, gives.sealed)
        return dict(sealed=gives.sealed if found == w.content else found)

    def seal_chunk(w, gives):
        found = seal.open_chunk(w.key, w.account, w.chunk, gives.sealed)
        return dict(sealed=gives.sealed if found == w.content else found)

    def seal_media(w, gives):
        found = seal.open_media(w.key, w.account, w.file, w.number, w.last, gives.sealed)
        return dict(sealed=gives.sealed if found == w.content else found)

    def open_recovery_slot(w, gives):
        found = slot.open_recovery_slot(recovery.slot_key(recovery.parse(w.typed)), w.slot)
        if w.name not in (None, found.name):
            raise Refused("the slot is of another name")
        return dict(account=found.account, generation=found.generation, root_generation=found.root_generation,
                    roster_key=verifying_key(H("roster signing key", found.root)))

    def make_recovery_slot(w, gives):
        found = slot.open_recovery_slot(recovery.slot_key(w.recovery), gives.slot)
        expected = slot.Slot(w.account, w.generation, w.root_generation, w.name, w.root)
        return dict(slot=gives.slot if found == expected else b"")

    def open_record(w, gives):
        record = read_record(w.record)
        record.check("record", w.verifying_key)
        clear, content = record.open(w.epoch_key, w.body)
        return dict(clear=clear, content=content)

    def seal_record(w, gives):
        record = _signed(w, gives)
        clear, content = record.open(w.epoch_key, gives.body)
        return dict(gives._all if (clear, content) == (w.clear, w.content) else {})

    def sign_bare(w, gives):
        record = _signed(w, gives)
        record.parts(b"")
        return dict(record=gives.record)

    def open_roster_by_root(w, gives):
        record = read_record(w.record)
        roster = read_roster(record, w.body)
        if verifying_key(H("roster signing key", w.root)) != roster.verifying_key:
            raise Refused("the root is not this roster's")
        return _shown(record, roster, open_by_root(roster, H("root wrap key", w.root)), w.body)

    def open_roster_by_device(w, gives):
        record = read_record(w.record)
        roster = read_roster(record, w.body)
        return _shown(record, roster, unwrap.open_by_device(roster, w.seeds), w.body)


def _signed(w, gives):
    record = read_record(gives.record)
    record.check("record", verifying_key(w.seeds[:32]))
    for name, value in w.header.items():
        if plain(getattr(record, name)) != value:
            raise Refused(f"{name} is another")
    return record


def _shown(record, roster, epoch_key, body):
    check_first(roster)
    keyring = read_keyring(roster, epoch_key, record.open(epoch_key, body)[1])
    chat = derive.chat_id(H("event id key", keyring.lifetime), "telegram", "personal_chat:Zoë")
    return dict(account=roster.account, version=roster.version, epoch=roster.epoch, names=list(keyring.names.values()),
                chat=chat, commitment=roster.commitment)


class Inputs:
    """Inputs of a vector by name; what is hex there is bytes here, unless the call takes it as text."""

    TEXT = {"typed", "source", "conversation", "native", "server", "name", "text", "rank", "mark"}

    def __init__(self, values):
        self._all = values
        for name, value in values.items():
            self.__dict__[name] = value if name in self.TEXT or not isinstance(value, str) else bytes.fromhex(value)


# What two devices say to each other stands in no bucket.
ELSEWHERE = {"pair", "open pairing message"}


def run(folder, out=sys.stdout):
    """Runs all vectors of a folder; true if every one is as it should be."""
    known, sound, wrong = calls(), {}, []
    counts = {"holds": 0, "refused": 0}
    for path in sorted(Path(folder, "holds").glob("*.json")):
        vector = sound[path.stem] = json.loads(path.read_text())
        if vector["call"] in ELSEWHERE:
            continue
        try:
            found = known[vector["call"]](Inputs(vector["with"]), Inputs(vector["gives"]))
            holds = {name: plain(value) for name, value in found.items()} == vector["gives"]
        except (Refused, KeyError) as e:
            print(f"holds/{path.name}: {e!r}", file=sys.stderr)
            holds = False
        counts["holds"] += holds
        if not holds:
            wrong.append(f"holds/{path.name}")
    for path in sorted(Path(folder, "refused").glob("*.json")):
        vector = json.loads(path.read_text())
        of = sound[vector["of"]]
        if of["call"] in ELSEWHERE:
            continue
        try:
            known[of["call"]](Inputs({**of["with"], **vector["changed"]}), Inputs(of["gives"]))
            wrong.append(f"refused/{path.name}: it opens, though: {vector['flaw']}")
        except Refused:
            counts["refused"] += 1
    print(f"vectors: {counts['holds']} hold, {counts['refused']} are refused, {len(wrong)} are wrong", file=out)
    for line in wrong:
        print(line, file=sys.stderr)
    return not wrong and counts["holds"] > 0 and counts["refused"] > 0
