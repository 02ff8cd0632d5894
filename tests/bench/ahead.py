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


def in_turn(count, reference, wake):
    """Both, as often; who comes first in a pair finds another machine than who comes second."""
    got = {reference: [], wake: []}
    for i in range(count):
        for which in (reference, wake) if i % 2 == 0 else (wake, reference):
            got[which].append(which())
    return got[reference], got[wake]


def bare_start(command):
    def start():
        time.sleep(SETTLE_S)
        return float(output(*command))
    return start


def waking(jitsud, name, until_ready):
    def wake():
        until_ready()
        us = cold_once(jitsud, name)
        jitsud.sleep(name)
        return us
    return wake


def say(table, label, beside, reference, wake, bar, most_ms=None):
    ratio = median(wake) / median(reference)
    good = ratio <= bar and (most_ms is None or median(wake) <= most_ms * 1000)
    table.add(f'{label}: beside {beside}, {len(reference)} times', spread(reference))
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
        bare, wake = in_turn(count, bare_start(command),
                             waking(jitsud, 'st', lambda: waits(jitsud, 'standby')))
        say(table, 'standby', 'bare, spawn to SYN-ACK', bare, wake, STANDBY_BAR)
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


def settled(jitsud):
    time.sleep(0.8)          # what is wanted is looked at again
    waits(jitsud, 'pool')


def boot(table, count):
    command, former = bare_of(lab.unit('www', '10.77.1.1'))
    jitsud = lab.Jitsud(lab.unit('www', '10.77.1.1'), more='pool = 1\n')
    try:
        command = [a.replace(former, jitsud.dir) for a in command]
        bare, wake = in_turn(count, bare_start(command),
                             waking(jitsud, 'www', lambda: settled(jitsud)))
        say(table, 'boot from the pool', 'bare, spawn to SYN-ACK', bare, wake, BOOT_BAR)
    finally:
        jitsud.stop()


def restore(table, count):
    """Beside a unit whose extra arguments keep it from using the pool."""
    units = lab.unit('www', '10.77.1.1', 'sv') + lab.unit('co', '10.77.1.2', 'co')
    jitsud = lab.Jitsud(units, more='pool = 1\n'
                        + MORE.format(name='sv', lines='sleep = "save"')
                        + MORE.format(name='co', lines='args = { "-msg", "timestamp=off" }'))
    try:
        for name in ('co', 'www'):
            cold_once(jitsud, name)
            jitsud.sleep(name)

        def cold():
            time.sleep(SETTLE_S)
            us = cold_once(jitsud, 'co')
            jitsud.sleep('co')
            # Used last, it would be who the pool waits for.
            cold_once(jitsud, 'www')
            jitsud.sleep('www')
            return us
        cold_wakes, wakes = in_turn(count, cold, waking(jitsud, 'www', lambda: settled(jitsud)))
        say(table, 'restore from the pool', 'cold wakes, query to answer', cold_wakes, wakes,
            RESTORE_BAR, RESTORE_BAR_MS)
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
    boot(table, count)
    restore(table, count)
    memory(table)


PARTS = {'ahead': ahead}
