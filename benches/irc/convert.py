#!/usr/bin/env python3
"""Makes JSON Lines, as `chatkeep import` reads them, of IRC logs with a date in each file's name.

  convert.py LOGS OUT [--channel '#ubuntu'] [--files N]

LOGS is a folder or a .tar.gz of files such as 2004-12-25.train-c.raw.txt, with lines `[HH:MM] <nick> text`; OUT gets
messages.jsonl. A log knows no more than the minute: the place inside it goes into the milliseconds, so that the order
stays. Joins, notices and actions are no messages of a person's and are counted, not converted. Text is UTF-8, else CP1252.
"""
import argparse, hashlib, json, pathlib, re, tarfile

SAID = re.compile(r"\[(\d\d):(\d\d)\] <([^>]*)> ?(.*)", re.S)
DATED = re.compile(r"(\d{4}-\d\d-\d\d)")


def files(logs):
    """Names and bytes of the logs, oldest first."""
    logs = pathlib.Path(logs)
    if logs.is_dir():
        found = [(path.name, path.read_bytes()) for path in logs.rglob("*.txt")]
    else:
        with tarfile.open(logs) as tar:
            found = [(pathlib.PurePath(one.name).name, tar.extractfile(one).read()) for one in tar if one.isfile()]
    return sorted((name, content) for name, content in found if DATED.match(name))


def decoded(line):
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def messages(name, content, channel):
    """Each message of one log; None for a line that is none."""
    day, places = DATED.match(name)[1], {}
    for number, raw in enumerate(content.split(b"\n"), 1):
        line = decoded(raw.removesuffix(b"\r"))
        said = SAID.fullmatch(line)
        if not said:
            if line:
                yield None
            continue
        hour, minute, nick, text = said.groups()
        place = places[hour, minute] = places.get((hour, minute), -1) + 1
        yield {"id": hashlib.sha256(f"{name}:{number}".encode()).hexdigest()[:32], "chat": channel, "chat_name": channel, "sender": nick,
               "ts": f"{day}T{hour}:{minute}:{min(place // 1000, 59):02}.{place % 1000:03}Z", "text": text}


def convert(logs, out, channel="#ubuntu", files_max=None):
    """Writes OUT/messages.jsonl; answers how many messages, and how many lines were none."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    count = others = 0
    with open(out / "messages.jsonl", "w", encoding="utf-8") as lines:
        for name, content in files(logs)[:files_max]:
            for message in messages(name, content, channel):
                if message is None:
                    others += 1
                    continue
                lines.write(json.dumps(message, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
    return count, others


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("logs")
    parse.add_argument("out")
    parse.add_argument("--channel", default="#ubuntu")
    parse.add_argument("--files", type=int)
    ask = parse.parse_args()
    print("%d messages, %d other lines" % convert(ask.logs, ask.out, ask.channel, ask.files))


if __name__ == "__main__":
    main()
