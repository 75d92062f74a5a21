"""A bucket as a folder, and the way from a recovery key to its rows (format 7)."""
import re
from collections import defaultdict
from pathlib import Path

from . import catalogue, recovery, slot
from .chunks import Files, read_entries
from .derive import H, verifying_key
from .digest import Lanes
from .fold.acts import graves
from .head import read_head
from .join import joined_rows
from .pack import blocks, read_page
from .record import read_mirrored
from .refused import Missing, Refused, WrongKey
from .roster import check_chain, open_by_root, read_keyring, read_roster
from .row import OWN_DELETE, UNDELETE, check_order, read_block

OBJECT_MAX = 16 << 20
ROOT_GENERATIONS_MAX = 10_000
ACTS = (OWN_DELETE, UNDELETE)
GENERATION = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


class Bucket:
    def __init__(self, folder):
        self.folder = Path(folder)

    def read(self, name):
        path = self.folder / name
        try:
            if path.stat().st_size > OBJECT_MAX:
                raise Refused(f"{name} is longer than objects are")
            return path.read_bytes()
        except OSError:
            raise Missing(f"{name} is not in the bucket") from None

    def slots(self, name):
        """The recovery slots of this name, newest generation first."""
        found = [path.name.removeprefix(f"{name}-") for path in (self.folder / "slots").glob(f"{name}-*")]
        generations = sorted((int(g) for g in found if GENERATION.fullmatch(g)), reverse=True)
        return [f"slots/{name}-{generation}" for generation in generations]

    def read_range(self, name, offset, length):
        try:
            with open(self.folder / name, "rb") as file:
                file.seek(offset)
                data = file.read(length)
        except OSError:
            raise Missing(f"{name} is not in the bucket") from None
        if len(data) != length:
            raise Refused(f"{name} ends early")
        return data


class Account:
    """An account opened from a bucket with its recovery key; what does not hold is listed in `damage`."""

    def __init__(self, bucket, recovery_key, today):
        self.bucket, self.today, self.damage = bucket, today, []
        why, names = [], bucket.slots(recovery.slot_name(recovery_key).hex())
        if not names:
            raise WrongKey("this recovery key opens no account in this bucket")
        for name in names:
            try:
                epoch_key, content = self._open(name, recovery.slot_key(recovery_key))
                break
            except Refused as e:
                # While a new root is being mirrored the newest slot may be ahead of the roster, and an older one fits.
                why.append(f"{name}: {e}")
        else:
            raise Refused("; ".join(why))
        self.keyring = read_keyring(self.roster, epoch_key, content)
        self.event_key = H("event id key", self.keyring.lifetime)
        self.digest_key = H("digest key", self.keyring.lifetime)
        self.head = read_head(read_mirrored(self._own("head"), with_frontier=True), self.roster, self.keyring)
        self.files = Files(self.id, self.keyring.lifetime, self._range)

    def _open(self, name, slot_key):
        """Takes the slot if it is the one that the bucket's roster names; gives what opens the roster's content."""
        data = self.bucket.read(name)
        self.slot = slot.open_recovery_slot(slot_key, data)
        self.id = self.slot.account
        self.address = self.id[:16].hex()
        self.roster, epoch_key, content = self._roster(self.slot.root)
        lines = [(line.generation, line.digest) for line in self.roster.slots if line.kind == slot.RECOVERY_KIND]
        if lines != [(self.slot.generation, slot.digest(data))]:
            raise Refused("the roster names another recovery slot")
        return epoch_key, content

    def _own(self, leaf):
        return self.bucket.read(f"{self.address}/{leaf}")

    def _range(self, pack, offset, length):
        return self.bucket.read_range(f"{self.address}/{pack.hex()}", offset, length)

    def _roster(self, root):
        newest = read_mirrored(self._own("roster"))
        roster = read_roster(newest.record, newest.body)
        if verifying_key(H("roster signing key", root)) != roster.verifying_key:
            raise Refused("the roster is not by the root of this recovery key")
        rotations = []
        for generation in range(2, min(roster.root_generation, ROOT_GENERATIONS_MAX) + 1):
            mirrored = read_mirrored(self._own(f"rotation-{generation}"))
            rotations.append(read_roster(mirrored.record, mirrored.body))
        check_chain(self.id, rotations, roster)
        epoch_key = open_by_root(roster, H("root wrap key", root))
        return roster, epoch_key, newest.record.open(epoch_key, newest.body)[1]

    # ---- packs ------------------------------------------------------------------------------------------------------

    def runs(self):
        """Run entries of all pages that can be read."""
        for place in self.head.pages:
            try:
                yield from catalogue.read_entries(read_page(self.id, place, self._own(place.id.hex())))
            except Refused as e:
                self._note("page", place.id, e)

    def _note(self, what, id, error):
        self.damage.append((f"{self.address}/{id.hex()}", f"{what}: {error}"))

    def _gone(self, last_day):
        """Whether a pack may be missing because its last day is over."""
        return 0 < last_day < self.today

    def _blocks(self, what, place, last_day, read):
        """What each sound block of a pack holds, with its footer's line."""
        try:
            data = self._own(place.id.hex())
            found = []
            for number, line, content in blocks(self.id, place, data, lambda text: self._note(what, place.id, text)):
                try:
                    found.append((line, read(content)))
                except Refused as e:
                    self._note(what, place.id, f"block {number}: {e}")
            return found
        except Missing as e:
            if not self._gone(last_day):
                self._note(what, place.id, e)
        except Refused as e:
            self._note(what, place.id, e)
        return []

    def _messages(self, what, place, last_day, stated=None):
        found = self._blocks(what, place, last_day, lambda content: read_block(self.event_key, content))
        rows = [row for _, block in found for row in block]
        try:
            if stated is not None:
                check_order(rows)
            if any((line.rows, line.first_id, line.first_time) != (len(b), b[0].chat_id, b[0].row.time) for line, b in found if b):
                raise Refused("the footer states other rows than the blocks hold")
            if stated is not None and len(found) == place.blocks and stated != len(rows):
                raise Refused("the run's entry states another number of rows")
        except Refused as e:
            self._note(what, place.id, e)
        return rows

    def rows(self):
        """All joined rows by their last day. Chunk runs are taken in on the way."""
        by_day = defaultdict(list)
        for run in self.runs():
            if run.family == catalogue.MESSAGES:
                found = self._messages("run", run.place, run.last_day, run.rows)
                if any(not catalogue.may_hold(run, row.chat_id) for row in found):
                    self._note("run", run.place.id, "the filter leaves a chat out")
                by_day[run.last_day] += found
            elif run.family == catalogue.CHUNKS:
                for _, entries in self._blocks("chunk run", run.place, run.last_day, read_entries):
                    self.files.learn(entries)
        sound = not self.damage
        if self.head.front_page:
            front = self._messages("front page", self.head.front_page, self.head.front_last_day)
            if not sound:
                # Its rows stand in the runs too; where a run is damaged it may have some of them left.
                by_day[0] += front
        return {day: self.joined(rows) for day, rows in by_day.items()}

    def joined(self, rows):
        return joined_rows(rows, self.event_key, self.digest_key)

    def digests(self, rows):
        """H("digest", D) of the rows, by last day; days without rows are those of no row."""
        hashes, gone = {}, _deleted(placed for by_day in rows.values() for placed in by_day)
        for day in rows.keys() | self.head.digests.keys():
            lanes = Lanes(self.digest_key)
            for placed in rows.get(day, ()):
                if placed.row.kind not in ACTS and not gone.isdisjoint((placed.id, placed.row.target)):
                    continue
                lanes.add(placed.chat.source, placed.chat.conversation, placed.row.encode())
            hashes[day] = lanes.hash()
        return hashes

    def check_digests(self, rows):
        """Days whose digest is not the head's. Rows past their last day may be gone."""
        found, empty = self.digests(rows), Lanes(self.digest_key).hash()
        return sorted(day for day, hash in found.items()
                      if self.head.digests.get(day, empty) != hash and not (self._gone(day) and hash == empty))


def _deleted(rows):
    """Ids that own deletions in force name: what they name counts in the digest by the deletion alone."""
    by_chat = defaultdict(list)
    for placed in rows:
        if placed.row.kind in ACTS:
            by_chat[placed.chat_id].append(placed)
    return {id for acts in by_chat.values() for grave in graves(acts) for id in grave.ids}
