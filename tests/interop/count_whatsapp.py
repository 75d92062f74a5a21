#!/usr/bin/env python3
"""Counts a WhatsApp export, written from the description of the format alone.

    count_whatsapp.py EXPORT [--date-order dmy|mdy]

EXPORT is a chat file, a folder or a zip. Prints one JSON object:

messages       lines that name a sender and were not written by the app (calls, polls, media and deleted ones count)
system         all other lines
participants   distinct senders of messages
attachments    files that messages speak of: in the export, left out, or missing (shared places are no files)
present        those whose bytes are in the export
edited         messages that carry a mark of edition
deleted        messages shown as deleted
body_hash      SHA-256 over the sorted entries `TIME NUL SENDER NUL TEXT LF`, one per line of the chat, UTF-8.
               TIME is `YYYY-MM-DDTHH:MM`, with `:SS` where the export shows seconds. SENDER is the name without
               direction marks, empty for system lines. TEXT is what is shown: without marks of edition and signs of
               files, and empty for deleted messages.

Standard library only. It shares no code and no table with the importer it checks, and reads the whole file into memory.
"""

import hashlib
import io
import json
import os
import re
import sys
import unicodedata
import zipfile

LRM = "\u200e"
MARKS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
SPACE = "[ \t\u00a0\u202f\u2000-\u200a]"

HALF = r"(?:[AaPp]\.?" + SPACE + r"?[Mm]\.?|[صم])"
HEADER = re.compile(
    rf"^[{MARKS}]*(?P<open>\[)?(?P<a>\d{{1,4}})[{MARKS}]*(?P<sep>[/.\-])(?P<b>\d{{1,2}})[{MARKS}]*(?P=sep)(?P<c>\d{{1,4}})"
    rf"[{MARKS}]*(?P<gap>[,،]?{SPACE}+(?:klo{SPACE}+)?)"
    rf"(?P<h>\d{{1,2}})(?P<ts>[:.])(?P<m>\d{{2}})(?:(?P=ts)(?P<s>\d{{2}}))?"
    rf"(?:{SPACE}?(?P<half>{HALF}))?(?P<end>\]{SPACE}?|{SPACE}+[-–]{SPACE}|:{SPACE})(?P<rest>.*)$",
    re.S,
)

DELETED = {
    "this message was deleted", "you deleted this message", "diese nachricht wurde gelöscht",
    "du hast diese nachricht gelöscht", "se eliminó este mensaje", "ce message a été supprimé",
}
EDITED = {"this message was edited", "diese nachricht wurde bearbeitet", "se editó este mensaje", "ce message a été modifié"}
LEFT_OUT = re.compile(r"omitted|weggelassen|ausgelassen|ausgeschlossen|omitid|omis|oculta|omess|weggelaten", re.I)
KINDS = re.compile(r"image|video|audio|gif|sticker|document|contact|bild|dokument|kontakt|imagen|photo|foto", re.I)
ATTACHED = re.compile(r"attached|anhang|angehängt|adjunto|joint|allegato|anexado|bijgevoegd", re.I)
CALLS = re.compile(r"(voice|video|missed|group) call|(sprach|video)anruf|llamada|appel (vocal|vidéo)", re.I)
NOTICE = re.compile(r"^(Messages and calls are end-to-end|Nachrichten und Anrufe sind Ende-zu-Ende)", re.I)


def fold(text):
    """Lower case without marks and final full stop."""
    return "".join(c for c in text if c not in MARKS).strip().rstrip(".").lower()


def load(path):
    """The chat's bytes, and the bare names of the files beside it."""
    if os.path.isdir(path):
        names = sorted(os.listdir(path))
        chat = next(n for n in names if n.endswith(".txt"))
        with open(os.path.join(path, chat), "rb") as file:
            return file.read(), {n for n in names if n != chat}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            chat = next(n for n in names if n.endswith(".txt"))
            return archive.read(chat), {n.rsplit("/", 1)[-1] for n in names if n != chat}
    with open(path, "rb") as file:
        return file.read(), set()


def shape(m):
    """What must be alike in all headers of one file."""
    place = "first" if len(m["a"]) == 4 else "last" if len(m["c"]) == 4 else "short"
    return (bool(m["open"]), m["end"].strip(), place, m["sep"], "," in m["gap"] or "،" in m["gap"],
            m["ts"], m["s"] is not None, m["half"] is not None)


def header(line):
    m = HEADER.match(line)
    if not m or bool(m["open"]) != m["end"].startswith("]"):
        return None
    lengths = (len(m["a"]), len(m["c"]))
    if lengths not in ((4, 1), (4, 2), (1, 4), (2, 4), (1, 2), (2, 2)):
        return None
    return m


def ymd(m, order):
    a, b, c = int(m["a"]), int(m["b"]), int(m["c"])
    if len(m["a"]) == 4:
        return a, b, c
    y, mo, d = {"dmy": (c, b, a), "mdy": (c, a, b), "ymd": (a, b, c)}[order]
    return (y + 2000 if y < 100 else y), mo, d


def valid(date):
    y, mo, d = date
    days = [31, 29 if y % 4 == 0 and (y % 100 or y % 400 == 0) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return y >= 2009 and 1 <= mo <= 12 and 1 <= d <= days[mo - 1]


def clock(m):
    h = int(m["h"])
    if m["half"]:
        late = m["half"][0] in "Ppم"
        h = h + 12 if late and h < 12 else 0 if not late and h == 12 else h
    return h, int(m["m"]), int(m["s"] or 0)


def choose_order(heads, asked):
    """By impossible fields, then days in media names, then steps back in time."""
    if all(len(m["a"]) == 4 for m in heads):
        return "ymd"
    orders = ["dmy", "mdy"] + (["ymd"] if len(heads[0]["c"]) == 2 else [])
    wrong = {o: sum(not valid(ymd(m, o)) for m in heads) for o in orders}
    orders = [o for o in orders if wrong[o] == min(wrong.values())]
    named = {o: 0 for o in orders}
    for m in heads:
        day = re.search(r"-(20\d{6})-WA|-[A-Z]+-(20\d\d-\d\d-\d\d)-", m["rest"])
        if day:
            digits = (day[1] or day[2]).replace("-", "")
            for o in orders:
                named[o] += "%04d%02d%02d" % ymd(m, o) == digits
    orders = [o for o in orders if named[o] == max(named.values())]
    if asked in orders:
        return asked
    back = {}
    for o in orders:
        times = [ymd(m, o) + clock(m) for m in heads if valid(ymd(m, o))]
        back[o] = sum(later < earlier for earlier, later in zip(times, times[1:]))
    orders = [o for o in orders if back[o] == min(back.values())]
    same = all(m["a"] == m["b"] for m in heads)
    if "dmy" in orders and (same or heads[0]["sep"] == "."):
        return "dmy"
    orders = [o for o in orders if o != "ymd"] or orders
    if len(orders) != 1:
        sys.exit("the dates can be read in two ways: give --date-order")
    return orders[0]


def split_name(rest, known):
    """Name and body, or none for a system line."""
    first, _, more = rest.partition("\n")
    clean = re.search(r":(?=[ \u200e]|$)", first)
    tight = next((n for n in known if first.startswith(n + ":")), None)
    if tight is not None and not (clean and first[: clean.start()] in known):
        return tight, rest[len(tight) + 1:]
    if not clean or not first[: clean.start()].strip(MARKS + " "):
        return None
    name, body = first[: clean.start()], rest[clean.end():]
    return name, body[1:] if body.startswith(" ") else body


def content(body, files, ios, marks):
    """(is a message, text, attachments, present, edited, deleted)"""
    strict = ios and marks
    led = body.startswith(LRM)
    first = body.split("\n")[0]
    if ("\n" in body and (led or not strict) and re.match(rf"[{MARKS}]*[^\n]{{1,40}}:$", first)
            and re.search(rf"(?m)^[{MARKS}]*[^\n]+: [^\n]+ \([^()\n]*\d[^()\n]*\)[{MARKS}]*$", body)
            and (led or fold(first) in ("poll:", "umfrage:", "encuesta:"))):
        return True, body, 0, 0, False, False

    edited = False
    mark = re.search(rf"(?s)^(?P<text>.*?)[ \n]*(?P<lrm>{LRM}?)<(?P<in>[^<>\n:]+)>\s*$", body)
    if mark and not LEFT_OUT.search(mark["in"]):
        told = fold(mark["in"]) in EDITED and (mark["lrm"] or not strict)
        if told or (mark["lrm"] and mark["text"].strip(MARKS + " \n")):
            edited, body = True, mark["text"].rstrip(" \n" + MARKS)

    def there(name):
        name = "".join(c for c in name if c not in MARKS)
        return unicodedata.normalize("NFC", name) in {unicodedata.normalize("NFC", f) for f in files}

    first, _, caption = body.partition("\n")
    bare = first.strip(MARKS + " ")
    paren = re.match(r"^(?P<f>.+) \((?P<w>[^()]*)\)$", bare)
    if paren and (there(paren["f"]) or (ATTACHED.search(paren["w"]) and (led or not strict))):
        return True, caption, 1, int(there(paren["f"])), edited, False
    if "." in bare and there(bare):
        return True, caption, 1, 1, edited, False
    tokens = list(re.finditer(rf"(?P<lrm>{LRM}?)<(?P<w>[^<>:\n]+): (?P<f>[^<>\n]+)>", body))
    tokens = [t for t in tokens
              if there(t["f"]) or (t["lrm"] and re.search(r"\.\w{1,8}$", t["f"])) or (not strict and ATTACHED.search(t["w"]))]
    if tokens:
        text = body
        for t in reversed(tokens):
            text = text[: t.start()] + text[t.end():]
        return True, text.strip(" \n"), len(tokens), sum(there(t["f"]) for t in tokens), edited, False

    if fold(body) in DELETED and (led or not strict):
        return True, "", 0, 0, False, True
    whole = re.match(rf"^[{MARKS}]*<([^<>]+)>$", first.strip())
    if whole and LEFT_OUT.search(whole[1]) and (led or not strict):
        return True, caption, 1, 0, edited, False
    if LRM in body:
        before, tail = body.rsplit(LRM, 1)
        if "\n" not in tail and len(tail) < 48 and LEFT_OUT.search(tail) and KINDS.search(tail):
            return True, before.strip(MARKS + " \n"), 1, 0, edited, False
    if NOTICE.match(body.lstrip(MARKS)):
        return False, body, 0, 0, False, False
    if ios and led:
        place = re.search(r": https://(maps\.google\.com/\?q=|foursquare\.com/v/)\S+$", body)
        if not place and not CALLS.search(body):
            return False, body, 0, 0, False, False
    return True, body, 0, 0, edited, False


def count(path, asked):
    out, lines = read(path, asked)
    entries = [f"{time}\0{sender}\0{text}\n".encode() for _, time, sender, text in lines]
    out["body_hash"] = hashlib.sha256(b"".join(sorted(entries))).hexdigest()
    return out


def read(path, asked=None):
    """The counts, and of every line whether it is a message, its time, sender and text."""
    raw, files = load(path)
    text = raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    lines = [line[:-1] if line.endswith("\r") else line for line in text.split("\n")]
    heads = [h for h in map(header, lines) if h]
    own = shape(heads[0])
    mixes = own[0] and own[2] == "first"

    def accepted(h):
        s = shape(h)
        if s == own:
            return True
        if s[:2] != own[:2]:
            return False
        alike = sum(shape(x) == s for x in heads)
        return (alike >= 2 and alike * 4 >= len(heads)) or (mixes and s[2] != "short" and s[6] == own[6])

    order = choose_order([h for h in heads if shape(h) == own], asked)
    foreign = asked or "dmy"

    def date(h):
        return ymd(h, order if shape(h) == own or order != "ymd" else foreign)

    events = []
    for line in lines:
        h = header(line)
        if h and accepted(h) and valid(date(h)):
            events.append([h, h["rest"]])
        elif events:
            events[-1][1] += "\n" + line
    if events:
        events[-1][1] = events[-1][1].rstrip("\n")

    tally = {}
    for _, rest in events:
        m = re.match(r"([^:\n]+):(?=[ \u200e\n]|$)", rest)
        if m:
            tally[m[1]] = tally.get(m[1], 0) + 1
    known = set(tally)
    marks = any(h[0].lstrip("\ufeff").startswith(LRM) or ": " + LRM in h["rest"] or h["rest"].startswith(LRM) for h in heads if accepted(h))

    out = dict.fromkeys(["messages", "system", "participants", "attachments", "present", "edited", "deleted"], 0)
    people, entries = set(), []
    for h, rest in events:
        named = split_name(rest, known)
        if named is None:
            sender, said = "", (False, rest, 0, 0, False, False)
        else:
            said = content(named[1], files, own[0], marks)
            sender = "".join(c for c in named[0] if c not in MARKS).strip() if said[0] else ""
        message, shown, attachments, present, edited, deleted = said
        out["messages" if message else "system"] += 1
        out["attachments"] += attachments
        out["present"] += present
        out["edited"] += edited
        out["deleted"] += deleted
        if message:
            people.add(sender)
        y, mo, d = date(h)
        hour, minute, second = clock(h)
        time = f"{y:04}-{mo:02}-{d:02}T{hour:02}:{minute:02}" + (f":{second:02}" if h["s"] else "")
        entries.append((message, time, sender, shown))
    out["participants"] = len(people)
    return out, entries


if __name__ == "__main__":
    arguments = sys.argv[1:]
    wish = None
    if "--date-order" in arguments:
        at = arguments.index("--date-order")
        wish = arguments[at + 1]
        del arguments[at: at + 2]
    if len(arguments) != 1:
        sys.exit(__doc__)
    json.dump(count(arguments[0], wish), io.TextIOWrapper(sys.stdout.buffer, "utf-8"))
