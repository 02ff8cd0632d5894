#!/usr/bin/python3
"""ask.py unpack DIR            write DIR/zones/<id>.zone and DIR/zones.tsv (origin <tab> file)
ask.py HOST PORT [MISSES]    ask every case over UDP (TCP when truncated) and print 'N agree of M'

Needs Debian's python3-dnspython and /usr/bin/python3. Compared: rcode, AA, TC, the answer RRset and
the authority section without TTLs; NS records at the zone's own apex in the authority section are
optional."""
import gzip, json, os, select, socket, struct, sys, time
here = os.path.dirname(os.path.abspath(__file__))


def unpack(out):
    os.makedirs(out + '/zones', exist_ok=True)
    with open(out + '/zones.tsv', 'w') as index:
        zone = None
        for line in gzip.open(here + '/zones.txt.gz', 'rt'):
            if line.startswith('; '):
                ident, origin = line[2:].split()
                path = os.path.abspath(f'{out}/zones/{ident}.zone')
                zone = open(path, 'w')
                index.write(f'{origin}\t{path}\n')
            else:
                zone.write(line)


def normal(wire, origin):
    import dns.exception, dns.flags, dns.message, dns.rcode, dns.rdatatype
    try:
        m = dns.message.from_wire(wire)
    except dns.exception.DNSException as e:
        return ['unparsable ' + type(e).__name__]
    rrs = lambda section: sorted([rs.name.to_text().lower(), dns.rdatatype.to_text(rs.rdtype),
                                  rd.to_text().lower()]
                                 for rs in section for rd in rs)
    apex_ns = lambda rr: rr[1] == 'NS' and rr[0] == origin.lower()
    return [dns.rcode.to_text(m.rcode()), int(bool(m.flags & dns.flags.AA)),
            int(bool(m.flags & dns.flags.TC)),
            rrs(m.answer), [rr for rr in rrs(m.authority) if not apex_ns(rr)]]


def over_tcp(host, port, query):
    with socket.create_connection((host, port), 30) as c:
        c.sendall(struct.pack('>H', len(query)) + query)
        f = c.makefile('rb')
        return f.read(struct.unpack('>H', f.read(2))[0])


def ask(host, port, misses):
    import dns.name, dns.rdatatype
    cases = [line.rstrip('\n').split('\t') for line in gzip.open(here + '/cases.tsv.gz', 'rt')]
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((host, port))
    todo, waiting, got, number = [(i, 0) for i in range(len(cases))][::-1], {}, {}, 0
    while todo or waiting:
        while todo and len(waiting) < 32:
            i, tries = todo.pop()
            number = (number + 1) & 0xffff
            q = struct.pack('>6H', number, 0, 1, 0, 0, 0) \
                + dns.name.from_text(cases[i][2]).to_wire() \
                + struct.pack('>2H', dns.rdatatype.from_text(cases[i][3]), 1)
            waiting[number] = (i, tries + 1, time.monotonic(), q)
            s.send(q)
        if select.select([s], [], [], 0.05)[0]:
            wire = s.recv(65535)
            entry = waiting.pop(struct.unpack('>H', wire[:2])[0], None)
            if entry:
                i, _, _, q = entry
                got[i] = normal(over_tcp(host, port, q) if wire[2] & 2 else wire, cases[i][1])
        now = time.monotonic()
        for n in [n for n, w in waiting.items() if now - w[2] > 10]:
            i, tries, _, _ = waiting.pop(n)
            if tries < 3:
                todo.append((i, tries))
            else:
                got[i] = ['no answer']
    agree = 0
    with open(misses, 'w') as f:
        for i, case in enumerate(cases):
            want = json.loads(case[4])
            if got[i] == want:
                agree += 1
            else:
                f.write(f'{case[0]} {case[2]} {case[3]}\n  want {want}\n  got  {got[i]}\n')
    print(f'{agree} agree of {len(cases)} (misses: {misses})')
    return 0 if agree == len(cases) else 1


if __name__ == '__main__':
    if sys.argv[1] == 'unpack':
        unpack(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[1], int(sys.argv[2]),
                     sys.argv[3] if len(sys.argv) > 3 else 'misses.txt'))
