"""Two network namespaces joined by a link of a given rate, delay and loss, made of two TUN devices: no kernel module for it is needed.

Run from inside a namespace of one's own (surroundings.in_own_namespace), which is the near end. Everything ends with the
processes that use it.
"""
import ctypes, fcntl, os, queue, random, signal, socket, struct, subprocess, threading, time

NEAR, FAR = "10.77.0.1", "10.77.0.2"
# What a router on the way holds before it drops: about what is under way on a link of 5 Mbit/s and 150 ms.
HELD_BYTES = 128 << 10
TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000


def device(name, address):
    """A TUN device of the namespace of who calls; packets of that namespace are read from it."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "addr", "add", f"{address}/24", "dev", name],
                    ["ip", "link", "set", name, "up", "mtu", "1500"]):
        subprocess.run(command, check=True)
    return fd


def payload_bytes(packet):
    """What TCP carries in an IPv4 packet."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return 0
    ip = (packet[0] & 15) * 4
    return max(0, int.from_bytes(packet[2:4], "big") - ip - (packet[ip + 12] >> 4) * 4)


class Way:
    """One direction."""

    def __init__(self, source, sink, bits_s, delay_s, loss, seed):
        self.source, self.sink, self.bits_s, self.delay_s, self.loss = source, sink, bits_s, delay_s, loss
        self.rng, self.free_at, self.coming = random.Random(seed), 0.0, queue.SimpleQueue()
        self.bytes = self.payload = self.packets = self.lost = self.overflowed = 0
        for act in (self.take, self.give):
            threading.Thread(target=act, daemon=True).start()

    def take(self):
        while packet := self.next_packet():
            now = time.monotonic()
            if (self.free_at - now) * self.bits_s / 8 > HELD_BYTES:
                self.overflowed += 1
                continue
            self.free_at = max(now, self.free_at) + len(packet) * 8 / self.bits_s
            # A packet that is lost took its time on the link.
            if self.rng.random() < self.loss:
                self.lost += 1
                continue
            self.coming.put((self.free_at + self.delay_s, packet))

    def next_packet(self):
        try:
            return os.read(self.source, 65536)
        except OSError:
            return b""  # the device is gone, and the link with it

    def give(self):
        while True:
            at, packet = self.coming.get()
            time.sleep(max(0, at - time.monotonic()))
            try:
                os.write(self.sink, packet)
            except OSError:
                return
            self.bytes, self.payload, self.packets = self.bytes + len(packet), self.payload + payload_bytes(packet), self.packets + 1

    def counts(self):
        return {key: getattr(self, key) for key in ("bytes", "payload", "packets", "lost", "overflowed")}


class Link:
    """Up is from the near end to the far one."""

    def __init__(self, bits_s, round_trip_s, loss=0.0, seed=1):
        ours, theirs = socket.socketpair()
        self.holder = os.fork()
        if not self.holder:
            hold_far_end(theirs)
        near = device("near", NEAR)
        _, (far,), _, _ = socket.recv_fds(ours, 1, 1)
        self.up = Way(near, far, bits_s, round_trip_s / 2, loss, seed)
        self.down = Way(far, near, bits_s, round_trip_s / 2, loss, seed + 1)
        self.inside_far = ("nsenter", f"--net=/proc/{self.holder}/ns/net")

    def close(self):
        subprocess.run(["ip", "link", "delete", "near"], check=True)
        subprocess.run([*self.inside_far, "ip", "link", "delete", "far"], check=True)
        os.kill(self.holder, signal.SIGKILL)
        os.waitpid(self.holder, 0)


def hold_far_end(to):
    """The child: it has a namespace of its own, and keeps it until it is killed."""
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no namespace for the far end")
        socket.send_fds(to, [b"."], [device("far", FAR)])
        signal.pause()
    finally:
        os._exit(1)
