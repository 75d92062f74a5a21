"""A wire to a service: a TCP relay that counts what goes over it each way, and may be narrow."""
import socket, threading, time

# Little is held here: what a killed program never read must not count for it.
HELD_BYTES = 64 << 10
PIECE_BYTES = 16 << 10
# A thread that overslept may make up for so much: else a busy machine makes the wire narrower than was asked for.
LATE_S = 0.1


class Lane:
    """One direction of all connections together: so many bytes so far, at no more than so many a second."""

    def __init__(self, bytes_s):
        self.bytes_s, self.count, self.free_at, self.lock = bytes_s, 0, 0.0, threading.Lock()

    def took(self, count):
        with self.lock:
            self.count += count
            if not self.bytes_s:
                return
            self.free_at = max(time.monotonic() - LATE_S, self.free_at) + count / self.bytes_s
            ahead = self.free_at - time.monotonic()
        time.sleep(max(0, ahead))


class Wire:
    """Listens on loopback and relays to `target` (host:port)."""

    def __init__(self, target, bytes_s=None):
        host, _, port = target.rpartition(":")
        self.target, self.up, self.down = (host, int(port)), Lane(bytes_s), Lane(bytes_s)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HELD_BYTES)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD_BYTES)
            for source, sink, lane in ((near, far, self.up), (far, near, self.down)):
                threading.Thread(target=relay, args=(source, sink, lane), daemon=True).start()

    def close(self):
        self.listener.close()


def relay(source, sink, lane):
    try:
        while piece := source.recv(PIECE_BYTES):
            lane.took(len(piece))
            sink.sendall(piece)
    except OSError:
        pass
    for end, way in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
        try:
            end.shutdown(way)
        except OSError:
            pass
