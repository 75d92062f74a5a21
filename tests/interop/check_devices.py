#!/usr/bin/env python3
"""Two devices of one account read exports apart and then meet, through the programs and seen from outside.

check_devices.py BINARIES SAMPLES [CORPORA]

Each pair of exports of one chat is imported by two devices, one export each, and both `sync`: then both export the same
bytes, nothing is lost or doubled, and reading the other's export adds nothing. SAMPLES are the two bundled exports. With
CORPORA the pairs of Telegram and WhatsApp there, each style with itself and every iOS style with every Android style,
held to pairs/expected.json and to what the counters beside this file read; and the attachments of every WhatsApp export
with media are compared byte for byte after a restore into fresh homes by kit and by passphrase.
Exits 1 if anything differs.
"""
import collections, hashlib, json, pathlib, sys, zipfile

import count_whatsapp
from held import end, hold
from program import Site

binaries, samples = sys.argv[1], pathlib.Path(sys.argv[2])
corpora = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None


def is_system(message):
    return message["kind"] in ("system", "pin")


def files(out):
    """Every file of an export as chatkeep writes it, by its hash: the messages and their media."""
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in out.rglob("*") if p.is_file()}


def deletions(lines):
    """How many messages are shown as deleted, and the texts and attachments that are kept of them."""
    gone = [m for m in lines if m.get("deleted")]
    return len(gone), sum(bool(m.get("text") or m.get("attachments")) for m in gone)


class Pair:
    """One chat, and what either device reads of it."""

    def __init__(self, label, first, second):
        self.label, self.exports = label, [first, second]
        self.flags = ["--chat", label] if label else []


def meet(site, name, pairs):
    """Reads the pairs apart, lets the devices meet, and gives the messages of each chat as both then show them."""
    one = site.home(name, kit=True)
    two = site.joined(f"{name}-two", one, by="kit")
    for pair in pairs:
        for home, export in zip([one, two], pair.exports):
            home.json("import", export, *pair.flags)
    # The first knows of the second's only after that one spoke.
    for home in [one, two, one]:
        home.json("sync")
    texts = [[{k: v for k, v in m.items() if k != "attachments"} for m in home.export()[0]] for home in (one, two)]
    hold(f"{name}: both show the same", texts[0] == texts[1], True)
    # A sync brings words; whoever wants the other's attachments too restores.
    for home in [one, two]:
        home.json("restore", exits=(0,))
    (lines, out), (_, other) = one.export(), two.export()
    hold(f"{name}: both export the same bytes", files(other) == files(out), True)
    # Each reads what the other brought; then they meet once more.
    for pair in pairs:
        for home, export in [(one, pair.exports[1]), (two, pair.exports[0])]:
            sources = home.json("import", export, *pair.flags)["sources"]
            new = sum(s["messages_new"] + s["versions_new"] for s in sources)
            hold(f"{pair.label or name}: {export.name} read on the other device adds", new, 0)
    for home in [one, two, one]:
        home.json("sync")
    _, again = one.export()
    hold(f"{name}: and all is as it was", files(again) == files(out), True)
    third = site.joined(f"{name}-three", one, by="passphrase")
    third.json("restore")
    _, fresh = third.export()
    hold(f"{name}: a fresh home has the same", files(fresh) == files(out), True)
    chats = collections.defaultdict(list)
    for line in lines:
        chats[line.get("chat_name") or line["chat"]].append(line)
    return chats, out


def bundled(site):
    chats, _ = meet(site, "bundled", [Pair("Family", samples / "family", samples / "family-later")])
    people = [(m["sender_name"], bool(m.get("deleted"))) for m in chats["Family"] if not is_system(m)]
    hold("bundled messages", people, [("Mum", False), ("Ana", False), ("Ana", False), ("Ben", True), ("Mum", False)])
    hold("bundled deletions", deletions(chats["Family"]), (1, 1))


def telegram(site, expected):
    v1, v2 = (corpora / f"pairs/telegram/chat.{v}.zip" for v in ("v1", "v2"))
    wanted, gone = expected["telegram/chat.v2.zip"], expected["_pair"]["deleted_after_v1_on_old"]
    for name, pair in [("telegram", Pair(None, v1, v2)), ("telegram-back", Pair(None, v2, v1))]:
        chats, out = meet(site, name, [pair])
        (lines,) = chats.values()
        people = [m for m in lines if not is_system(m)]
        hold(f"{name} messages", len(people), wanted["messages"] + gone)
        hold(f"{name} system", len(lines) - len(people), wanted["system"])
        hold(f"{name} each once", len({m["native"] for m in people}), len(people))
        hold(f"{name} edited", sum(bool(m.get("edited_at")) for m in people), wanted["edited"])
        hold(f"{name} reactions", sum(len(m.get("reactions", [])) for m in people), wanted["reactions"])
        hold(f"{name} media", len(files(out)) - 1, wanted["attachments_with_bytes"])


def whatsapp_pairs():
    """Label, the two exports, and which of them is the later one."""
    folder = corpora / "pairs/whatsapp"
    ios, android = ["ios-us", "ios-de"], ["android-gb", "android-us"]
    for style in ios + android:
        for v1, v2 in [("v1", "v2"), ("v2", "v1")]:
            yield f"{style} {v1} {v2}", folder / f"{style}.{v1}.zip", folder / f"{style}.{v2}.zip"
    for i in ios:
        for a in android:
            for v1, v2 in [("v1", "v2"), ("v2", "v1"), ("v2", "v2")]:
                yield f"{i} {v1} {a} {v2}", folder / f"{i}.{v1}.zip", folder / f"{a}.{v2}.zip"


def shown(lines):
    """Messages of people by minute, sender and text, those that are deleted without one."""
    text = lambda m: "" if m.get("deleted") else m.get("text", "")
    return collections.Counter((m["ts"][:16], m["sender"], text(m)) for m in lines if not is_system(m))


def whatsapp(site, expected):
    pairs = [Pair(*pair) for pair in whatsapp_pairs()]
    chats, out = meet(site, "whatsapp", pairs)
    hold("whatsapp chats", sorted(chats), sorted(pair.label for pair in pairs))
    for pair in pairs:
        later = next(e for e in reversed(pair.exports) if ".v2." in e.name)
        wanted, lines = expected[f"whatsapp/{later.name}"], chats[pair.label]
        people = [m for m in lines if not is_system(m)]
        _, read = count_whatsapp.read(str(later))
        truth = collections.Counter((time[:16], sender, text) for message, time, sender, text in read if message)
        hold(f"{pair.label}: messages", len(people), wanted["messages"])
        hold(f"{pair.label}: lost", sum((truth - shown(lines)).values()), 0)
        hold(f"{pair.label}: doubled or wrong", sum((shown(lines) - truth).values()), 0)
        # Two apps word their notices differently: each stays.
        notices = {m["text"].strip(count_whatsapp.LRM) for m in lines if is_system(m)}
        hold(f"{pair.label}: notices once each", len(lines) - len(people), len(notices))
        hold(f"{pair.label}: edited", sum(bool(m.get("edited") or m.get("edited_at")) for m in people), wanted["edited"])
        kept = expected["_pair"]["deleted_after_v1_on_old"] if any(".v1." in e.name for e in pair.exports) else 0
        hold(f"{pair.label}: deleted, and texts kept", deletions(people), (wanted["deleted"], kept))
        paths = {a["path"] for m in people for a in m.get("attachments", []) if a.get("path")}
        hold(f"{pair.label}: files", len(paths), wanted["attachments"])


def exports_with_media():
    yield from sorted((corpora / "pairs/whatsapp").glob("*.zip"))
    yield from sorted(p for p in (corpora / "whatsapp").iterdir() if p.is_dir() and any(p.glob("*.jpg")))


def members(export):
    """Every file of an export beside its text: name and hash of the bytes."""
    if export.is_dir():
        found = {p.name: p.read_bytes() for p in export.iterdir()}
    else:
        with zipfile.ZipFile(export) as zip:
            found = {name: zip.read(name) for name in zip.namelist()}
    return sorted((name, hashlib.sha256(bytes).hexdigest()) for name, bytes in found.items() if not name.endswith(".txt"))


def written(site, folder):
    """A small export with media, for where there are no real ones."""
    folder.mkdir()
    names = ["IMG-20240513-WA0001.jpg", "VID-20240513-WA0002.mp4", "PTT-20240513-WA0003.opus"]
    for n, name in enumerate(names):
        (folder / name).write_bytes(hashlib.shake_256(name.encode()).digest(1_000 if n != 1 else 5 << 20))
    lines = [f"13/05/2024, 08:0{n} - Ana: {name} (file attached)\n" for n, name in enumerate(names)]
    (folder / "WhatsApp Chat with Ana.txt").write_text("".join(lines))
    return folder


def attachments(site):
    exports = list(exports_with_media()) if corpora else [written(site, site.dir / "media export")]
    first = site.home("media", kit=True)
    for export in exports:
        first.json("backup", export, "--chat", export.name)
    for by in ["kit", "passphrase"]:
        home = site.joined(f"media-by-{by}", first, by=by)
        restored = home.json("restore", exits=(0,))
        hold(f"by {by}: missing", restored["missing"], [])
        for export in exports:
            lines, out = home.export(export.name)
            shown = [(a["name"], a["path"]) for m in lines for a in m.get("attachments", []) if a.get("path")]
            got = sorted((name, hashlib.sha256((out / path).read_bytes()).hexdigest()) for name, path in shown)
            wanted = members(export)
            hold(f"by {by}: {export.name}, {len(wanted)} attachments byte for byte", got == wanted, True)


with Site(binaries) as site:
    bundled(site)
    attachments(site)
    if corpora:
        expected = json.loads((corpora / "pairs/expected.json").read_text())
        telegram(site, expected)
        whatsapp(site, expected)
end("devices")
