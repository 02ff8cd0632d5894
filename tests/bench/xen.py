"""xen: cold wakes in a real Xen dom0, which scripts/xen-rig boots under emulation; measured there
by in-dom0.sh.

The machine's clock counts instructions, one a nanosecond: by the clock on the wall, the same create
takes 0.7 to 1.5 s there, as code is translated and as others use the processor, and 24 pairs decide
nothing."""
import os
import subprocess
import tempfile

import lab
from report import interval, median, spread

BAR_OVER_BARE = 1.10
BAR_UNDER_XL = 2.0


def measured(pairs, rounds):
    """{kind: [microseconds]}"""
    with tempfile.TemporaryDirectory() as d:
        with open(d + '/pairs', 'w') as f:
            f.write(f'{pairs} {rounds}\n')
        p = subprocess.run([lab.ROOT + '/scripts/xen-rig', 'run',
                            lab.ROOT + '/tests/bench/in-dom0.sh', d + '/pairs'],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           env={**os.environ, 'JITSU_BUILD': lab.BUILD, 'RIG_TIMEOUT': '1800',
                                'RIG_ICOUNT': '0'})
    if p.returncode != 0:
        raise lab.BenchError(f'scripts/xen-rig: status {p.returncode}: {p.stdout[-2000:]}')
    found = {}
    for line in lab.read(lab.ROOT + '/build/xen/out/figures').decode().splitlines():
        kind, us = line.split()
        found.setdefault(kind, []).append(float(us))
    return found


def xen(table, quick):
    found = measured(3, 1) if quick else measured(24, 3)
    bare, cold, xl = found['bare'], found['cold'], found['xl']
    ratio, gain = median(cold) / median(bare), median(xl) / median(cold)
    low, high = interval([c / b for c, b in zip(cold, bare)])
    table.add(f'Xen: bare libxl create to SYN-ACK, {len(bare)} times', spread(bare))
    table.add(f'Xen: query to answer, {len(cold)} times', spread(cold))
    table.add('Xen: wake against bare', f'{ratio:.3f} times (pairs, 95 %: {low:.3f} to {high:.3f})',
              f'at most {BAR_OVER_BARE:.2f} times',
              ratio <= BAR_OVER_BARE)
    table.add('Xen: xl create with vif-bridge to SYN-ACK', spread(xl))
    table.add('Xen: wake against xl create', f'{gain:.2f} times faster',
              f'at least {BAR_UNDER_XL:.0f} times', gain >= BAR_UNDER_XL)
    for step in ('spawn', 'alive', 'ready', 'answer'):
        if 'step-' + step in found:
            table.add(f'Xen: of a wake, {step}', spread(found['step-' + step]))
    table.add('Xen: four wakes at once, in turn',
              f'{spread(found["together"])}, {spread(found["in-turn"])}')


# Minutes, and a machine of its own: only when it is named.
PARTS = {'xen': xen}
