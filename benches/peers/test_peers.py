"""What the figures rest on: the same account each time, and a comparison that notices a single changed byte."""
import hashlib, json, os, pathlib, shutil, subprocess, sys, tempfile, unittest

import account, meter

HERE = pathlib.Path(__file__).resolve().parent


def hashes(top):
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(top.rglob("*")) if path.is_file()}


def read(day):
    return [json.loads(line) for line in (day / "messages.jsonl").read_text().splitlines()]


def same(what, *places):
    return subprocess.run([sys.executable, HERE / "same.py", what, *places], capture_output=True).returncode


class Accounts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = pathlib.Path(self.folder.name)

    def made(self, name, seed=1):
        account.two_days(self.at / name, 2_000, 3_000_000, seed, 1.0)
        return self.at / name

    def test_a_seed_gives_the_same_account_and_another_seed_another(self):
        first = hashes(self.made("a"))
        self.assertEqual(first, hashes(self.made("b")))
        self.assertNotEqual(first, hashes(self.made("c", seed=2)))

    def test_the_next_day_has_more_and_leaves_what_was_there_as_it_was(self):
        made = self.made("a")
        lines = [read(made / day) for day in ("day1", "day2")]
        self.assertEqual([len(day) for day in lines], [2_000, 2_020])
        ids = [{message["id"] for message in day} for day in lines]
        self.assertTrue(ids[0] < ids[1])
        files = [path for path in (made / "day1/data/attachments").rglob("*") if path.is_file()]
        self.assertTrue(files)
        for path in files:
            self.assertEqual(path.stat().st_ino, (made / "day2" / path.relative_to(made / "day1")).stat().st_ino)

    def test_a_restored_folder_with_one_byte_changed_missing_or_added_differs(self):
        made = self.made("a") / "day1"
        back = self.at / "back"
        shutil.copytree(made / "data", back)
        self.assertEqual(same("files", made, back), 0)
        one = next(path for path in (back / "attachments").rglob("*") if path.is_file())
        whole = one.read_bytes()
        one.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        self.assertEqual(same("files", made, back), 1)
        one.unlink()
        self.assertEqual(same("files", made, back), 1)
        one.write_bytes(whole)
        (back / "more").touch()
        self.assertEqual(same("files", made, back), 1)

    def test_an_export_with_anything_changed_differs(self):
        made = self.made("a") / "day1"
        lines = read(made)
        carrier = next(n for n, line in enumerate(lines) if "attachments" in line)
        changes = {
            "nothing": lambda lines: None,
            "text": lambda lines: lines[3].update(text="other"),
            "time": lambda lines: lines[3].update(ts="2020-01-01T00:00:00.000Z"),
            "reaction": lambda lines: lines[3].update(reactions=[{"by": "x", "emoji": "y"}]),
            "left out": lambda lines: lines.pop(),
            "added": lambda lines: lines.append(lines[0] | {"id": "new"}),
            "no attachment": lambda lines: lines[carrier].pop("attachments"),
            "another file": lambda lines: lines[carrier]["attachments"][0].update(path="messages.jsonl"),
        }
        for name, change in changes.items():
            out = self.at / name
            out.mkdir()
            os.symlink(made / "data", out / "data")
            changed = json.loads(json.dumps(lines))
            change(changed)
            (out / "messages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changed))
            self.assertEqual(same("export", made, out), 0 if name == "nothing" else 1, name)

    def test_a_message_deleted_since_keeps_what_stood_there(self):
        made = self.made("a")
        today = read(made / "day2")
        before = {message["id"]: message for message in read(made / "day1")}
        gone = [message for message in today if message.get("deleted") and "text" in before.get(message["id"], {})]
        self.assertTrue(gone)
        for message in gone:
            message["versions"] = [{"at": None, "text": before[message["id"]]["text"]}]
        out = self.at / "out"
        out.mkdir()
        os.symlink(made / "day2/data", out / "data")
        (out / "messages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in today))
        self.assertEqual(same("export", made / "day2", out, made / "day1"), 0)
        gone[0].pop("versions")
        (out / "messages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in today))
        self.assertEqual(same("export", made / "day2", out, made / "day1"), 1)

    def test_a_command_that_fails_is_no_measurement(self):
        with self.assertRaises(meter.Failed):
            meter.measured([["false"]], dict(os.environ), self.at / "log")
        cost = meter.measured([[sys.executable, "-c", "b = bytearray(64 << 20); b[::4096] = b'x' * len(b[::4096])"]], dict(os.environ), self.at / "log")
        self.assertGreater(cost["peak_bytes"], 64 << 20)
        self.assertGreater(cost["wall_s"], 0)

    def test_kept_runs_make_tables_also_where_a_program_did_not_finish(self):
        cost = {"wall_s": 1.0, "cpu_s": 2.0, "peak_bytes": 3_000_000, "others_cpu_s": 0.0, "stored_bytes": 4, "stored_objects": 5, "stored_bytes_added": 6}
        run = {"size": "S", "messages": 1, "media_mb": 1, "at": "now", "commit": "c", "repeats": 1, "programs": {"restic": "restic 1"}, "left_out": {},
               "machine": {"cores": 1, "cpu": "c", "memory_gb": 1}, "account": {day: {"media_bytes": 0} for day in ("day1", "day2")},
               "failed": {"chatkeep": "stopped"}, "results": {"chatkeep": [{"first": cost | {"wall_s": 3.0}}], "restic": [{"first": cost}], "borg": []}}
        (self.at / "run.json").write_text(json.dumps(run))
        told = subprocess.run([sys.executable, HERE / "table", self.at / "run.json"], capture_output=True, text=True)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("| chatkeep | 3.00 (2.00) | – |", told.stdout)
        self.assertIn("Failed: chatkeep: stopped", told.stdout)
        self.assertIn("| first | 3.00 | 1.00 (restic) | 3.00× |", told.stdout)


if __name__ == "__main__":
    unittest.main()
