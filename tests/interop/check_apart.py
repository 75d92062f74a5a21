#!/usr/bin/env python3
"""Exports of one chat that differ in where they begin and in their zone, read by two devices before either has synced.

check_apart.py BINARIES SAMPLES [CORPORA]

One device reads the earlier export of a chat, the other the later one: whole, without its beginning, written three hours
ahead, and both. After a sync both show what the exports say together, nothing lost and nothing doubled. With CORPORA the
pairs of WhatsApp, Telegram and, made of the latter, JSON Lines there; without, an export made here. Every pair is read
in both orders. (Whole exports in their own zone: check_devices.py.) Exits 1 if anything differs.
"""
import collections, datetime, json, pathlib, re, sys, zipfile

from held import end, hold
from program import Site

binaries = sys.argv[1]
corpora = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
MARKS = "[\u200e\u200f\u202f\u00a0]"
AHEAD = datetime.timedelta(hours=3)


class Style:
    """How an app and a country write the head of a line."""

    def __init__(self, head, order, show):
        self.head, self.order, self.show = re.compile(rf"^({MARKS}*)" + head), order, show

    def shifted(self, line):
        """The line with its time three hours later."""
        found = self.head.match(line)
        n = {name: int(value) for name, value in found.groupdict().items() if name in "dmyHMS" and value}
        hour = n["H"] if found.groupdict().get("half") is None else n["H"] % 12 + 12 * (found["half"] == "PM")
        time = datetime.datetime(n["y"] % 100 + 2000, n["m"], n["d"], hour, n["M"], n.get("S") or 0) + AHEAD
        return found[1] + self.show(time) + line[found.end() :]


US = r"(?P<m>\d+)/(?P<d>\d+)/(?P<y>\d\d), (?P<H>\d+):(?P<M>\d\d)"
half = lambda t: ((t.hour - 1) % 12 + 1, "AM" if t.hour < 12 else "PM")
STYLES = {
    "ios-us": Style(
        rf"\[{US}:(?P<S>\d\d)[ \u202f](?P<half>[AP]M)\] ", "mdy",
        lambda t: f"[{t.month}/{t.day}/{t:%y}, {half(t)[0]}:{t:%M:%S} {half(t)[1]}] ",
    ),
    "ios-de": Style(
        r"\[(?P<d>\d\d)\.(?P<m>\d\d)\.(?P<y>\d\d), (?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)\] ", "dmy",
        lambda t: f"[{t:%d.%m.%y, %H:%M:%S}] ",
    ),
    "android-gb": Style(
        r"(?P<d>\d\d)/(?P<m>\d\d)/(?P<y>\d{4}), (?P<H>\d\d):(?P<M>\d\d) - ", "dmy",
        lambda t: f"{t:%d/%m/%Y, %H:%M} - ",
    ),
    "android-us": Style(
        rf"{US}[ \u202f](?P<half>[AP]M) - ", "mdy",
        lambda t: f"{t.month}/{t.day}/{t:%y}, {half(t)[0]}:{t:%M} {half(t)[1]} - ",
    ),
}


def changed(export, target, change):
    """A copy of a zip whose text, or JSON, is another."""
    with zipfile.ZipFile(export) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            is_chat = name.endswith((".txt", "result.json"))
            new.writestr(name, change(content.decode()).encode() if is_chat else content)
    return target


def cut_text(style, leave_out, ahead):
    def change(text):
        parts = []
        for line in text.splitlines(keepends=True):
            if style.head.match(line):
                parts.append(line)
            elif parts:
                parts[-1] += line
        return "".join(style.shifted(part) if ahead else part for part in parts[leave_out:])

    return change


def cut_json(leave_out, ahead):
    def change(text):
        chat = json.loads(text)
        chat["messages"] = chat["messages"][leave_out:]
        for message in chat["messages"] if ahead else []:
            time = datetime.datetime.fromisoformat(message["date"]) + AHEAD
            message["date"] = time.isoformat()
        return json.dumps(chat, ensure_ascii=False)

    return change


def people(lines):
    return [m for m in lines if m["kind"] not in ("system", "pin")]


def meet(site, name, pairs):
    """Both devices read before either syncs; gives what both then show, chat by chat."""
    one = site.home(name)
    two = site.joined(f"{name}-two", one, by="passphrase")
    for label, first, second, order in pairs:
        flags = (["--chat", label] if label else []) + (["--date-order", order] if order else [])
        for home, export in [(one, first), (two, second)]:
            home.json("import", export, *flags)
    for home in [one, two, one]:
        home.json("sync")
    (lines, _), (other, _) = one.export(), two.export()
    without = lambda lines: [{k: v for k, v in m.items() if k != "attachments"} for m in lines]
    hold(f"{name}: both show the same", without(lines) == without(other), True)
    chats = collections.defaultdict(list)
    for line in lines:
        chats[line.get("chat_name") or line["chat"]].append(line)
    return chats


def said(lines):
    """What people said and still stands, with how often."""
    return collections.Counter((m["sender"], m.get("text", "")) for m in people(lines) if not m.get("deleted"))


def marks(lines):
    """How many messages are shown as deleted, and how many as edited."""
    edited = [m for m in people(lines) if m.get("edited") or m.get("edited_at")]
    return sum(bool(m.get("deleted")) for m in people(lines)), len(edited)


# What is left out at the beginning of the later export, and whether it is written three hours ahead.
VARIANTS = {"cut": (120, False), "ahead": (0, True), "cut and ahead": (120, True)}


def whatsapp(site, exports, expected):
    """exports: style, earlier and later export; expected: how many messages there are together."""
    pairs = []
    for style, v1, v2 in exports:
        for name, (leave_out, ahead) in VARIANTS.items():
            other = site.dir / f"{style} {name}.zip"
            changed(v2, other, cut_text(STYLES[style], leave_out, ahead))
            order = STYLES[style].order
            pairs.append((f"{style}, {name}", v1, other, order))
            pairs.append((f"{style}, {name}, back", other, v1, order))
        pairs.append((f"{style}, whole", v1, v2, STYLES[style].order))
    chats = meet(site, "whatsapp", pairs)
    for style, _, _ in exports:
        whole = chats[f"{style}, whole"]
        hold(f"{style}, whole: messages", len(people(whole)), expected[style])
        for name, (leave_out, _) in VARIANTS.items():
            for way in ["", ", back"]:
                lines = chats[f"{style}, {name}{way}"]
                hold(f"{style}, {name}{way}: messages", len(people(lines)), expected[style])
                # What the later export says of messages before its cut is not known then.
                lost, more = said(whole) - said(lines), said(lines) - said(whole)
                most = 0 if leave_out == 0 else expected.get("changed", 0)
                if leave_out == 0:
                    hold(f"{style}, {name}{way}: deleted and edited", marks(lines), marks(whole))
                hold(f"{style}, {name}{way}: texts lost or doubled, at most {most}", max(lost.total(), more.total()) <= most, True)
        again = {(m["sender"], m["ts"], m.get("text", ""), m.get("native")) for m in people(whole)}
        hold(f"{style}: each once", len(again), len(people(whole)))


def telegram(site, expected):
    v1, v2 = (corpora / f"pairs/telegram/chat.{v}.zip" for v in ("v1", "v2"))
    wanted, gone = expected["telegram/chat.v2.zip"], expected["_pair"]["deleted_after_v1_on_old"]
    for name, (leave_out, ahead) in {"whole": (0, False), **VARIANTS}.items():
        other = changed(v2, site.dir / f"telegram {name}.zip", cut_json(leave_out, ahead))
        for way, (first, second) in {"": (v1, other), " back": (other, v1)}.items():
            label = f"telegram-{name}{way}".replace(" ", "-")
            (lines,) = meet(site, label, [(None, first, second, None)]).values()
            hold(f"{label}: messages", len(people(lines)), wanted["messages"] + gone)
            hold(f"{label}: each once", len({m["native"] for m in people(lines)}), len(people(lines)))
    # The same pair once more as JSON Lines, each export by itself made so by a device of its own.
    outs = []
    for n, export in enumerate([v1, v2]):
        home = site.home(f"jsonl-{n}")
        home.json("import", export)
        outs.append(home.export()[1])
    for way, (first, second) in {"": outs, "-back": outs[::-1]}.items():
        (lines,) = meet(site, f"jsonl{way}", [(None, first, second, None)]).values()
        hold(f"jsonl{way}: messages", len(people(lines)), wanted["messages"] + gone)
        hold(f"jsonl{way}: each once", len({m["native"] for m in people(lines)}), len(people(lines)))


def written(site):
    """An earlier and a later export of a chat, for where there are no real ones."""
    start = datetime.datetime(2024, 3, 1, 10)
    line = lambda n: f"{start + datetime.timedelta(seconds=97 * n):%d/%m/%Y, %H:%M} - {'Ana Ben Mum'.split()[n % 3]}: " + (
        "yes please" if n % 7 == 0 else f"line number {n}"
    )
    for name, count in [("early", 200), ("late", 300)]:
        with zipfile.ZipFile(site.dir / f"{name}.zip", "w") as zip:
            zip.writestr("WhatsApp Chat with Family.txt", "".join(line(n) + "\n" for n in range(count)))
    return site.dir / "early.zip", site.dir / "late.zip"


with Site(binaries) as site:
    if corpora is None:
        whatsapp(site, [("android-gb", *written(site))], {"android-gb": 300})
    else:
        expected = json.loads((corpora / "pairs/expected.json").read_text())
        folder = corpora / "pairs/whatsapp"
        exports = [(style, folder / f"{style}.v1.zip", folder / f"{style}.v2.zip") for style in STYLES]
        pair = expected["_pair"]
        counts = {style: expected[f"whatsapp/{style}.v2.zip"]["messages"] for style in STYLES}
        counts["changed"] = pair["edited_after_v1_on_old"] + pair["deleted_after_v1_on_old"]
        whatsapp(site, exports, counts)
        telegram(site, expected)
end("apart")
