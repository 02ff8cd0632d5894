#!/usr/bin/python3
"""compare.py ORIGIN=ZONEFILE... -- HOST@PORT HOST@PORT...: asks servers the same with DO, and
prints where the first differs from all others.

Asked is every owner name of the files, names beside and below each, and their parents, for a dozen
types. Compared: rcode, AA, TC, answer and authority sections as sets with TTLs. The servers must
have the same signed zones. NS of the apex in the authority section is optional."""
import socket
import sys
import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone

TYPES = "A AAAA NS DS CNAME DNAME MX TXT SOA DNSKEY NSEC NSEC3PARAM TYPE65280".split()


def names(files):
    found = set()
    for origin, path in files:
        zone = dns.zone.from_file(path, origin, relativize=False, check_origin=False)
        for name in zone.nodes:
            if len(name.labels[0]) == 32:   # of an NSEC3
                continue
            while name.is_subdomain(zone.origin):
                found.add(name)
                name = name.parent()
    for name in list(found):
        for label in (b"0", b"m-x", b"zzzz", b"*", b"a"):
            found.add(dns.name.Name((label,) + name.labels))
            found.add(dns.name.Name((label, b"q") + name.labels))
    return sorted(found)


def sections(m, apexes):
    def rrs(section):
        return sorted((rs.name.to_text().lower(), dns.rdatatype.to_text(rs.rdtype), rs.ttl,
                       rd.to_text().lower())
                      for rs in section for rd in rs)

    def apex_ns(rr):
        return (rr[1] == "NS" or "rrsig ns " in rr[3]
                or rr[3].startswith("ns ")) and rr[0] in apexes
    return (dns.rcode.to_text(m.rcode()), bool(m.flags & dns.flags.AA),
            bool(m.flags & dns.flags.TC), rrs(m.answer),
            [rr for rr in rrs(m.authority) if not apex_ns(rr)])


class Server:
    """Asked over one connection, and another when the server has closed that."""

    def __init__(self, where):
        host, port = where.split("@")
        self.at, self.sock = (host, int(port)), None

    def ask(self, q):
        for last in (False, True):
            try:
                if self.sock is None:
                    self.sock = socket.create_connection(self.at, timeout=30)
                    self.sock.setblocking(False)
                return dns.query.tcp(q, self.at[0], sock=self.sock, timeout=30)
            except (EOFError, ConnectionError):
                self.sock = None
                if last:
                    raise


def short(rrs, without):
    shown = [rr for rr in rrs if rr not in without and rr[1] != "RRSIG"]
    return [f"{rr[0]} {rr[2]} {rr[1]} {rr[3][:40]}" for rr in shown] or len(set(rrs) - set(without))


def main():
    cut = sys.argv.index("--")
    files = [f.split("=") for f in sys.argv[1:cut]]
    servers = [Server(where) for where in sys.argv[cut + 1:]]
    apexes = {origin + "." for origin, path in files}
    asked = differ = 0
    for name in names(files):
        for rdtype in TYPES:
            q = dns.message.make_query(name, rdtype, want_dnssec=True, payload=4096)
            got = [sections(server.ask(q), apexes) for server in servers]
            asked += 1
            if got[0] in got[1:]:
                continue
            differ += 1
            if differ > 20:
                continue
            print(f"{name} {rdtype} {got[0][:3]}")
            for other in got[1:]:
                print("  other:", other[:3])
                for i in (3, 4):
                    print("    only the first:", short(got[0][i], other[i]), " only the other:",
                          short(other[i], got[0][i]))
    print(f"{asked} asked, {differ} differ")
    return 0 if differ == 0 and asked > 500 else 1


sys.exit(main())
