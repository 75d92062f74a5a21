#!/usr/bin/env python3
"""Counts what a Telegram Desktop JSON export holds, without any of chatkeep's code.

Usage: count_telegram.py EXPORT        (a result.json, a folder or a zip)

Prints one JSON object: messages (people's, no service lines), system (service lines), participants (distinct senders
of messages), attachments (photos, files, contacts, places), attachments_with_bytes (whose file is in the export),
edited, reactions (people named under "recent"), replies, body_hash.

body_hash is SHA-256 over the sorted lines "id US ms US sender US text", joined by newlines, of all messages of people:
id as text or empty; ms since 1970, a local time read as UTC, or empty; sender id, else name, else empty; the plain text,
or for a poll without text its question and answers. US is the character U+001F.
"""

import datetime
import hashlib
import json
import os
import sys
import zipfile


def open_export(path):
    """Gives the texts of JSON files by path, and the set of all paths."""
    if os.path.isdir(path):
        names, texts = set(), {}
        for folder, _, files in os.walk(path):
            for name in files:
                full = os.path.join(folder, name)
                rel = os.path.relpath(full, path)
                names.add(rel)
                if rel.endswith(".json"):
                    with open(full, encoding="utf-8-sig") as f:
                        texts[rel] = f.read()
        return texts, names
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as z:
            names = set(z.namelist())
            return {n: z.read(n).decode("utf-8-sig") for n in names if n.endswith(".json")}, names
    with open(path, encoding="utf-8-sig") as f:
        return {os.path.basename(path): f.read()}, {os.path.basename(path)}


def chats_of(root):
    if "messages" in root:
        yield root
    for key in ("chats", "left_chats"):
        yield from root.get(key, {}).get("list", [])


def plain(text):
    if isinstance(text, str):
        return text
    return "".join(p if isinstance(p, str) else p["text"] for p in text)


def shown(message):
    text = plain(message["text"]) if "text" in message else plain(message.get("text_entities", ""))
    if text == "" and "poll" in message:
        poll = message["poll"]
        text = "\n- ".join([plain(poll.get("question", ""))] + [plain(a.get("text", "")) for a in poll.get("answers", [])])
    return text


def ms_of(message):
    if "date_unixtime" in message:
        return str(int(message["date_unixtime"]) * 1000)
    if "date" not in message:
        return ""
    when = datetime.datetime.fromisoformat(message["date"].replace("Z", "+00:00"))
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.timezone.utc)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return str((when - epoch) // datetime.timedelta(milliseconds=1))


def sender_of(message):
    for key in ("from_id", "from"):
        if message.get(key) not in (None, ""):
            return str(message[key])
    return ""


def count(path):
    texts, names = open_export(path)
    total = dict.fromkeys(
        ["messages", "system", "participants", "attachments", "attachments_with_bytes", "edited", "reactions", "replies"], 0
    )
    senders, lines = set(), []
    for name, text in sorted(texts.items()):
        folder = os.path.dirname(name)
        for chat in chats_of(json.loads(text)):
            of_chat = set()
            for message in chat["messages"]:
                if message.get("type") == "service":
                    total["system"] += 1
                else:
                    total["messages"] += 1
                    if sender_of(message):
                        of_chat.add(sender_of(message))
                    fields = [str(message.get("id", "")), ms_of(message), sender_of(message), shown(message)]
                    lines.append("\x1f".join(fields))
                files = [message[k] for k in ("photo", "file") if k in message]
                if "contact_vcard" in message:
                    files.append(message["contact_vcard"])
                elif "contact_information" in message:
                    files.append("")
                total["attachments"] += len(files) + ("location_information" in message)
                total["attachments_with_bytes"] += sum(os.path.join(folder, f) in names for f in files if f)
                total["edited"] += "edited" in message or "edited_unixtime" in message
                total["replies"] += "reply_to_message_id" in message
                total["reactions"] += sum(len(r.get("recent", [])) for r in message.get("reactions", []))
            senders |= {(name, id(chat), s) for s in of_chat}
    total["participants"] = len(senders)
    total["body_hash"] = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return total


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1])))
