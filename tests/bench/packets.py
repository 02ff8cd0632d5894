"""packets: wakes by a client's first packet, tiers that wake quickly, storms, noise."""
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import lab
from figures import (BARE_ADDRESS, LINUX_DIR, LINUX_IMAGE, SETTLE_S, bare_command, bare_words,
                     cold_once, vm_uid)
from lab import ADDRESS, BRIDGE, BenchError, ask, full, good, output
from report import interval, median, percentile, spread

WWW = '10.77.1.1'
CONNECT_BAR_US = 3000
FROZEN_BAR_US = 2000
NOISE_RATE = 50000
TUNSETIFF, IFF_TAP_NO_PI_VNET = 0x400454ca, 0x0002 | 0x1000 | 0x4000
QUARTER = 0.25


def image(name, cmdline='', lines=''):
    return (f'image "{name}" {{ kernel = "hello.elf" memory = "16M" network = "lan" '
            f'ready = "tcp:80" cmdline = "name={{name}} ip={{address}}/{{prefixlen}} '
            f'gw={{gateway}} {cmdline}" {lines} }}\n')


def connect(address, port=80, wait=10):
    """(microseconds from SYN to connection or None, what went wrong)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(wait)
        start = time.monotonic_ns()
        try:
            s.connect((address, port))
        except OSError as e:
            return None, e.strerror or str(e)
        return (time.monotonic_ns() - start) / 1000, ''


def connects(table, label, count, address, before, bar, again_bar=0):
    """count connects, before each of which before() is called; their durations."""
    took, problems, again = [], {}, 0
    for _ in range(count):
        before()
        sent = lab.syns_again()
        us, why = connect(address)
        again += lab.syns_again() - sent
        if us is None:
            problems[why] = problems.get(why, 0) + 1
        else:
            took.append(us)
    for why, n in sorted(problems.items()):
        print(f'  {label}: {n} times {why}')
    table.add(label, f'{len(took)} of {count}, {again} SYNs sent again', bar,
              len(took) == count and again <= again_bar)
    if not took:
        raise BenchError(f'{label}: no connection')
    return took


def asleep(jitsud, name, tier):
    """Puts a unit to sleep, and waits until that is done."""
    jitsud.sleep(name)
    shown = jitsud.json('show', full(name))['state']
    if shown != tier:
        raise BenchError(f'{name} is {shown}, not {tier}')
    time.sleep(SETTLE_S)


def packet(table, quick):
    """A client that has the address connects to a dormant unit."""
    count = 20 if quick else 100
    jitsud = lab.Jitsud(lab.unit('www', WWW))
    try:
        command, _ = bare_command(jitsud, 'www')
        bare, ours, again, failed = [], [], 0, 0
        for i in range(count):
            for which in ('bare', 'ours') if i % 2 == 0 else ('ours', 'bare'):
                time.sleep(SETTLE_S)
                if which == 'bare':
                    bare.append(float(output(*command)))
                    continue
                sent = lab.syns_again()
                us, _ = connect(WWW)
                again += lab.syns_again() - sent
                failed += us is None
                ours.append(us if us is not None else 1e7)
                jitsud.sleep('www')
        differences = [a - b for a, b in zip(ours, bare)]
        low, high = interval(differences)
        table.add(f'bare, spawn to SYN-ACK, {count} times', spread(bare))
        table.add('connect to a dormant unit', spread(ours))
        table.add('difference of the pairs', f'{median(differences) / 1000:+.2f} ms '
                  f'(95 %: {low / 1000:+.2f} to {high / 1000:+.2f})', 'at most 3 ms',
                  median(differences) <= CONNECT_BAR_US)
        table.add('connections', f'{count - failed} of {count}, {again} SYNs sent again',
                  f'{count} of {count}, none again', failed == 0 and again == 0)
    finally:
        jitsud.stop()


def late(table, quick):
    """The guest's port opens 300 ms after its network, at which it counts as ready."""
    count = 10 if quick else 100
    more = image('late', 'delay=300', '').replace('tcp:80', 'arp')
    jitsud = lab.Jitsud(lab.unit('www', WWW, 'late'), more=more)
    try:
        cold_once(jitsud, 'www')
        took = connects(table, 'connects while the port is not open yet', count, WWW,
                        lambda: asleep(jitsud, 'www', 'dormant'),
                        f'{count} of {count}, none again')
        table.add('their durations', spread(took))
    finally:
        jitsud.stop()


def frozen(table, quick):
    count = 20 if quick else 100
    jitsud = lab.Jitsud(lab.unit('www', WWW, 'ice'), more=image('ice', lines='sleep = freeze'))
    try:
        cold_once(jitsud, 'www')
        asked = []
        for _ in range(count):
            asleep(jitsud, 'www', 'frozen')
            asked.append(cold_once(jitsud, 'www'))
        table.add('frozen: query to answer', spread(asked), 'at most 2 ms',
                  median(asked) <= FROZEN_BAR_US)
        took = connects(table, 'frozen: connects', count, WWW,
                        lambda: asleep(jitsud, 'www', 'frozen'), f'{count} of {count}')
        table.add('frozen: SYN to SYN-ACK', spread(took), 'at most 2 ms',
                  median(took) <= FROZEN_BAR_US)
    finally:
        jitsud.stop()


def bare_storm(jitsud, count, at_once):
    """What jitsud runs for one unit, for the storm without it."""
    cold_once(jitsud, 'www')
    shown = jitsud.json('show', full('www'))
    argv = lab.read(f'/proc/{jitsud.qemus()[0]}/cmdline').decode().split('\0')[:-1]
    jitsud.sleep('www')
    words = [w.replace(shown['mac'], '@MAC@').replace(WWW + '/', '@ADDRESS@/')
             .replace(full('www'), 'u@N@.example.test') for w in argv]
    uid = vm_uid()
    return float(output(lab.BUILD + '/tests/bench/storm', BRIDGE, ADDRESS, str(count),
                        str(at_once), str(uid), str(uid), '--', *words, timeout=300))


def storm(table, quick):
    count = 60 if quick else 300
    names = [f'u{i}' for i in range(1, count + 1)]
    more = 'limits { vms = 500 memory = 64G queue = 2000 }\n'
    jitsud = lab.Jitsud(lab.unit('www', WWW) + lab.many(count), more=more)
    ours, bare = [], {}
    try:
        for at_once in (2, 3, 4, 6, 8):
            bare[at_once] = bare_storm(jitsud, count, at_once)
        best = min(bare, key=bare.get)
        table.add(f'{count} at once, bare', ', '.join(f'{k} at a time {v / 1000:.2f} s'
                                                      for k, v in bare.items()))
        again = []
        for _ in range(1 if quick else 3):
            again.append(bare_storm(jitsud, count, best))
            start = time.monotonic()
            rows = ask(*names, wait=60)
            while not all(s == 'awake' for s in states(jitsud, names)):
                if time.monotonic() > start + 120:
                    raise BenchError('not all units are awake after two minutes')
                time.sleep(0.02)
            ours.append((last_ready(jitsud, count), len(good(rows))))
            jitsud.sleep(*names)
    finally:
        jitsud.stop()
    ms = [m for m, _ in ours]
    ratio = median(ms) / median(again)
    table.add(f'{count} at once, jitsud', f'{median(ms) / 1000:.2f} s, bare {best} at a time '
              f'{median(again) / 1000:.2f} s; {min(n for _, n in ours)} answers; {ratio:.2f}',
              'at most 1.1 x bare', ratio <= 1.1 and all(n == count for _, n in ours))


def states(jitsud, names):
    wanted = {full(n) for n in names}
    return [u['state'] for u in jitsud.json('list') if u['name'] in wanted]


def last_ready(jitsud, count):
    """Milliseconds from the first of the last `count` wakes to the last one's readiness."""
    events = [e for e in jitsud.json('events', '-n', '10000')
              if e['kind'] in ('booting', 'awake') and full('www') != e['unit']]
    begun = [e['time'] for e in events if e['kind'] == 'booting'][-count:]
    ended = [e['time'] for e in events if e['kind'] == 'awake'][-count:]
    if len(begun) != count or len(ended) != count:
        raise BenchError(f'{len(begun)} wakes and {len(ended)} units ready instead of {count}')
    return (max(ended) - min(begun)) * 1000


def initrd_with_iperf3(directory):
    """Linux' initrd with an iperf3 server behind it."""
    root = directory + '/extra.d'
    os.makedirs(root + '/tmp')
    libraries = re.findall(r'(/\S+) \(0x', output('ldd', '/usr/bin/iperf3'))
    for path in ['/usr/bin/iperf3'] + libraries:
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)
    with open(root + '/extra', 'w') as f:
        f.write('#!/bin/sh\nexec /usr/bin/iperf3 -s\n')
    os.chmod(root + '/extra', 0o755)
    with open(directory + '/initrd.gz', 'wb') as f:
        f.write(lab.read(LINUX_DIR + '/initrd.gz'))
        f.flush()
        subprocess.run('find . | cpio -o -H newc --quiet | gzip -1', shell=True, cwd=root,
                       stdout=f, check=True)
    return directory + '/initrd.gz'


def iperf3(seconds, address):
    """Mbit/s to the guest, whose server may not be there yet."""
    for _ in range(100):
        got = json.loads(output('iperf3', '-c', address, '-t', str(seconds), '-J', check=False,
                                timeout=60 + seconds))
        if 'sum_received' in got['end']:
            return got['end']['sum_received']['bits_per_second'] / 1e6
        time.sleep(0.1)
    raise BenchError(f'iperf3: {got.get("error", "no result")}')


def alone(argv, measure):
    """measure() beside a QEMU that was started with these words and no jitsud."""
    tap = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', b'bare0', IFF_TAP_NO_PI_VNET))
    output('ip', 'link', 'set', 'bare0', 'master', BRIDGE, 'up')
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind('\0' + f'jitsu-bench-{os.getpid()}')
    listener.listen(1)
    fds = [os.dup2(listener.fileno(), 203), os.dup2(tap, 204)]

    def place():
        os.dup2(203, 3)
        os.dup2(204, 4)
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               close_fds=False, preexec_fn=place)
    try:
        return measure()
    finally:
        process.kill()
        process.wait()
        listener.close()
        for fd in fds + [tap]:
            os.close(fd)


def throughput(table, quick):
    """iperf3 to a woken Linux guest, and to the same guest without jitsud."""
    rounds, seconds = (1, 3) if quick else (4, 5)
    with tempfile.TemporaryDirectory(dir='/tmp') as directory:
        jitsud = lab.Jitsud(lab.unit('lin', '10.77.1.2', 'linux').replace('"idle', '"hold=30s" '
                            '"idle'), more=LINUX_IMAGE,
                            images=(LINUX_DIR + '/vmlinuz', initrd_with_iperf3(directory)))
    ours, bare = [], []
    try:
        cold_once(jitsud, 'lin', wait=60)
        shown = jitsud.json('show', full('lin'))
        argv = lab.read(f'/proc/{jitsud.qemus()[0]}/cmdline').decode().split('\0')[:-1]
        argv = bare_words(argv, shown)
        jitsud.sleep('lin')
        for _ in range(rounds):
            if connect('10.77.1.2', 80, 60)[0] is None:     # a packet wakes it
                raise BenchError('the Linux guest takes no connection')
            ours.append(iperf3(seconds, '10.77.1.2'))
            jitsud.sleep('lin')
            bare.append(alone(argv, lambda: iperf3(seconds, BARE_ADDRESS)))
    finally:
        jitsud.stop()
    ratio = median([a / b for a, b in zip(ours, bare)])
    table.add('iperf3 to a woken Linux guest', f'{median(ours):.0f} Mbit/s, without jitsud '
              f'{median(bare):.0f}; {ratio:.2f}', 'at least 0.95', ratio >= 0.95)


def sentinel_pid(jitsud):
    for p in jitsud.pids():
        if b'sentinel' in lab.read(f'/proc/{p}/cmdline'):
            return p
    raise BenchError('no sentinel')


def veth():
    """An interface whose other end is a port of the bridge."""
    for command in ('link add noise0 type veth peer name noise1',
                    f'link set noise1 master {BRIDGE} up', 'link set noise0 up'):
        output('ip', *command.split())


def noise(table, quick):
    """Broadcasts that are nobody's, with 10,000 parked addresses."""
    seconds = 3 if quick else 10
    jitsud = lab.Jitsud(lab.unit('www', WWW) + lab.many(9999, third=20))
    veth()
    try:
        cold_once(jitsud, 'www')
        asleep(jitsud, 'www', 'dormant')
        time.sleep(3)
        pid = sentinel_pid(jitsud)
        before, begun = lab.cpu_ns([pid]), time.monotonic()
        sender = subprocess.Popen([lab.BUILD + '/tests/bench/noise', 'noise0', str(NOISE_RATE),
                                   str(seconds), 'arp'], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        sent_again = lab.syns_again()
        us, why = connect(WWW)
        sent_again = lab.syns_again() - sent_again
        sent = int(sender.communicate(timeout=60)[0])
        share = (lab.cpu_ns([pid]) - before) / 1e9 / (time.monotonic() - begun)
        table.add(f'noise of {sent / seconds:.0f} frames/s, 10,000 parked: the sentinel',
                  f'{share:.2f} of a core', 'under a quarter', share < QUARTER)
        table.add('a client meanwhile', why or f'{us / 1000:.1f} ms, {sent_again} sent again',
                  'none lost', us is not None and sent_again == 0)
    finally:
        jitsud.stop()
        output('ip', 'link', 'del', 'noise0', check=False)


def quiet(table, quick):
    """Wake-ups of an idle daemon with 10,000 parked addresses on a silent bridge."""
    seconds = 5 if quick else 20
    jitsud = lab.Jitsud(lab.many(10000))
    try:
        time.sleep(30)   # every address is claimed, and IPv6 of the bridge has settled
        pids = jitsud.pids()
        before = lab.switches(pids)
        time.sleep(seconds)
        after = lab.switches(pids)
    finally:
        jitsud.stop()
    woken = {k: n - before.get(k, 0) for k, n in after.items() if n != before.get(k, 0)}
    table.add(f'wake-ups in {seconds} s, 10,000 parked addresses', str(sum(woken.values())),
              'none', not woken)
    for (pid, tid, name), n in woken.items():
        print(f'  thread {name} ({pid}/{tid}): {n}')


def syns(table, quick):
    """SYNs from random sources at sleeping addresses; warm DNS beside NSD's."""
    seconds = 3 if quick else 8
    units = lab.unit('www', '10.77.1.9') + lab.many(1000)
    jitsud = lab.Jitsud(units, workers=1, wakes=60)
    nsd = None
    veth()
    try:
        nsd = lab.Nsd(units, workers=1)
        cold_once(jitsud, 'www')
        shown = [jitsud.json('show', full(f'u{i}')) for i in range(1, 251)]
        rate = 20000
        got = {lab.PORT: [], lab.NSD_PORT: []}
        boots = sum(jitsud.boots().values())
        sender = subprocess.Popen([lab.BUILD + '/tests/bench/noise', 'noise0', str(rate),
                                   str(seconds * 2 + 2), 'syn'], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        sender.stdin.write(''.join(f'{u["mac"]} {u["addresses"][0]}\n' for u in shown))
        sender.stdin.close()
        sender.stdin = None
        time.sleep(0.5)
        pid = sentinel_pid(jitsud)
        before, begun = lab.cpu_ns([pid]), time.monotonic()
        # Both at once, since the load is another one while units boot.
        clients = {port: subprocess.Popen([lab.ASK, '-p', str(port), '-w', '2', '-r', '1000',
                                           '-d', str(2 * seconds * 1000), full('www')],
                                          stdout=subprocess.PIPE, text=True) for port in got}
        for port, client in clients.items():
            out, _ = client.communicate(timeout=60)
            got[port] = [float(line.split()[1]) for line in out.splitlines()
                         if line.split()[1] != '-']
        share = (lab.cpu_ns([pid]) - before) / 1e9 / (time.monotonic() - begun)
        sender.communicate(timeout=60)
        boots = sum(jitsud.boots().values()) - boots
    finally:
        if nsd:
            nsd.stop()
        jitsud.stop()
        output('ip', 'link', 'del', 'noise0', check=False)
    p99 = {port: percentile(values, 99) for port, values in got.items()}
    ratio = p99[lab.PORT] / p99[lab.NSD_PORT]
    table.add(f'{rate} SYNs/s from random sources: the sentinel', f'{share:.2f} of a core')
    table.add('wakes meanwhile', f'{boots} in {2 * seconds + 2} s', 'at most 60 + the rate of 60 a '
              'minute', boots <= 60 + 2 * seconds + 2)
    table.add('warm answers meanwhile, p99', f'{p99[lab.PORT]:.0f} us, NSD '
              f'{p99[lab.NSD_PORT]:.0f} us, {ratio:.2f}', 'at most 2 x NSD', ratio <= 2)


PARTS = {'packet': packet, 'late': late, 'frozen': frozen, 'storm': storm, 'noise': noise,
         'syns': syns, 'throughput': throughput, 'quiet': quiet}
