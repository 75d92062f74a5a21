"""What the other figures rest on: a wire that counts and holds its rate, payload told from headers, moments of kills, IRC logs."""
import importlib.machinery, importlib.util, json, pathlib, random, socket, sys, tempfile, threading, time, unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "irc")]
from convert import convert, messages  # noqa: E402  beside us only after the line above
from far import payload_bytes  # noqa: E402
from wire import Wire  # noqa: E402


def program(name):
    loader = importlib.machinery.SourceFileLoader(name, str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def echo():
    """A server that gives back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        one, _ = server.accept()
        with one:
            while piece := one.recv(65536):
                one.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()
    return server


def there_and_back(wire, bytes_there):
    host, port = wire.address.split(":")
    with socket.create_connection((host, int(port))) as one:
        threading.Thread(target=lambda: (one.sendall(bytes_there), one.shutdown(socket.SHUT_WR)), daemon=True).start()
        got = b""
        while piece := one.recv(65536):
            got += piece
        return got


class Wires(unittest.TestCase):
    def through(self, bytes_s):
        server = echo()
        wire = Wire("127.0.0.1:%d" % server.getsockname()[1], bytes_s)
        self.addCleanup(server.close)
        self.addCleanup(wire.close)
        sent, begun = random.Random(1).randbytes(300_000), time.monotonic()
        self.assertEqual(there_and_back(wire, sent), sent)
        self.assertEqual((wire.up.count, wire.down.count), (300_000, 300_000))
        return time.monotonic() - begun

    def test_everything_arrives_and_is_counted_each_way(self):
        self.through(None)

    def test_a_narrow_wire_holds_its_rate(self):
        self.assertGreaterEqual(self.through(600_000), 0.39)


class Packets(unittest.TestCase):
    def packet(self, payload, options=12, protocol=6):
        tcp = bytes(12) + bytes([(20 + options) // 4 << 4]) + bytes(7 + options) + payload
        return bytes([0x45, 0]) + (20 + len(tcp)).to_bytes(2, "big") + bytes(5) + bytes([protocol]) + bytes(10) + tcp

    def test_headers_and_options_are_no_payload(self):
        self.assertEqual(payload_bytes(self.packet(b"x" * 1000)), 1000)
        self.assertEqual(payload_bytes(self.packet(b"", options=0)), 0)

    def test_other_protocols_and_stumps_carry_none(self):
        self.assertEqual(payload_bytes(self.packet(b"x" * 1000, protocol=17)), 0)
        self.assertEqual(payload_bytes(b"\x60" + bytes(60)), 0)
        self.assertEqual(payload_bytes(b"\x45"), 0)


class Moments(unittest.TestCase):
    line = [(n / 100, max(0, n - 300) * 1000) for n in range(1001)]  # 10 s, of which the first 3 move nothing

    def drawn(self, seed):
        return program("interrupted").moments(self.line, 700_000, 20, random.Random(seed))

    def test_there_is_one_in_each_part_of_the_run_and_a_seed_gives_the_same(self):
        drawn = self.drawn(1)
        self.assertEqual([int(at / 0.5) for at, _ in drawn], list(range(20)))
        self.assertEqual(drawn, self.drawn(1))
        self.assertNotEqual(drawn, self.drawn(2))

    def test_bytes_are_those_of_that_second_and_never_the_last_ones(self):
        for at, moved in self.drawn(3):
            self.assertAlmostEqual(moved, min(max(0, at - 3) * 100_000, 696_500), delta=1001)


class IrcLogs(unittest.TestCase):
    log = ("[09:21] <ana> hey <all>\n=== bob has joined #ubuntu\n[09:21] <bob> \r\n[09:21] * ana waves\n[09:22] <ana> na\u00efve").encode() + b"\n[09:22] <x> caf\xe9\n"

    def test_messages_keep_their_order_inside_a_minute_and_other_lines_are_none(self):
        made = list(messages("2004-12-25.log.txt", self.log, "#ubuntu"))
        self.assertEqual([one and (one["sender"], one["ts"], one["text"]) for one in made], [
            ("ana", "2004-12-25T09:21:00.000Z", "hey <all>"), None, ("bob", "2004-12-25T09:21:00.001Z", ""), None,
            ("ana", "2004-12-25T09:22:00.000Z", "na\u00efve"), ("x", "2004-12-25T09:22:00.001Z", "caf\u00e9")])

    def test_ids_differ_between_lines_and_files_and_stay_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            logs = pathlib.Path(folder, "logs")
            logs.mkdir()
            for day in ("2004-12-25", "2004-12-26"):
                (logs / f"{day}.txt").write_bytes(self.log)
            read = []
            for out in ("a", "b"):
                self.assertEqual(convert(logs, pathlib.Path(folder, out)), (8, 4))
                read.append([json.loads(line)["id"] for line in pathlib.Path(folder, out, "messages.jsonl").read_text().splitlines()])
            self.assertEqual(len(set(read[0])), 8)
            self.assertEqual(read[0], read[1])


if __name__ == "__main__":
    unittest.main()
