"""Writes everything a bucket holds: messages.jsonl and the media beside it."""
import io
from dataclasses import replace
from pathlib import Path

from .bytes import as_text
from .fold import messages, titles
from .lines import in_order, line, media_path
from .refused import Refused
from .row import Tag
from .values import PRESENT, read_attachment

LONG_FIELDS = ((Tag.LONG_BODY, Tag.BODY), (Tag.LONG_EXTRA, Tag.EXTRA))
LONG_MAX = 64 << 20


class Restore:
    def __init__(self, account, out, with_timed=False):
        self.account, self.out, self.with_timed, self.known = account, Path(out), with_timed, {}
        self.count = self.attachments = 0

    def run(self):
        self.out.mkdir(parents=True, exist_ok=True)
        by_day = self.account.rows()
        if not self.account.damage:
            for day in self.account.check_digests(by_day):
                self.account.damage.append(("rows", f"those of last day {day} are not the ones the head states"))
        # Once more over all days: a row may lie under two of them where only the front page is left of it.
        rows = self.account.joined(placed for rows in by_day.values() for placed in rows)
        rows = [self._whole(placed) for placed in rows]
        named = titles(rows)
        with open(self.out / "messages.jsonl", "x", encoding="utf-8", newline="\n") as file:
            for message in in_order(messages(rows)):
                if self.with_timed or not message.timed:
                    file.write(line(message, named.get(message.chat), self._written) + "\n")
                    self.count += 1

    def _whole(self, placed):
        """The row with long fields put back from the files that hold them."""
        fields = placed.row.fields
        for long, short in LONG_FIELDS:
            if long in placed.row.fields:
                try:
                    file = read_attachment(placed.row.fields[long])
                    content = io.BytesIO()
                    self._copy(file, content, LONG_MAX)
                    as_text(content.getvalue())
                    fields = {**fields, short: content.getvalue()}
                except Refused as e:
                    self.account.damage.append((f"a long text of {placed.chat.source} {placed.row.native!r}", str(e)))
        return placed if fields is placed.row.fields else replace(placed, row=replace(placed.row, fields=fields))

    def _copy(self, attachment, out, limit=None):
        found = attachment.hash and self.account.files.find(attachment.hash, attachment.size)
        if not found:
            raise Refused("no run knows this file")
        if limit is not None and found.size > limit:
            raise Refused("it is longer than texts may be")
        return self.account.files.write(found, attachment.hash, out)

    def _written(self, message, attachment):
        if attachment.hash is None or attachment.presence != PRESENT:
            return None
        path = media_path(attachment)
        if path not in self.known:
            self.known[path] = self._write(attachment, path)
        size = self.known[path]
        return None if size is None else (path, size)

    def _write(self, attachment, path):
        target = self.out / path
        target.parent.mkdir(exist_ok=True)
        try:
            with open(target, "xb") as out:
                size = self._copy(attachment, out)
            self.attachments += 1
            return size
        except Refused as e:
            target.unlink()
            self.account.damage.append((attachment.name or path, str(e)))
            return None
