#!/usr/bin/python3
"""offline.py ORACLE [MISSES]    ask every case of the suite through a pipe to ORACLE, which is
                              build/tests/conformance/oracle

The comparison is ask.py's; no server and no socket are involved.  Prints 'N agree of M', exits 0
when all agree."""
import gzip, json, os, struct, subprocess, sys, tempfile
import dns.name, dns.rdatatype

here = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, here)
import ask


def replies(oracle, listing, queries):
    feed = b''.join(struct.pack('>H', len(q)) + q for q in queries) + b'\0\0'
    out = subprocess.run([oracle, listing], input=feed, stdout=subprocess.PIPE, check=True).stdout
    at = 0
    while at < len(out):
        size = struct.unpack_from('>H', out, at)[0]
        yield out[at + 2:at + 2 + size]
        at += 2 + size


def main():
    cases = [line.rstrip('\n').split('\t') for line in gzip.open(here + '/cases.tsv.gz', 'rt')]
    queries = [struct.pack('>6H', i & 0xffff, 0, 1, 0, 0, 0) + dns.name.from_text(case[2]).to_wire()
               + struct.pack('>2H', dns.rdatatype.from_text(case[3]), 1)
               for i, case in enumerate(cases)]
    agree = 0
    path = sys.argv[2] if len(sys.argv) > 2 else os.devnull
    with tempfile.TemporaryDirectory() as tmp, open(path, 'w') as misses:
        ask.unpack(tmp)
        for case, wire in zip(cases, replies(sys.argv[1], tmp + '/zones.tsv', queries),
                              strict=True):
            got, want = ask.normal(wire, case[1]), json.loads(case[4])
            agree += got == want
            if got != want:
                misses.write(f'{case[0]} {case[2]} {case[3]}\n  want {want}\n  got  {got}\n')
    print(f'{agree} agree of {len(cases)}')
    return 0 if agree == len(cases) else 1


sys.exit(main())
