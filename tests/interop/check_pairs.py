#!/usr/bin/env python3
"""Merges the re-import pairs through the merge_exports example and counts what came out, from outside.

check_pairs.py EXAMPLE CORPORA

For every WhatsApp style: v1 v2 v2 and v2 v1 must write the same bytes, 600 messages and 2 system lines, the deletions
and edits of expected.json, 18 attachments, and the third import must bring 0 rows. For Telegram: 587 messages of v2, the 4
deleted there that v1 still had, 1 system line; `extra` aside, both orders must agree. Exits 1 at the first difference.
"""
import hashlib, json, pathlib, re, subprocess, sys, tempfile

example, corpora = sys.argv[1], pathlib.Path(sys.argv[2])
expected = json.loads((corpora / "pairs/expected.json").read_text())
failed = []


def merge(*exports):
    with tempfile.TemporaryDirectory() as parent:
        out = pathlib.Path(parent) / "out"
        run = subprocess.run([example, "--chat", "pair", out, *exports], capture_output=True, text=True, check=True)
        lines = [json.loads(line) for line in (out / "messages.jsonl").read_text().splitlines()]
        media = sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in (out / "media").iterdir())
        new = [int(n) for n in re.findall(r"(\d+) new rows", run.stdout)]
        return lines, media, new


def hold(what, got, wanted):
    print(f"{'ok  ' if got == wanted else 'FAIL'} {what}: {got}")
    if got != wanted:
        failed.append(what)


for style in ["ios-us", "ios-de", "android-gb", "android-us"]:
    v1, v2 = (corpora / f"pairs/whatsapp/{style}.{v}.zip" for v in ("v1", "v2"))
    wanted = expected[f"whatsapp/{style}.v2.zip"]
    lines, media, new = merge(v1, v2, v2)
    back, media_back, _ = merge(v2, v1)
    people = [m for m in lines if m["kind"] != "system"]
    hold(f"{style} messages", len(people), wanted["messages"])
    hold(f"{style} system", len(lines) - len(people), wanted["system"])
    hold(f"{style} edited", sum(bool(m.get("edited") or m.get("edited_at")) for m in people), wanted["edited"])
    hold(f"{style} deleted", sum(bool(m.get("deleted")) for m in people), wanted["deleted"])
    hold(f"{style} attachments", len(media), wanted["attachments"])
    hold(f"{style} third import", new[2], 0)
    hold(f"{style} other order", (back == lines, media_back == media), (True, True))

v1, v2 = (corpora / f"pairs/telegram/chat.{v}.zip" for v in ("v1", "v2"))
lines, media, new = merge(v1, v2, v2)
back, _, _ = merge(v2, v1)
gone = expected["_pair"]["deleted_after_v1_on_old"]
plain = lambda all: [{k: v for k, v in m.items() if k != "extra"} for m in all]
wanted = expected["telegram/chat.v2.zip"]
hold("telegram lines", len(lines), wanted["messages"] + wanted["system"] + gone)
hold("telegram media", len(media), wanted["attachments_with_bytes"])
hold("telegram third import", new[2], 0)
hold("telegram other order", plain(back) == plain(lines), True)
sys.exit(1 if failed else 0)
