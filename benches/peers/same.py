#!/usr/bin/env python3
"""Compares what a restore brought with the account that was backed up; exits 1 at the first difference.

  same.py files ACCOUNT RESTORED       every file of ACCOUNT/data is in RESTORED, byte for byte, and nothing else
  same.py export ACCOUNT EXPORT [EARLIER]
                                       every message of ACCOUNT/messages.jsonl is in the export: id, chat, sender, time,
                                       text, reply, reactions, deletion, and every attachment on disk byte for byte;
                                       what its app deleted since EARLIER was backed up still tells what stood there
"""
import filecmp, json, pathlib, sys

KEPT = ("chat", "chat_name", "sender", "ts", "text", "reply_to", "deleted")


def differ(what):
    print(f"differs: {what}", file=sys.stderr)
    raise SystemExit(1)


def files(account, restored):
    names = [{path.relative_to(top): path for path in top.rglob("*") if path.is_file()} for top in (account / "data", restored)]
    if names[0].keys() != names[1].keys():
        differ(f"names of files: {sorted(map(str, names[0].keys() ^ names[1].keys()))[:5]}")
    for name, path in names[0].items():
        if not filecmp.cmp(path, names[1][name], shallow=False):
            differ(name)
    return len(names[0])


def told(message):
    """What must come back, as one value. An instant may be written with or without milliseconds."""
    kept = {key: message.get(key) or None for key in KEPT}
    kept["ts"] = kept["ts"].replace(".000Z", "Z")
    kept["reactions"] = sorted((one["by"], one["emoji"]) for one in message.get("reactions", ()))
    if message.get("deleted"):
        kept["text"] = None  # what stood there is looked for by itself
    else:
        kept["edited"] = bool(message.get("edited_at") or message.get("edited"))
    return hash(json.dumps(kept, sort_keys=True))


def still_there(message):
    """Texts of a deleted message that its export still tells."""
    return {message.get("text")} | {one.get("text") for one in message.get("versions", ())}


def by_id(folder, of):
    """`of` each message of a folder's messages.jsonl, by id."""
    found = {}
    with open(folder / "messages.jsonl", encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if found.setdefault(message["id"], of(message)) != of(message):
                differ(f"two messages with id {message['id']}")
    return found


def export(account, out, earlier=None):
    stood = by_id(earlier, lambda message: message.get("text")) if earlier else {}
    come_back = by_id(out, lambda message: (told(message), [one.get("path") for one in message.get("attachments", ())],
                                            message.get("deleted") and still_there(message)))
    seen = media = 0
    with open(account / "messages.jsonl", encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            kept, paths, texts = come_back.get(message["id"], (None, None, None))
            if kept != told(message):
                differ(f"message {line.strip()}")
            seen += 1
            if message.get("deleted"):
                if stood.get(message["id"]) is not None and stood[message["id"]] not in texts:
                    differ(f"text before it was deleted of {message['id']}")
                continue
            wanted = [one["path"] for one in message.get("attachments", ())]
            if len(wanted) != len(paths) or not all(paths):
                differ(f"attachments of {message['id']}: {paths}")
            for ours, theirs in zip(wanted, paths):
                if not filecmp.cmp(account / ours, out / theirs, shallow=False):
                    differ(f"attachment {ours}")
            media += len(wanted)
    if seen != len(come_back):
        differ(f"{len(come_back)} messages for {seen}")
    return seen, media


if __name__ == "__main__":
    print({"files": files, "export": export}[sys.argv[1]](*map(pathlib.Path, sys.argv[2:])))
