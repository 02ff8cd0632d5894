"""ahead: wakes into QEMUs that were started ahead, beside a bare start of the same QEMU."""
import time

import lab
from figures import SETTLE_S, bare_command, cold_once
from lab import BenchError, full, output
from report import median, spread

STANDBY_BAR, BOOT_BAR, RESTORE_BAR, RESTORE_BAR_MS = 0.45, 0.6, 1 / 3, 15
UNITS_BAR_BYTES = 2 << 20
MORE = '''image "{name}" {{
	driver = "qemu"
	kernel = "hello.elf"
	memory = "16M"
	network = "lan"
	ready = "tcp:80"
	cmdline = "name={{name}} ip={{address}}/{{prefixlen}} gw={{gateway}}"
	{lines}
}}
'''


def wait_for(what, test, seconds=30):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise BenchError(f'{what}: not within {seconds} s')
        time.sleep(0.02)


def waits(jitsud, kind, count=1):
    """QEMUs of that kind wait, and have settled."""
    wait_for(kind, lambda: jitsud.json('status')['limits'][kind]['used'] == count)
    time.sleep(0.15)


def beside_bare(jitsud, name, count, until_ready, command):
    """Wakes of `name`, each when what it takes waits, in turn with bare starts."""
    bare, wake = [], []
    for i in range(count):
        for which in ('bare', 'wake') if i % 2 == 0 else ('wake', 'bare'):
            if which == 'bare':
                time.sleep(SETTLE_S)
                bare.append(float(output(*command)))
                continue
            until_ready()
            wake.append(cold_once(jitsud, name))
            jitsud.sleep(name)
    return bare, wake


def say(table, label, bare, wake, bar, most_ms=None):
    ratio = median(wake) / median(bare)
    good = ratio <= bar and (most_ms is None or median(wake) <= most_ms * 1000)
    table.add(f'{label}: bare, spawn to SYN-ACK, {len(bare)} times', spread(bare))
    table.add(f'{label}: query to answer', spread(wake))
    table.add(f'{label}: ratio of the medians', f'{ratio:.2f}',
              f'at most {bar:.2f}' + (f', {most_ms} ms' if most_ms else ''), good)


def standby(table, count):
    units = lab.unit('www', '10.77.1.1') + lab.unit('st', '10.77.1.2', 'st')
    jitsud = lab.Jitsud(units, more=MORE.format(name='st', lines='standby = 1'))
    try:
        waits(jitsud, 'standby')
        # Of a unit that has none: the same QEMU but for names.
        command, _ = alone(jitsud, 'www')
        bare, wake = beside_bare(jitsud, 'st', count, lambda: waits(jitsud, 'standby'), command)
        say(table, 'standby', bare, wake, STANDBY_BAR)
        # A guest may be ready before the driver has said that it runs: then that is not known.
        steps = [e['durations_us'] for e in jitsud.json('events', '-n', '10000', full('st'))
                 if e['kind'] == 'answered']
        table.add('standby: query to cont, to first frame, to SYN-ACK, to answer',
                  ', '.join(spread([s[k] for s in steps if k in s] or [0])
                            for k in ('spawn', 'alive', 'ready', 'answer')))
    finally:
        jitsud.stop()


def alone(jitsud, name):
    """As figures.bare_command, where QEMUs wait beside the VM."""
    cold_once(jitsud, name)
    shown = jitsud.json('show', full(name))
    real = jitsud.qemus
    jitsud.qemus = lambda: [shown['pid']]
    try:
        return bare_command(jitsud, name)
    finally:
        jitsud.qemus = real


def bare_of(units):
    """The command of a jitsud that starts nothing ahead, and its directory."""
    jitsud = lab.Jitsud(units)
    try:
        return bare_command(jitsud, 'www')[0], jitsud.dir
    finally:
        jitsud.stop()


def pool(table, count, label, bar, lines, most_ms=None):
    units = lab.unit('www', '10.77.1.1')
    saves = MORE.format(name='sv', lines=lines)
    if lines:
        units = lab.unit('www', '10.77.1.1', 'sv')
    command, former = bare_of(lab.unit('www', '10.77.1.1'))
    jitsud = lab.Jitsud(units, more='pool = 1\n' + (saves if lines else ''))
    try:
        command = [a.replace(former, jitsud.dir) for a in command]
        waits(jitsud, 'pool')
        cold_once(jitsud, 'www')
        jitsud.sleep('www')
        time.sleep(1)        # what is wanted is looked at again
        bare, wake = beside_bare(jitsud, 'www', count, lambda: (
            time.sleep(0.8), waits(jitsud, 'pool')), command)
        say(table, label, bare, wake, bar, most_ms)
    finally:
        jitsud.stop()


def memory(table):
    """A thousand dormant units, and four that wait for any of them."""
    sizes = []
    for lines in ('', 'pool = 4\n'):
        jitsud = lab.Jitsud(lab.many(1000), more=lines)
        try:
            if lines:
                waits(jitsud, 'pool', 4)
            time.sleep(3)    # what a load needed is given back
            sizes.append(lab.pss_bytes(jitsud.pids()))
            blanks = lab.pss_bytes(jitsud.qemus()) if jitsud.qemus() else 0
            count = len(jitsud.qemus())
        finally:
            jitsud.stop()
    table.add('1,000 dormant units, pool = 4',
              f'{count} QEMUs of {blanks / count / 1048576:.1f} MiB (PSS); the daemon takes '
              f'{(sizes[1] - sizes[0]) / 1024:+.0f} KiB', 'below 2 MiB',
              sizes[1] - sizes[0] < UNITS_BAR_BYTES)


def ahead(table, quick):
    count = 12 if quick else 40
    standby(table, count)
    pool(table, count, 'boot from the pool', BOOT_BAR, '')
    pool(table, count, 'restore from the pool', RESTORE_BAR, 'sleep = "save"', RESTORE_BAR_MS)
    memory(table)


PARTS = {'ahead': ahead}
