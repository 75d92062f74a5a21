"""Reads a bucket without any service, or runs the vectors.

python3 -m reader BUCKET_DIR --recovery-key-file KIT_OR_KEY --out DIR    messages.jsonl and media/ (new or empty)
python3 -m reader digest BUCKET_DIR --recovery-key-file KIT_OR_KEY       compares the rows with what the head states
python3 -m reader vectors FOLDER                                         what must open opens, what must fail fails

Leaves with 0; 4 if something is damaged or missing, after writing all the rest; 12 if the key opens nothing here.
"""
import argparse
import sys
import time
from pathlib import Path

from . import recovery, vectors
from .bucket import Account, Bucket
from .refused import Refused, WrongKey
from .restore import Restore

DAMAGED, USAGE, WRONG_KEY = 4, 2, 12


def main(words):
    if words[:1] == ["vectors"]:
        return _vectors(words[1:])
    digest = words[:1] == ["digest"]
    parser = argparse.ArgumentParser(prog="reader", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bucket")
    parser.add_argument("--recovery-key-file", required=True)
    if not digest:
        parser.add_argument("--out", required=True)
        parser.add_argument("--with-timed", action="store_true", help="messages with a timer too")
    given = parser.parse_args(words[1:] if digest else words)
    if not digest and Path(given.out).exists() and not (Path(given.out).is_dir() and not any(Path(given.out).iterdir())):
        parser.error("--out must be a folder that is new or empty")
    if not Path(given.recovery_key_file).is_file():
        parser.error("there is no such recovery key file")
    try:
        key = recovery.from_kit(Path(given.recovery_key_file).read_text(encoding="utf-8", errors="replace"))
        account = Account(Bucket(given.bucket), key, int(time.time() // 86_400))
    except WrongKey as e:
        print(e, file=sys.stderr)
        return WRONG_KEY
    except Refused as e:
        print(f"the account cannot be opened: {e}", file=sys.stderr)
        return DAMAGED
    ok = _digest(account) if digest else _restore(account, given.out, given.with_timed)
    for name, reason in account.damage:
        print(f"{name}: {reason}", file=sys.stderr)
    return 0 if ok and not account.damage else DAMAGED


def _vectors(words):
    if len(words) != 1:
        print("usage: reader vectors FOLDER", file=sys.stderr)
        return USAGE
    return 0 if vectors.run(words[0]) else 1


def _restore(account, out, with_timed):
    restore = Restore(account, out, with_timed)
    restore.run()
    print(f"{restore.count} messages, {restore.attachments} attachments")
    return True


def _digest(account):
    rows = account.rows()
    wrong = account.check_digests(rows)
    for day, hash in sorted(account.digests(rows).items()):
        stated = account.head.digests.get(day)
        print(f"last day {day}: {hash.hex()} from {len(rows.get(day, ()))} rows,"
              f" the head states {stated.hex() if stated else 'none'}{'; NOT EQUAL' if day in wrong else ''}")
    return not wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
