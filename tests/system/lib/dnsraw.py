"""dnsraw: DNS messages byte by byte, for what dig would never send."""
import os
import select
import socket
import struct
import time

PORT = 5300
A, NS, CNAME, SOA, TXT, AAAA, SVCB, HTTPS, ANY = 1, 2, 5, 6, 16, 28, 64, 65, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


def name(text):
    return b"".join(bytes([len(l)]) + l.encode() for l in text.strip(".").split(".") if l) + b"\0"


def question(qname, qtype=A, qclass=1):
    return name(qname) + struct.pack("!HH", qtype, qclass)


def header(qid=0x1234, flags=0, qd=1, an=0, ns=0, ar=0):
    return struct.pack("!6H", qid, flags, qd, an, ns, ar)


def opt(size=1232, ext=0, version=0, flags=0, options=b"", owner=b"\0"):
    return owner + struct.pack("!HHBBHH", 41, size, ext, version, flags, len(options)) + options


def query(qname, qtype=A, qid=0x1234, edns=True, flags=0):
    return (header(qid, flags, ar=1 if edns else 0) + question(qname, qtype)
            + (opt() if edns else b""))


def udp(dst="10.77.0.1", port=PORT, src=None):
    s = socket.socket(socket.AF_INET6 if ":" in dst else socket.AF_INET, socket.SOCK_DGRAM)
    if src:
        s.bind((src, 0))
    s.connect((dst, port))
    return s


def tcp(dst="10.77.0.1", port=PORT, timeout=30):
    return socket.create_connection((dst, port), timeout=timeout)


def ask(wire, dst="10.77.0.1", port=PORT, timeout=30):
    """The reply to one datagram, None when none comes."""
    with udp(dst, port) as s:
        s.send(wire)
        s.settimeout(timeout)
        try:
            return s.recv(65535)
        except socket.timeout:
            return None


def framed(wire):
    return struct.pack("!H", len(wire)) + wire


def exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            return None
        data += more
    return data


def tcp_recv(s):
    """One message, None at the end of the stream."""
    head = exactly(s, 2)
    return exactly(s, struct.unpack("!H", head)[0]) if head else None


def qid(m):
    return struct.unpack("!H", m[:2])[0]


def rcode(m):
    return m[3] & 15


def counts(m):
    return struct.unpack("!4H", m[4:12])


def has_qr(m):
    return bool(m[2] & 0x80)


def expect(what, got, want):
    if got != want:
        raise SystemExit("%s: got %r, wanted %r" % (what, got, want))


def now():
    return time.monotonic()
