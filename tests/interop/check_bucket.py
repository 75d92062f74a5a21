#!/usr/bin/env python3
"""The main job on two stores: a folder, and with only configuration changed a bucket of an S3 server.

CHATKEEP_TEST_S3=http://ACCESS:SECRET@HOST:PORT check_bucket.py BINARIES SAMPLES [CORPORA]

On either store a machine registers with a kit and backs up exports (SAMPLES, a made one with media of several packs, and
with CORPORA real ones), a fresh one signs in by the kit and another by the passphrase, and both restore and export: all
write the same JSON Lines and media. Then the bucket is listed from outside by a client that shares nothing with the
service: it holds packs of the ladder's sizes, mirrored records and slots, and nothing else; and what lies in it, copied
into a folder, gives everything back to the kit without any service.
Exits 1 if anything differs.
"""
import collections, hashlib, json, os, pathlib, re, secrets, sys, urllib.parse

from held import end, hold
from program import Site
from s3 import REGION, Bucket

binaries, samples = sys.argv[1], pathlib.Path(sys.argv[2])
corpora = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
store = os.environ["CHATKEEP_TEST_S3"]

PACK = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}")
MIRRORED = re.compile(r"[0-9a-f]{32}/(roster|head|opaque|slot-1)|slots/[0-9a-f]{32}(-\d+)?")
# Pages and the front page begin at 16 KiB, other packs at 64 KiB (docs/format.md, the ladder).
CLASSES = {1 << n for n in range(14, 24)}
# With real exports a film larger than the largest pack.
MEDIA_BYTES = (9 if corpora else 2) << 20


def with_media(folder):
    """An export of a chat with a film."""
    folder.mkdir()
    (folder / "VID-20240513-WA0001.mp4").write_bytes(hashlib.shake_256(b"film").digest(MEDIA_BYTES))
    lines = [f"13/05/2024, 08:{n:02} - Ana: line {n}\n" for n in range(50)]
    lines.append("13/05/2024, 09:00 - Ana: VID-20240513-WA0001.mp4 (file attached)\n")
    (folder / "WhatsApp Chat with Ana.txt").write_text("".join(lines))
    return folder


def exports(site):
    yield ["--chat", "Family", samples / "family", samples / "family-later"]
    yield ["--chat", "Ana", with_media(site.dir / "media export")]
    if corpora:
        yield ["--chat", "Ubuntu", corpora / "pairs/whatsapp/ios-us.v2.zip"]
        yield [corpora / "telegram/BIG_20A_5475M.json"]


def files(out):
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in out.rglob("*") if p.is_file()}


def main_job(site, what):
    """What the first machine imports, and what fresh ones then export; gives the files, the first's among them."""
    first = site.home("ana", kit=True)
    for export in exports(site):
        done = first.json("backup", *export)
        hold(f"{what}: {export[-1].name} waiting", done["attachments_waiting"], 0)
    lines, out = first.export()
    for by in ["kit", "passphrase"]:
        home = site.joined(f"by-{by}", first, by=by)
        restored = home.json("restore", exits=(0,))
        hold(f"{what}: by {by} verified, missing", (restored["verified"], restored["missing"]), (True, []))
        hold(f"{what}: by {by} exports the same {len(lines)} messages", files(home.export()[1]) == files(out), True)
    hold(f"{what}: check", first.json("check", "--read-data", exits=(0,))["ok"], True)
    return first, files(out)


def on_s3(site):
    bucket = Bucket(store, f"chatkeep-{secrets.token_hex(8)}")
    bucket.create()
    url = urllib.parse.urlsplit(store)
    for name, value in [("access", url.username), ("secret", url.password)]:
        (site.dir / name).write_text(value)
        (site.dir / name).chmod(0o600)
    site.dir.joinpath("config.toml").write_text(f"""
[storage]
kind = "s3"
endpoint = "{bucket.endpoint}"
region = "{REGION}"
bucket = "{bucket.name}"
path_style = true
access_key_file = "{site.dir / 'access'}"
secret_key_file = "{site.dir / 'secret'}"
""")
    return bucket


def from_outside(bucket):
    objects = bucket.list()
    packs = {name: length for name, length in objects.items() if PACK.fullmatch(name)}
    rest = sorted(name for name in objects if name not in packs)
    hold("bucket: neither pack, mirrored record nor slot", [n for n in rest if not MIRRORED.fullmatch(n)], [])
    hold("bucket: packs of no class", [n for n, length in packs.items() if length not in CLASSES], [])
    print("     packs by class: " + ", ".join(f"{n} of {c >> 10} KiB" for c, n in sorted(collections.Counter(packs.values()).items())))
    hold("bucket: accounts", len({name.split("/")[0] for name in packs}), 1)
    (account,) = {name.split("/")[0] for name in packs}
    hold("bucket: mirrored", [n.removeprefix(account) for n in rest if n.startswith(account)], ["/head", "/opaque", "/roster", "/slot-1"])
    hold("bucket: recovery slots", sum(n.startswith("slots/") for n in rest), 1)
    hold("bucket: the media are there", sum(packs.values()) > MEDIA_BYTES, True)
    return objects


def without_service(site, first, bucket, objects, wanted):
    folder = site.dir / "copied"
    for name in objects:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bucket.get(name))
    hold("bucket: lengths as listed", all((folder / n).stat().st_size == length for n, length in objects.items()), True)
    heir = site.machine("heir")
    restored = heir.json("restore", "--from-bucket", folder, "--recovery-key-file", first.kit, exits=(0,))
    hold("bucket alone: verified", restored["verified"], True)
    hold("bucket alone: exports the same", files(heir.export()[1]) == wanted, True)


with Site(binaries) as site:
    _, in_folder = main_job(site, "folder")
with Site(binaries, start=False) as site:
    bucket = on_s3(site)
    site.start()
    first, in_bucket = main_job(site, "S3")
    hold("both stores: the same files", in_bucket == in_folder, True)
    hold("S3: objects in the service's own folder", [str(p) for p in (site.dir / "service").rglob("*") if PACK.search(str(p))], [])
    site.stop()
    without_service(site, first, bucket, from_outside(bucket), in_bucket)
end("bucket")
