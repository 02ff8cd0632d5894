"""against: this build of jitsud beside another one, such as that of the last release.

Both run at the same time and are used one at a time; a ratio is the median of those of the rounds.
"""
import time

import lab
from authority import FEW, MANY, SERVER_CPU, flood, in_turn, names, seconds
from figures import SETTLE_S
from lab import BenchError, ask, good
from report import interval, median

other = lab.BUILD
WORSE = 1.02


class Other(lab.Jitsud):
    port = lab.KNOT_PORT

    def __init__(self, *args, **kw):
        self.build = other
        super().__init__(*args, **kw)


def both(zone_of, **kw):
    """{label: server}; zone_of(n) is the zone of the n-th."""
    first = lab.Jitsud(zone_of(1), **kw)
    try:
        return {'this': first, 'other': Other(zone_of(2), **kw)}
    except BaseException:
        first.stop()
        raise


def compare(table, figure, got, unit):
    ratios = [a / b for a, b in zip(got['this'], got['other'])]
    low, high = interval(ratios)
    table.add(figure, f'{median(got["this"]):.2f} {unit}, the other {median(got["other"]):.2f}; '
              f'{median(ratios):.3f} ({low:.3f} to {high:.3f})', f'{WORSE} x the other',
              median(ratios) <= WORSE)


def warm(table, quick):
    servers = both(lambda n: names(FEW), workers=1, cpu=SERVER_CPU)
    try:
        for args, figure in (((), 'UDP'), (('-t', '20'), 'TCP')):
            got = in_turn(list(servers), 5 if quick else 25,
                          lambda x: flood(servers[x], *args, ms=300)[4])
            compare(table, f'warm, {FEW} names, {figure}: CPU per query', got, 'us')
    finally:
        for s in servers.values():
            s.stop()


def cold(table, quick):
    """What jitsud itself adds to a wake, and the whole of it."""
    count = 15 if quick else 60
    servers = both(lambda n: lab.unit('www', f'10.77.1.{n}'))

    def wake(label):
        time.sleep(SETTLE_S)
        rows = ask('www', wait=10, port=servers[label].port)
        if not good(rows):
            raise BenchError(f'no address for a cold query: {rows}')
        servers[label].sleep('www')
        return good(rows)[0] / 1000
    try:
        for label in servers:
            wake(label)
        times = in_turn(list(servers), count, wake)
        compare(table, f'cold wake of hello, {count} times', times, 'ms')
        shares = {label: [(d['spawn'] + d['answer']) / 1000 for d in s.answered('www', count)]
                  for label, s in servers.items()}
        compare(table, 'our own share of these', shares, 'ms')
    finally:
        for s in servers.values():
            s.stop()


def load(table, quick):
    count = MANY // 10 if quick else MANY
    servers = both(lambda n: names(count), workers=1, cpu=SERVER_CPU)
    serial = [1]

    def reload(label):
        s = servers[label]
        serial[0] += 1
        s.write('example.zone', lab.ZONE.replace(' 1 1h', f' {serial[0]} 1h') + names(count))
        return seconds(lambda: s.jitsu('reload', timeout=120))
    try:
        for label in servers:
            reload(label)
        took = in_turn(list(servers), 3 if quick else 9, reload)
        compare(table, f'reload of {count} names', took, 's')
    finally:
        for s in servers.values():
            s.stop()


def run(table, quick):
    for part in (warm, cold, load):
        part(table, quick)


PARTS = {'against': run}
