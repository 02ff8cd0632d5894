#!/usr/bin/env python3
"""reorder.py: an HTTP client with a TCP of its own, that sends its request in small segments, in a
wrong order, some twice.

usage: reorder.py SOURCE DESTINATION PORT SEED

It loses every third segment of the reply once. The kernel must not answer for it: RSTs from PORT
are to be dropped.  Prints the reply; exit 1 after 60 s without all of it."""
import random
import socket
import struct
import sys
import time

FIN, SYN, RST, ACK = 1, 2, 4, 16
REQUEST = (b"GET / HTTP/1.1\r\nHost: www.example.test\r\nX-Long: " + b"x" * 300
           + b"\r\nConnection: close\r\n\r\n")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Client:
    def __init__(self, source, destination, port):
        self.pseudo = socket.inet_aton(source) + socket.inet_aton(destination)
        self.destination, self.port = destination, port
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.raw.bind((source, 0))
        self.raw.settimeout(0.2)
        self.seq, self.ack = 0xFFFFFFFF - 50, 0  # wraps within the request

    def send(self, seq, flags, data=b"", options=b""):
        head = struct.pack("!HHIIBBHHH", self.port, 80, seq & 0xFFFFFFFF, self.ack,
                           (20 + len(options)) // 4 << 4, flags, 64000, 0, 0)
        segment = head + options + data
        total = checksum(self.pseudo + struct.pack("!HH", 6, len(segment)) + segment)
        self.raw.sendto(segment[:16] + struct.pack("!H", total) + segment[18:],
                        (self.destination, 0))

    def receive(self):
        """The next segment for our port as (sequence, flags, data), or None after a while."""
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            try:
                packet = self.raw.recv(2000)
            except socket.timeout:
                return None
            tcp = packet[(packet[0] & 15) * 4 :]
            source, destination, seq, _, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
            if (source, destination) == (80, self.port):
                return seq, flags, tcp[offset // 16 * 4 :]
        return None

    def connect(self, end):
        while time.monotonic() < end:
            self.send(self.seq, SYN, options=struct.pack("!BBH", 2, 4, 100))
            reply = self.receive()
            if reply and reply[1] & SYN:
                self.seq, self.ack = self.seq + 1, reply[0] + 1 & 0xFFFFFFFF
                return
        sys.exit("no connection")

    def ask(self, end):
        pieces = [(at, REQUEST[at : at + 23]) for at in range(0, len(REQUEST), 23)]
        body, lost, fin = b"", set(), False
        while not fin and time.monotonic() < end:
            if not body:
                order = pieces + random.sample(pieces, 3)
                random.shuffle(order)
                for at, data in order:
                    self.send(self.seq + at, ACK, data)
            while not fin and (reply := self.receive()):
                seq, flags, data = reply
                if flags & RST:
                    sys.exit("reset")
                if seq != self.ack or not (data or flags & FIN):
                    continue
                if seq not in lost and len(lost) < 20 and len(body) // 100 % 3 == 1:
                    lost.add(seq)
                    continue
                body += data
                fin = bool(flags & FIN)
                self.ack = self.ack + len(data) + fin & 0xFFFFFFFF
                self.send(self.seq + len(REQUEST), ACK)
        self.send(self.seq + len(REQUEST), ACK | FIN)
        return body if fin else None


def main():
    random.seed(sys.argv[4])
    end = time.monotonic() + 60
    client = Client(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    client.connect(end)
    body = client.ask(end)
    if body is None:
        sys.exit("no whole reply")
    sys.stdout.write(body.decode())


main()
