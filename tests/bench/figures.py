"""figures: what is measured, one function per part."""
import os
import pwd
import re
import subprocess
import time

import lab
from lab import ADDRESS, BRIDGE, BenchError, ask, full, good, output
from report import interval, median, percentile, spread

SHARE_BAR_US = 2000
UNIT_BAR_BYTES = 1024
BARE_MAC, BARE_ADDRESS = '02:00:00:77:99:01', '10.77.0.99'
SETTLE_S = 0.03          # after a VM has gone, before the next measurement


def cold_once(jitsud, name, wait=10):
    rows = ask(name, wait=wait)
    if not good(rows):
        raise BenchError(f'{name}: no address for a cold query: {rows}')
    return good(rows)[0]


def bare_command(jitsud, name):
    """What jitsud runs, read from a VM of its, for the bare run."""
    cold_once(jitsud, name)
    shown = jitsud.json('show', full(name))
    qemus = jitsud.qemus()
    if len(qemus) != 1:
        raise BenchError(f'{len(qemus)} VMs instead of one')
    argv = lab.read(f'/proc/{qemus[0]}/cmdline').decode().split('\0')[:-1]
    jitsud.sleep(name)
    # The first boot filled the page cache; its record is left out.
    user = pwd.getpwuid(vm_uid())
    return [lab.BARE, BRIDGE, BARE_MAC, BARE_ADDRESS, ADDRESS, str(user.pw_uid),
            str(user.pw_gid), '--'] + bare_words(argv, shown), shown


def bare_words(argv, shown):
    """With a MAC and an address that jitsud knows nothing of: it answers for a sleeping unit's."""
    return [w.replace(shown['mac'], BARE_MAC).replace(shown['addresses'][0] + '/',
                                                      BARE_ADDRESS + '/') for w in argv]


def vm_uid():
    try:
        return pwd.getpwnam('jitsu-vm').pw_uid
    except KeyError:
        return 0


def pairs(table, jitsud, name, label, count):
    command, shown = bare_command(jitsud, name)
    bare, cold = [], []
    for i in range(count):
        # Whoever comes first in a pair finds another machine than who comes second.
        for which in ('bare', 'cold') if i % 2 == 0 else ('cold', 'bare'):
            time.sleep(SETTLE_S)
            if which == 'bare':
                bare.append(float(output(*command)))
            else:
                cold.append(cold_once(jitsud, name))
                jitsud.sleep(name)
    differences = [c - b for b, c in zip(bare, cold)]
    low, high = interval(differences)
    steps = jitsud.answered(name, count)
    share = [s['spawn'] + s['answer'] for s in steps]
    table.add(f'{label}: bare, spawn to SYN-ACK, {count} times', spread(bare))
    table.add(f'{label}: query to answer, tcp:80, {count} times', spread(cold))
    table.add(f'{label}: difference of the pairs',
              f'{median(differences) / 1000:+.2f} ms '
              f'(95 %: {low / 1000:+.2f} to {high / 1000:+.2f})')
    table.add(f'{label}: query to exec', spread([s['spawn'] for s in steps]))
    table.add(f'{label}: exec to first frame, to SYN-ACK',
              f'{spread([s["alive"] for s in steps if "alive" in s] or [0])}, '
              f'{spread([s["ready"] for s in steps])}')
    table.add(f'{label}: SYN-ACK to answer', spread([s['answer'] for s in steps]))
    table.add(f'{label}: our own share of a wake',
              f'{median(share) / 1000:.2f} ms, p95 {percentile(share, 95) / 1000:.2f} ms',
              'median at most 2 ms', median(share) <= SHARE_BAR_US)


def cold(table, quick):
    jitsud = lab.Jitsud(lab.unit('www', '10.77.1.1'))
    try:
        dig = output('dig', f'@{ADDRESS}', '-p', str(lab.PORT), '+tries=1', '+time=5', '+stats',
                     full('www'))
        asleep = re.search(r'Query time: (\d+) msec', dig)
        if not asleep or '10.77.1.1' not in dig:
            raise BenchError(f'dig got no address: {dig}')
        table.add('hello: the first dig, as dig says', f'{asleep.group(1)} ms')
        jitsud.sleep('www')
        pairs(table, jitsud, 'www', 'hello', 15 if quick else 60)
    finally:
        jitsud.stop()


LINUX_IMAGE = '''image "linux" {
	driver = "qemu"
	kernel = "vmlinuz"
	initrd = "initrd.gz"
	memory = "128M"
	network = "lan"
	ready = "tcp:80"
	boot-timeout = "60s"
	cmdline = "console=ttyS0 quiet name={name} ip={address}/{prefixlen} gw={gateway}"
}
'''


LINUX_DIR = lab.BUILD + '/tests/images'


def linux_prepare():
    """Before the bench enters its namespace: the kernel's package may have to be downloaded."""
    output(lab.ROOT + '/scripts/linux-guest', LINUX_DIR, timeout=600)


def linux(table, quick):
    directory = LINUX_DIR
    units = lab.unit('lin', '10.77.1.2', 'linux').replace('"idle', '"hold=30s" "idle')
    jitsud = lab.Jitsud(units, more=LINUX_IMAGE,
                        images=(directory + '/vmlinuz', directory + '/initrd.gz'))
    try:
        start = time.monotonic()
        cold_once(jitsud, 'lin', wait=60)
        once = time.monotonic() - start
        jitsud.sleep('lin')
        count = min(60, 3 if quick else max(3, int(300 / (2 * once + 0.5))))
        if count < 60:
            print(f'  a boot takes {once:.1f} s: {count} pairs instead of 60')
        pairs(table, jitsud, 'lin', 'Linux', count)
    finally:
        jitsud.stop()


def curl(table, quick):
    count = 20 if quick else 100
    jitsud = lab.Jitsud(lab.unit('www', '10.77.1.1'))
    first, again, problems = 0, 0, set()
    try:
        for _ in range(count):
            cold_once(jitsud, 'www')
            before = lab.retransmissions()
            got = subprocess.run(['curl', '-sS', '--connect-timeout', '0.8', '--max-time', '3',
                                  '-o', '/dev/null', '-w', '%{http_code}', 'http://10.77.1.1/'],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            sent_again = lab.retransmissions() - before
            again += sent_again
            if got.returncode == 0 and got.stdout == '200' and sent_again == 0:
                first += 1
            else:
                problems.add(got.stderr.strip()
                             or f'status {got.stdout}, {sent_again} segments sent again')
            jitsud.sleep('www')
    finally:
        jitsud.stop()
    table.add('first curl after a cold answer', f'{first} of {count}, {again} segments sent again',
              f'{count} of {count}, none again',
              first == count and again == 0)
    for p in sorted(problems):
        print(f'  curl: {p}')


def burst(table, quick):
    names = [f'u{i}' for i in range(1, 21)]
    jitsud = lab.Jitsud(lab.unit('www', '10.77.1.1') + lab.many(20))
    try:
        rows = ask('www', times=200)
        boots = jitsud.boots()[full('www')]
        table.add('200 queries at once, one sleeping name',
                  f'{len(good(rows))} answers, {boots} boots, '
                  f'last after {max(good(rows)) / 1000:.0f} ms',
                  '200 answers, 1 boot', len(good(rows)) == 200 and boots == 1)
        jitsud.sleep('www')
        for label in ('20 sleeping names at once', 'the same once more'):
            before = jitsud.boots()
            rows = ask(*names)
            time.sleep(0.5)
            after = jitsud.boots()
            boots = sum(after[full(n)] - before[full(n)] for n in names)
            events = jitsud.json('events', '-n', '400')
            early = sum(e['kind'] == 'expired' for e in events)
            text = (f'{len(good(rows))} answers, {boots} boots, '
                    f'last after {max(good(rows)) / 1000:.0f} ms')
            table.add(label, text + (f', {early} before the VM was ready' if early else ''),
                      '20 answers, 20 boots',
                      len(good(rows)) == 20 and boots == 20)
            jitsud.sleep(*names)
    finally:
        jitsud.stop()


def paced(port, names, jitsud):
    """Latencies in microseconds of warm queries while these names boot."""
    client = subprocess.Popen([lab.ASK, '-p', str(port), '-w', '2', '-r', '2000', '-d', '2000',
                               full('www')], stdout=subprocess.PIPE, text=True)
    time.sleep(0.2)
    start = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    rows = ask(*names)
    end = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    out, _ = client.communicate(timeout=30)
    if len(good(rows)) != len(names):
        raise BenchError(f'{len(good(rows))} of {len(names)} names answered '
                         'while warm names were asked')
    samples = [line.split() for line in out.splitlines()]
    window = [us for sent, us in samples if start <= int(sent) <= end]
    lost = window.count('-')
    jitsud.sleep(*names)
    return [float(us) for us in window if us != '-'], lost, end - start


def warm(table, quick):
    names = [f'u{i}' for i in range(1, 11)]
    units = lab.unit('www', '10.77.1.1') + lab.many(10)
    jitsud = lab.Jitsud(units)
    nsd = None
    try:
        nsd = lab.Nsd(units)
        cold_once(jitsud, 'www')
        ours, theirs, p99s, lost = [], [], [], [0, 0]
        for i in range(3 if quick else 12):
            got = {}
            for port in (lab.PORT, lab.NSD_PORT) if i % 2 == 0 else (lab.NSD_PORT, lab.PORT):
                got[port], dropped, _ = paced(port, names, jitsud)
                lost[port == lab.NSD_PORT] += dropped
                time.sleep(0.1)
            ours += got[lab.PORT]
            theirs += got[lab.NSD_PORT]
            p99s.append((percentile(got[lab.PORT], 99), percentile(got[lab.NSD_PORT], 99)))
    finally:
        if nsd:
            nsd.stop()
        jitsud.stop()
    ratio = [a / b for a, b in p99s]
    low, high = interval(ratio)
    for label, values, dropped in (('jitsud', ours, lost[0]), ('NSD', theirs, lost[1])):
        table.add(f'{label}: warm answers while 10 others boot',
                  f'p50 {median(values) / 1000:.3f}, p99 {percentile(values, 99) / 1000:.2f}, '
                  f'worst {max(values) / 1000:.1f} ms of {len(values)}, {dropped} lost')
    table.add('p99, jitsud to NSD, median of the rounds',
              f'{median(ratio):.2f} (95 %: {low:.2f} to {high:.2f})',
              'not above NSD (1.00)', low <= 1)


def idle(table, quick):
    seconds, count = (5, 10000) if quick else (10, 10000)
    sizes = {}
    for units in (1, count):
        jitsud = lab.Jitsud(lab.many(units))
        try:
            time.sleep(2)
            pids = jitsud.pids()
            sizes[units] = lab.pss_bytes(pids)
            if units == count:
                before = lab.switches(pids)
                time.sleep(seconds)
                after = lab.switches(pids)
        finally:
            jitsud.stop()
    woken = {k: n - before.get(k, 0) for k, n in after.items() if n != before.get(k, 0)}
    table.add(f'wake-ups in {seconds} s, {count} dormant units, {len(after)} threads',
              str(sum(woken.values())), 'none', not woken)
    for (pid, tid, name), n in woken.items():
        print(f'  thread {name} ({pid}/{tid}): {n}')
    per = (sizes[count] - sizes[1]) / (count - 1)
    table.add('memory per dormant unit (PSS of all processes)',
              f'{per:.0f} bytes; {sizes[1] / 2**20:.1f} MiB with one unit', 'below 1,024 bytes',
              per < UNIT_BAR_BYTES)


def cpu(table, quick):
    units = lab.unit('www', '10.77.1.1')
    rounds = 3 if quick else 9
    jitsud = lab.Jitsud(units, workers=1)
    nsd = None
    got = {'jitsud': [], 'nsd': []}
    try:
        nsd = lab.Nsd(units, workers=1)
        jitsud.write('queries', full('www') + ' A\n')
        cold_once(jitsud, 'www')
        for i in range(rounds):
            order = [('jitsud', jitsud, lab.PORT), ('nsd', nsd, lab.NSD_PORT)]
            for label, server, port in order if i % 2 == 0 else order[::-1]:
                pids = server.pids()
                before = lab.cpu_ns(pids)
                out = output('dnsperf', '-s', ADDRESS, '-p', str(port), '-d',
                             jitsud.dir + '/queries', '-l', '1', '-c', '8')
                done = int(re.search(r'Queries completed:\s*(\d+)', out).group(1))
                got[label].append((lab.cpu_ns(pids) - before) / 1000 / done)
    finally:
        if nsd:
            nsd.stop()
        jitsud.stop()
    ratio = [a / b for a, b in zip(got['jitsud'], got['nsd'])]
    low, high = interval(ratio)
    table.add('warm UDP, processor time per query',
              f'jitsud {median(got["jitsud"]):.2f} us, NSD {median(got["nsd"]):.2f} us, '
              f'ratio {median(ratio):.2f} (95 %: {low:.2f} to {high:.2f})')


CAPTURED = re.compile(r'^(\d+\.\d+) +(?:(\S+) +(In|Out|B|M|P) +)?IP (\S+) > (\S+): (.*)')


def capture(table, quick):
    """Query in, SYN-ACK, answer out as the kernel saw them, against what the daemon recorded."""
    jitsud = lab.Jitsud(lab.unit('www', '10.77.1.1'))
    rounds = 10
    try:
        cold_once(jitsud, 'www')
        jitsud.sleep('www')
        # Not `any`: it ends when a tap goes.  The length keeps the ring's slots small and many.
        dumps = [subprocess.Popen(['tcpdump', '-i', interface, '-n', '-tt', '-l', '-s', '200',
                                   '--immediate-mode', '--time-stamp-precision=nano', packets],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                 for interface, packets in (('lo', f'udp port {lab.PORT}'),
                                            (BRIDGE, 'src host 10.77.1.1 and tcp src port 80'))]
        time.sleep(1)
        for _ in range(rounds):
            cold_once(jitsud, 'www')
            jitsud.sleep('www')
        time.sleep(0.5)
        for d in dumps:
            d.terminate()
        out = ''.join(d.communicate(timeout=10)[0] for d in dumps)
        steps = jitsud.answered('www', rounds)
    finally:
        jitsud.stop()
    seen = captured(out)
    if len(seen) != rounds:
        raise BenchError(f'{len(seen)} wakes in the capture instead of {rounds}')
    whole = [a - q for q, s, a in seen]
    share = [a - s for q, s, a in seen]
    ours = [sum(x.values()) for x in steps]
    table.add('capture: query to answer', f'{spread(whole)}, recorded {spread(ours)}')
    table.add('capture: SYN-ACK to answer',
              f'{spread(share)}, recorded {spread([x["answer"] for x in steps])}')
    # The daemon's times are those of its reads; what lies between a packet and its read is a wait
    # for a processor.
    after = [x['answer'] for x in steps]
    for label, apart in (('query to answer', [abs(a - b) for a, b in zip(whole, ours)]),
                         ('SYN-ACK to answer', [abs(a - b) for a, b in zip(share, after)])):
        table.add(f'capture: disagreement, {label}',
                  f'median {median(apart) / 1000:.2f} ms, worst {max(apart) / 1000:.2f} ms',
                  'median at most 0.5 ms', median(apart) <= 500)


def captured(text):
    """[(query, first SYN-ACK after it, answer)] in microseconds."""
    wakes, query, ack = [], None, None
    # Packets of several interfaces arrive out of order.
    for line in sorted(text.splitlines()):
        m = CAPTURED.match(line)
        if not m:
            continue
        at = float(m.group(1).split('.')[1]) / 1e3 + int(m.group(1).split('.')[0]) % 100000 * 1e6
        if m.group(5) == f'{ADDRESS}.{lab.PORT}':
            query, ack = (at, None) if query is None else (query, ack)
        elif m.group(4) == f'{ADDRESS}.{lab.PORT}' and query is not None:
            if ack is not None:
                wakes.append((query, ack, at))
            query = None
        elif query is not None and ack is None and 'Flags [S.]' in m.group(6):
            ack = at
    return wakes


PARTS = {'cold': cold, 'linux': linux, 'curl': curl, 'burst': burst, 'warm': warm, 'idle': idle,
         'cpu': cpu}
