#!/usr/bin/env python3
"""Imports through the program and counts what comes out of `chatkeep export`, from outside.

check_imports.py BINARIES SAMPLES [CORPORA]

SAMPLES are the two bundled exports of one chat. With CORPORA:

Every WhatsApp and Telegram file there: what `import` reports and what `export` then holds are what the counters beside
this file say, bodies compared by their hash over sorted times, senders and texts; pairs/expected.json agrees.
Every re-import pair: v1 v2 v2 and v2 v1 export the same bytes; the third import adds nothing; no message is lost.
Exits 1 if anything differs.
"""
import hashlib, json, pathlib, re, sys

import count_telegram, count_whatsapp
from held import end, hold
from program import Site

binaries, samples = sys.argv[1], pathlib.Path(sys.argv[2])
corpora = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None


def is_system(message):
    return message["kind"] in ("system", "pin")


def bundled(site):
    home = site.home("bundled")
    home.json("import", samples / "family", samples / "family-later", "--chat", "Family")
    lines, _ = home.export()
    texts = [(m.get("sender_name"), m.get("text"), bool(m.get("deleted"))) for m in lines if m["kind"] == "message"]
    cake = "It was me last year \U0001f382\nand the year before"
    hold("bundled exports", texts, [
        ("Mum", "Who brings the cake?", False), ("Ana", "I do", False), ("Ana", "I do", False),
        ("Ben", cake, True), ("Mum", "Thank you all", False),
    ])


def whatsapp_hash(lines):
    def entry(m):
        # `ts` has the minute, which is a message's identity here; seconds stand in the time as the export wrote it.
        seconds = re.search(r"\d[:.]\d\d[:.](\d\d)(?!\d|.*\d[:.]\d\d[:.]\d\d)", m.get("local_time", ""))
        shown = m.get("precision") == "second" and seconds
        time = m["ts"][:16] + (f":{seconds[1]}" if shown else "")
        text = "" if m.get("deleted") else m.get("text", "")
        return f"{time}\0{m.get('sender') or ''}\0{text}\n".encode()
    return hashlib.sha256(b"".join(sorted(entry(m) for m in lines))).hexdigest()


def whatsapp_files():
    for folder in ["", "lorem", "locales", "date-orders"]:
        yield from sorted(p for p in (corpora / "whatsapp" / folder).iterdir() if p.suffix == ".txt")
    yield from sorted(p for p in (corpora / "whatsapp").iterdir() if p.is_dir() and any(p.glob("*hat*.txt")))
    yield from sorted((corpora / "pairs/whatsapp").iterdir())


def whatsapp(site, expected):
    home = site.home("whatsapp")
    for path in whatsapp_files():
        name, order = str(path.relative_to(corpora)), []
        if path.name == "french-format-test.txt":
            asked = home.ended("import", path, "--chat", name, "--json")
            hold(f"{name} asks", (asked.returncode, "--date-order" in asked.stderr), (2, True))
            order = ["--date-order", "dmy"]
        source, = home.json("import", path, "--chat", name, *order)["sources"]
        wanted = count_whatsapp.count(str(path), order[1] if order else None)
        keys = ["messages", "system", "participants", "edited", "deleted"]
        got = {k: source[k] for k in keys} | {"present": source["attachments"]["present"]}
        got["attachments"] = sum(source["attachments"].values())
        hold(f"{name} report", got, {k: wanted[k] for k in got})
        if name.removeprefix("pairs/") in expected:
            known = expected[name.removeprefix("pairs/")]
            hold(f"{name} expected.json", got["present"], known["attachments"])
            hold(f"{name} expected.json", [got[k] for k in keys], [known[k] for k in keys])
        lines, out = home.export(name)
        hold(f"{name} export", (len(lines), sum(map(is_system, lines))), (got["messages"] + got["system"], got["system"]))
        hold(f"{name} bodies", whatsapp_hash(lines), wanted["body_hash"])


def telegram_hash(lines):
    def entry(m):
        native = "" if m["native"].startswith("content:") else m["native"]
        ms = count_telegram.ms_of({"date": m["ts"]}) if m.get("precision") else ""
        return "\x1f".join([native, ms, m.get("sender") or "", m.get("text", "")])
    return hashlib.sha256("\n".join(sorted(map(entry, lines))).encode()).hexdigest()


def telegram(site, expected):
    files = sorted((corpora / "telegram").iterdir()) + sorted((corpora / "pairs/telegram").iterdir())
    for number, path in enumerate(files):
        name, home = str(path.relative_to(corpora)), site.home(f"telegram-{number}")
        sources = home.json("import", path)["sources"]
        wanted = count_telegram.count(str(path))
        keys = ["messages", "system", "participants", "edited", "reactions", "replies"]
        got = {k: sum(s[k] for s in sources) for k in keys}
        got["attachments_with_bytes"] = sum(s["attachments"]["present"] for s in sources)
        hold(f"{name} report", got, {k: wanted[k] for k in got})
        if name.removeprefix("pairs/") in expected:
            known = expected[name.removeprefix("pairs/")]
            hold(f"{name} expected.json", [got["messages"], got["system"]], [known["messages"], known["system"]])
            hold(f"{name} expected.json", got["attachments_with_bytes"], known["attachments_with_bytes"])
        lines, _ = home.export()
        people = [m for m in lines if m["kind"] in ("message", "poll")]
        hold(f"{name} bodies", telegram_hash(people), wanted["body_hash"])


def merged(site, name, exports, *flags):
    """Imports one after the other; the messages, what was new each time, and the bytes of the export."""
    home, told = site.home(name), []
    for export in exports:
        told.append(home.json("import", export, "--reread", *flags)["sources"])
    lines, out = home.export()
    media = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (out / "media").iterdir()}
    new = [sum(s["messages_new"] + s["versions_new"] for s in sources) for sources in told]
    return lines, new, media, (out / "messages.jsonl").read_bytes()


def pairs(site, expected):
    for style in ["ios-us", "ios-de", "android-gb", "android-us"]:
        v1, v2 = (corpora / f"pairs/whatsapp/{style}.{v}.zip" for v in ("v1", "v2"))
        wanted = expected[f"whatsapp/{style}.v2.zip"]
        lines, new, media, text = merged(site, f"{style}-on", [v1, v2, v2], "--chat", "pair")
        _, _, media_back, text_back = merged(site, f"{style}-back", [v2, v1], "--chat", "pair")
        people = [m for m in lines if not is_system(m)]
        hold(f"{style} messages", len(people), wanted["messages"])
        hold(f"{style} system", len(lines) - len(people), wanted["system"])
        hold(f"{style} edited", sum(bool(m.get("edited") or m.get("edited_at")) for m in people), wanted["edited"])
        hold(f"{style} deleted", sum(bool(m.get("deleted")) for m in people), wanted["deleted"])
        hold(f"{style} attachments", len(media), wanted["attachments"])
        hold(f"{style} third import", new[2], 0)
        hold(f"{style} other order", (text_back == text, media_back == media), (True, True))
    v1, v2 = (corpora / f"pairs/telegram/chat.{v}.zip" for v in ("v1", "v2"))
    lines, new, media, _ = merged(site, "telegram-on", [v1, v2, v2])
    back, _, media_back, _ = merged(site, "telegram-back", [v2, v1])
    plain = lambda all: [{k: v for k, v in m.items() if k != "extra"} for m in all]
    wanted, gone = expected["telegram/chat.v2.zip"], expected["_pair"]["deleted_after_v1_on_old"]
    hold("telegram lines", len(lines), wanted["messages"] + wanted["system"] + gone)
    hold("telegram media", len(media), wanted["attachments_with_bytes"])
    hold("telegram third import", new[2], 0)
    hold("telegram other order", (plain(back) == plain(lines), media_back == media), (True, True))


with Site(binaries) as site:
    bundled(site)
    if corpora:
        expected = json.loads((corpora / "pairs/expected.json").read_text())
        whatsapp(site, expected)
        telegram(site, expected)
        pairs(site, expected)
end("imports")
