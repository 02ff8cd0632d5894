"""report: medians, percentiles, bootstrap intervals, and the table."""
import random
import statistics

RESAMPLES = 2000
median = statistics.median


def percentile(values, p):
    """Nearest rank."""
    s = sorted(values)
    return s[min(len(s) - 1, max(0, -(-len(s) * p // 100) - 1))]


def interval(values):
    """95 % interval of the median, by bootstrap; the same for the same values."""
    r = random.Random(1)
    m = sorted(median(r.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return m[int(0.025 * RESAMPLES)], m[int(0.975 * RESAMPLES)]


def spread(values, scale=1000, unit='ms'):
    return (f'{median(values) / scale:.1f} {unit} '
            f'({min(values) / scale:.1f} to {max(values) / scale:.1f})')


class Table:
    def __init__(self):
        self.rows = []

    def add(self, figure, value, bar='', ok=None):
        """ok: None where there is no bar."""
        mark = '' if ok is None else 'ok' if ok else 'SHORT'
        self.rows.append((figure, value, bar, mark))
        print(f'  {figure}: {value}{"; bar: " + bar if bar else ""}{"  " + mark if mark else ""}',
              flush=True)

    def show(self):
        head = ('figure', 'measured', 'bar', '')
        widths = [max(len(r[i]) for r in self.rows + [head]) for i in range(4)]
        print()
        for row in [head] + self.rows:
            print('  '.join(c.ljust(w) for c, w in zip(row, widths)).rstrip())
