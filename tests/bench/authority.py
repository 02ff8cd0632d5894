"""authority: jitsud as a name server like others, side by side with NSD and Knot.

One worker each, pinned to one processor; the load comes from another.  Rounds alternate, and what
counts are medians of the ratios within a round, because the same program differs by a third between
one minute and the next on a machine that others use.
"""
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time

import lab
from lab import ADDRESS, BenchError, output
from report import interval, median

SERVER_CPU, LOAD_CPU = 1, 0
FEW, MANY = 100, 1000000
WINDOW = 128
TCP_CONNECTIONS = 20
SIGNED = 1000


def rounds_of(quick):
    return 3 if quick else 9


def names(count):
    return ''.join(f'n{i} A 192.0.{i >> 8 & 255}.{i & 255}\n' for i in range(count))


class Servers:
    """Those that are compared, all running, in use one at a time."""

    def __init__(self, zone, echo=False, head=lab.ZONE):
        self.all = {}
        try:
            self.add('jitsud', lambda: lab.Jitsud(zone, workers=1, cpu=SERVER_CPU, head=head))
            self.add('NSD', lambda: lab.Nsd(zone, workers=1, cpu=SERVER_CPU, head=head))
            self.add('Knot', lambda: lab.Knot(zone, workers=1, cpu=SERVER_CPU, head=head))
            if echo:
                self.add('echo', lambda: lab.Echo('', cpu=SERVER_CPU))
        except BaseException:
            self.stop()
            raise

    def add(self, label, start):
        self.all[label] = start()

    def stop(self):
        for s in self.all.values():
            s.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def flood(server, *args, prefix='n', count=FEW, ms=500):
    """(sent, answered, good, seconds, CPU of all the server's processes in us per answer)."""
    pids = server.pids()
    before = lab.cpu_ns(pids)
    out = output(lab.FLOOD, '-s', ADDRESS, '-p', str(server.port), '-c', str(LOAD_CPU),
                 '-d', str(ms), *args, prefix, str(count), 'example.test')
    sent, answered, good, seconds = (float(x) for x in out.split())
    if answered == 0:
        raise BenchError(f'{type(server).__name__} answered none of {sent:.0f} queries')
    return sent, answered, good, seconds, (lab.cpu_ns(pids) - before) / 1000 / answered


def in_turn(labels, rounds, measure):
    """{label: [value per round]}; who begins changes from round to round."""
    got = {label: [] for label in labels}
    for i in range(rounds):
        k = i % len(labels)
        for label in labels[k:] + labels[:k]:
            got[label].append(measure(label))
    return got


def cpu_rounds(servers, quick, *args, good=True, **kw):
    def measure(label):
        sent, answered, fine, _, us = flood(servers.all[label], *args, **kw)
        if label != 'echo' and good != (fine == answered):
            raise BenchError(f'{label}: {answered - fine:.0f} of {answered:.0f} answers '
                             'are not what they should be')
        lost[label] = lost.get(label, 0) + sent - answered
        return us
    lost = {}
    labels = list(servers.all)
    for label in labels:
        measure(label)
    lost = {}
    got = in_turn(labels, rounds_of(quick), measure)
    for label, n in lost.items():
        if n:
            print(f'  {label}: {n:.0f} queries lost')
    return got


def ratios(got, label):
    """To one of the others, or to the better one of several."""
    return [o / min(got[x][i] for x in label.split('|')) for i, o in enumerate(got['jitsud'])]


def judge(table, figure, got, unit, *bars):
    """bars: (other or others joined by |, most); one of them is enough."""
    text = ', '.join(f'{label} {median(v):.2f}' for label, v in got.items())
    said, ok = [], False
    for others, most in bars:
        r = ratios(got, others)
        low, high = interval(r)
        said.append(f'{median(r):.2f} ({low:.2f} to {high:.2f}) of {others.replace("|", ", ")}')
        ok = ok or median(r) <= most
    table.add(figure, f'{text} {unit}; {"; ".join(said)}',
              ' or '.join(f'{most:.2f} x {others}' for others, most in bars), ok)


# ---- processor time per query ----

def udp(table, quick):
    with Servers(names(FEW), echo=True) as servers:
        judge(table, 'UDP, 100 names', cpu_rounds(servers, quick, '-w', str(WINDOW)), 'us',
              ('echo', 1.10), ('NSD', 0.97))


def tcp(table, quick):
    with Servers(names(FEW), echo=True) as servers:
        for each, text in ((1, 'one query at a time'), (5, 'up to 5 on the way')):
            got = cpu_rounds(servers, quick, '-t', str(TCP_CONNECTIONS), '-w', str(each))
            judge(table, f'TCP, 100 names, {TCP_CONNECTIONS} connections, {text}', got, 'us',
                  ('echo', 1.15), ('Knot', 0.90))


def million(table, quick):
    with Servers(names(MANY)) as servers:
        got = cpu_rounds(servers, quick, '-w', str(WINDOW), count=MANY, ms=1000)
        judge(table, 'UDP, 1,000,000 names', got, 'us', ('NSD|Knot', 0.75))


def sign():
    """A zone signed with NSEC, whole."""
    directory = tempfile.mkdtemp(prefix='jitsu-bench-sign.', dir='/tmp')
    try:
        with open(directory + '/zone', 'w') as f:
            f.write(lab.ZONE + names(SIGNED))

        def run(*args):
            p = subprocess.run(args, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
            if p.returncode != 0:
                raise BenchError(f'{args[0]}: {p.stderr.strip()}')
            return p.stdout.strip()

        run('dnssec-keygen', '-q', '-f', 'KSK', '-a', 'ECDSAP256SHA256', 'example.test')
        run('dnssec-signzone', '-q', '-S', '-z', '-O', 'full', '-o', 'example.test',
            '-f', 'signed', 'zone')
        return lab.read(directory + '/signed').decode()
    finally:
        shutil.rmtree(directory)


def signed(table, quick):
    with Servers(sign(), head='') as servers:
        for prefix, text in (('n', 'names that exist'), ('x', 'names that do not')):
            got = cpu_rounds(servers, quick, '-o', '-w', str(WINDOW), prefix=prefix, count=SIGNED,
                             good=prefix == 'n')
            judge(table, f'signed, DO, {text}', got, 'us', ('NSD|Knot', 0.95))


# ---- a million names: start, memory, reload ----

def seconds(start):
    begin = time.monotonic()
    start()
    return time.monotonic() - begin


def kept(jitsud):
    """Waits until the compiled zone is on disk, which happens behind the first answers."""
    directory = jitsud.dir + '/state/images'
    deadline = time.monotonic() + 30
    while (not os.path.isdir(directory) or not os.listdir(directory)
           or any(f.endswith('.new') for f in os.listdir(directory))):
        if time.monotonic() > deadline:
            raise BenchError('the compiled zone was not kept')
        time.sleep(0.05)


def compiled(jitsud, before):
    """Was the zone found compiled, or read anew, as this round has it?"""
    said = re.findall(r'(\d+) were read anew and (\d+) were found compiled',
                      lab.read(jitsud.dir + '/out').decode())
    if not said or said[-1] != (('0', '1') if before else ('1', '0')):
        raise BenchError(f'the zone was {"not " if before else ""}found compiled: {said[-1:]}')


def load(table, quick):
    """From exec to the first answer; the second start of jitsud finds what the first one left in
    its state directory."""
    zone = names(MANY)
    kinds = {'jitsud': lab.Jitsud, 'NSD': lab.Nsd, 'Knot': lab.Knot}
    cached = {'jitsud': []}

    def measure(label):
        # The files are written before the clock starts: one start is thrown away.
        if label not in made:
            made[label] = kinds[label](zone, workers=1, cpu=SERVER_CPU)
        server = made[label]
        server.end()
        if label == 'jitsud':
            for left in ('state', 'cache'):
                shutil.rmtree(f'{server.dir}/{left}', ignore_errors=True)
                if os.path.isfile(f'{server.dir}/{left}'):
                    os.unlink(f'{server.dir}/{left}')
        took = seconds(server.start)
        if label == 'jitsud':
            compiled(server, False)
            kept(server)
            server.end()
            cached['jitsud'].append(seconds(server.start))
            compiled(server, True)
        server.end()
        return took
    made = {}
    try:
        got = in_turn(list(kinds), rounds_of(quick), measure)
    finally:
        for server in made.values():
            server.stop()
    judge(table, 'load of 1,000,000 names, parsed', got, 's', ('NSD', 1.0))
    judge(table, 'load of 1,000,000 names, from the cache', dict(got, **cached), 's',
          ('Knot', 0.25))


def memory(table, quick):
    with Servers(names(MANY)) as servers:
        for s in servers.all.values():
            # What is only read when it is asked for.
            flood(s, '-w', str(WINDOW), count=MANY, ms=1000)
        got = {label: [lab.pss_bytes(s.pids()) / 2**20] for label, s in servers.all.items()}
    judge(table, 'memory for 1,000,000 names (PSS)', got, 'MiB', ('Knot', 0.6))


def reload(table, quick):
    """Every round changes the zone; half of what the server can do comes in while it loads."""
    jitsud = lab.Jitsud(names(MANY), workers=1, cpu=SERVER_CPU)
    sent, lost, took = 0, 0, []
    try:
        # The best of several: the machine has other work too.
        best = max(answered / s for _, answered, _, s, _ in
                   (flood(jitsud, '-w', str(4 * WINDOW), count=MANY, ms=500) for _ in range(5)))
        rate = int(best / 2)
        for i in range(1 if quick else 3):
            with open(jitsud.dir + '/example.zone', 'a') as f:
                f.write(f'added{i} A 192.0.2.{i}\n')
            result = []
            client = threading.Thread(target=lambda: result.append(
                flood(jitsud, '-w', '100000', '-r', str(rate), count=MANY, ms=8000)))
            client.start()
            time.sleep(1.5)      # the generator builds its queries first
            took.append(seconds(lambda: jitsud.jitsu('reload')))
            client.join()
            lab.first_answer(jitsud, f'added{i}', timeout=10)
            if not result:
                raise BenchError('the load ended early')
            sent += result[0][0]
            lost += result[0][0] - result[0][2]
    finally:
        jitsud.stop()
    table.add('reload of 1,000,000 names under half load',
              f'{lost:.0f} of {sent:.0f} queries lost at {rate} a second; '
              f'reloads took {median(took):.1f} s', 'none lost', lost == 0)


PARTS = {'udp': udp, 'tcp': tcp, 'million': million, 'signed': signed, 'load': load,
         'memory': memory, 'reload': reload}
