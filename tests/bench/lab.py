"""lab: a network namespace with a bridge, and in it a jitsud and an NSD of the bench's own."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get('JITSU_BUILD', ROOT + '/build')
ASK = BUILD + '/tests/bench/ask'
BARE = BUILD + '/tests/bench/bare'
FLOOD = BUILD + '/tests/bench/flood'
ECHO = BUILD + '/tests/bench/echo'
BRIDGE = 'jitsu0'
ADDRESS = '10.77.0.1'
PORT = 5300
NSD_PORT = 5400
KNOT_PORT = 5500
ECHO_PORT = 5600
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000

CONF = '''listen = {{ "{address}" }}
port = {port}
workers = {workers}
control = "{dir}/run/control"
state = "{dir}/state"
run-dir = "{dir}/run"
limits {{ wakes-per-minute = 0 wakes-per-minute-total = {wakes} memory-pressure = 0% }}
network "lan" {{
	bridge = "{bridge}"
	subnets = {{ "10.77.0.0/16" }}
	gateway = {{ "10.77.0.254" }}
	units = {{ "10.77.1.0-10.77.250.255" }}
}}
zone "example.test" {{ file = "example.zone" }}
image "hello" {{
	driver = "qemu"
	kernel = "hello.elf"
	memory = "16M"
	network = "lan"
	ready = "tcp:80"
	cmdline = "name={{name}} ip={{address}}/{{prefixlen}} gw={{gateway}}"
}}
{more}
'''
ZONE = '''$ORIGIN example.test.
$TTL 60
@ SOA ns hostmaster 1 1h 15m 1w 30
@ NS ns
ns A 10.77.0.1
'''
NSD_CONF = '''server:
	ip-address: {address}@{port}
	server-count: {workers}
	database: ""
	username: ""
	chroot: ""
	pidfile: "{dir}/nsd.pid"
	logfile: "{dir}/nsd.log"
	xfrdfile: "{dir}/nsd.xfrd"
	zonelistfile: "{dir}/nsd.zones"
	xfrdir: "{dir}"
	zonesdir: "{dir}"
	cookie-secret-file: ""
	rrl-ratelimit: 0
	rrl-whitelist-ratelimit: 0
remote-control:
	control-enable: no
zone:
	name: example.test
	zonefile: nsd.zone
'''
KNOT_CONF = '''server:
    rundir: "{dir}"
    listen: "{address}@{port}"
    udp-workers: {workers}
    tcp-workers: {workers}
    background-workers: 1
database:
    storage: "{dir}/db"
log:
  - target: "{dir}/knot.log"
    any: info
zone:
  - domain: example.test
    storage: "{dir}"
    file: knot.zone
    journal-content: none
    zonefile-sync: -1
    semantic-checks: off
'''


class BenchError(Exception):
    """Something could not be measured."""


def output(*args, check=True, timeout=120):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=timeout)
    if check and p.returncode != 0:
        raise BenchError(f'{" ".join(args)[:300]}: status {p.returncode}: {p.stderr.strip()}')
    return p.stdout


def read(path):
    with open(path, 'rb') as f:
        return f.read()


class Netns:
    """Entered for the whole process; /sys stays as it is, unlike with `ip netns exec`, so that
    cgroups can be seen."""

    def __init__(self):
        self.name = f'jitsu-bench-{os.getpid()}'
        output('ip', 'netns', 'add', self.name)
        fd = os.open(f'/run/netns/{self.name}', os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise BenchError(f'setns: {os.strerror(ctypes.get_errno())}')
        os.close(fd)
        self.outside = os.open('/proc/self/ns/mnt', os.O_RDONLY | os.O_CLOEXEC)
        # For Jitsud's run-dir; what is mounted there goes with this process.
        if libc.unshare(CLONE_NEWNS) != 0:
            raise BenchError(f'unshare: {os.strerror(ctypes.get_errno())}')
        output('mount', '--make-rprivate', '/')
        for command in ('link set lo up',
                        f'link add {BRIDGE} address 02:00:00:00:77:01 type bridge',
                        f'addr add {ADDRESS}/16 dev {BRIDGE}', f'link set {BRIDGE} up'):
            output('ip', *command.split())

    def remove(self):
        # The mount of /run/netns/NAME that this process sees is a copy.
        output('nsenter', f'--mount=/proc/{os.getpid()}/fd/{self.outside}', 'ip', 'netns', 'del',
               self.name, check=False)


def unit(name, address, image='hello'):
    return f'{name} A {address}\n_jitsu.{name} TXT "image={image}" "idle=10m" "unused-after=10m"\n'


def many(count, prefix='u', third=2):
    """Units prefix1 ... prefixN from 10.77.third.1 on, 250 per /24."""
    return ''.join(unit(f'{prefix}{i + 1}', f'10.77.{third + i // 250}.{i % 250 + 1}')
                   for i in range(count))


class Jitsud:
    port = PORT
    build = BUILD

    def __init__(self, units, workers=2, more='', images=(), cpu=None, head=ZONE, wakes=0):
        self.cpu = cpu
        # Readable for the VMs' user.
        self.dir = tempfile.mkdtemp(prefix='jitsu-bench.', dir='/tmp')
        os.chmod(self.dir, 0o755)
        shutil.copy(BUILD + '/hello.elf', self.dir)
        for path in images:
            shutil.copy(path, self.dir)
        os.mkdir(self.dir + '/run', 0o755)
        # A run-dir is below /run, and that is a tmpfs on every Debian, but not in every container.
        output('mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', self.dir + '/run')
        self.write('jitsu.conf', CONF.format(address=ADDRESS, port=self.port, workers=workers,
                                             dir=self.dir, bridge=BRIDGE, more=more,
                                             wakes=wakes))
        self.write('example.zone', head + units)
        self.log = open(self.dir + '/out', 'w')
        self.start()

    def start(self):
        command = [self.build + '/jitsud', '-f', '-c', self.dir + '/jitsu.conf']
        self.process = pinned(self.cpu, command, self.log)
        try:
            first_answer(self)
        except BenchError:
            self.stop()
            raise

    def write(self, name, text):
        with open(f'{self.dir}/{name}', 'w') as f:
            f.write(text)

    def jitsu(self, *args, **kw):
        return output(self.build + '/jitsu', '-s', self.dir + '/run/control', *args, **kw)

    def json(self, *args):
        return json.loads(self.jitsu('--json', *args))

    def sleep(self, *names):
        for name in names:
            self.jitsu('sleep', full(name))

    def boots(self):
        return {u['name']: u['boots'] for u in self.json('list')}

    def answered(self, name, count):
        """The durations of the last `count` wakes of a unit, as the daemon recorded them."""
        events = self.json('events', '-n', '10000', full(name))
        every = [e['durations_us'] for e in events if e['kind'] == 'answered']
        found = [d for d in every if 'spawn' in d]
        if len(found) < count:
            kinds = sorted({e['kind'] for e in events})
            raise BenchError(f'{name}: {len(found)} recorded wakes instead of {count}, '
                             f'{len(every) - len(found)} without a start; events: {kinds}')
        return found[-count:]

    def pids(self):
        """The daemon's own processes, without its VMs."""
        me = self.process.pid
        exe = os.readlink(f'/proc/{me}/exe')
        found = [me]
        for p in os.listdir('/proc'):
            if not p.isdigit() or int(p) == me:
                continue
            try:
                if os.readlink(f'/proc/{p}/exe') == exe and parent(p) == me:
                    found.append(int(p))
            except OSError:
                continue
        return found

    def qemus(self):
        found = []
        for p in os.listdir('/proc'):
            if not p.isdigit():
                continue
            try:
                if os.readlink(f'/proc/{p}/cwd').startswith(self.dir + '/run/vm/'):
                    found.append(int(p))
            except OSError:
                continue
        return found

    def end(self):
        """Ends it and leaves its files, for another start."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self.end()
        for p in self.qemus():
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.log.close()
        output('umount', '-l', self.dir + '/run', check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Other:
    """A server of somebody else's; subclasses say how it is started."""

    def __init__(self, names, workers=2, cpu=None, head=ZONE):
        self.dir = tempfile.mkdtemp(prefix=f'jitsu-bench-{self.name}.', dir='/tmp')
        self.cpu = cpu
        with open(f'{self.dir}/{self.name}.conf', 'w') as f:
            f.write(self.conf.format(address=ADDRESS, port=self.port, workers=workers,
                                     dir=self.dir))
        with open(f'{self.dir}/{self.name}.zone', 'w') as f:
            f.write(head + re.sub(r'^_jitsu.*\n', '', names, flags=re.M))
        self.start()

    def start(self):
        with open(self.dir + '/out', 'w') as out:
            self.process = pinned(self.cpu, self.command(), out)
        try:
            first_answer(self)
        except BenchError:
            self.stop()
            raise

    def pids(self):
        known = [self.process.pid]
        for p in known:
            for t in os.listdir(f'/proc/{p}/task'):
                known += [int(c) for c in read(f'/proc/{p}/task/{t}/children').split()]
        return known

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def stop(self):
        self.end()
        shutil.rmtree(self.dir, ignore_errors=True)


class Nsd(Other):
    name, port, conf = 'nsd', NSD_PORT, NSD_CONF

    def command(self):
        return ['/usr/sbin/nsd', '-d', '-c', self.dir + '/nsd.conf']


class Knot(Other):
    name, port, conf = 'knot', KNOT_PORT, KNOT_CONF

    def command(self):
        return ['/usr/sbin/knotd', '-c', self.dir + '/knot.conf']


class Echo(Other):
    name, port, conf = 'echo', ECHO_PORT, ''

    def command(self):
        return [ECHO, ADDRESS, str(ECHO_PORT)]


def pinned(cpu, command, log):
    """Starts a process, on one processor if one is given; its children inherit that."""
    pin = None if cpu is None else lambda: os.sched_setaffinity(0, {cpu})
    return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                            preexec_fn=pin)


def first_answer(server, name='ns', timeout=120):
    """Waits until a server answers for a name without an error."""
    question = b''.join(bytes([len(x)]) + x for x in full(name).encode().split(b'.'))
    query = (b'\x12\x34' + bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + question + b'\0'
             + bytes([0, 1, 0, 1]))
    end = time.monotonic() + timeout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.005)
        while time.monotonic() < end:
            if server.process.poll() is not None:
                raise BenchError(f'{type(server).__name__} ended: '
                                 + read(server.dir + '/out').decode(errors='replace')[-2000:])
            try:
                s.sendto(query, (ADDRESS, server.port))
                answer = s.recv(4096)
            except OSError:
                continue
            if answer[3] & 15 == 0:
                return
            time.sleep(0.005)
    raise BenchError(f'{type(server).__name__} does not answer')


def full(name):
    return name + '.example.test'


def parent(pid):
    return int(read(f'/proc/{pid}/stat').rsplit(b')', 1)[1].split()[1])


def ask(*names, times=1, port=PORT, wait=10):
    """Asks for all at once; [(name, microseconds or None, rcode, answers)]."""
    out = output(ASK, '-p', str(port), '-w', str(wait), '-n', str(times), *map(full, names))
    rows = []
    for line in out.splitlines():
        name, us, rcode, answers = line.split()
        rows.append((name, None, None, 0) if us == '-'
                    else (name, float(us), int(rcode), int(answers)))
    return rows


def good(rows):
    return [us for _, us, rcode, answers in rows if us is not None and rcode == 0 and answers > 0]


def syns_again():
    """SYNs that this namespace's TCP sent again."""
    rows = [line.split() for line in read('/proc/thread-self/net/netstat').decode().splitlines()
            if line.startswith('TcpExt:')]
    return int(rows[1][rows[0].index('TCPSynRetrans')])


def retransmissions():
    """Segments that this namespace's TCP sent again, SYNs included."""
    rows = [line.split() for line in read('/proc/thread-self/net/snmp').decode().splitlines()
            if line.startswith('Tcp:')]
    return int(rows[1][rows[0].index('RetransSegs')])


def switches(pids):
    """Context switches of every thread so far, {(pid, tid, name): count}."""
    counts = {}
    for p in pids:
        for t in os.listdir(f'/proc/{p}/task'):
            text = read(f'/proc/{p}/task/{t}/status').decode()
            n = sum(int(x) for x in re.findall(r'voluntary_ctxt_switches:\s*(\d+)', text))
            counts[(p, int(t), re.search(r'Name:\s*(.*)', text).group(1))] = n
    return counts


def pss_bytes(pids):
    rollups = [read(f'/proc/{p}/smaps_rollup').decode() for p in pids]
    return sum(1024 * int(re.search(r'^Pss:\s*(\d+)', r, re.M).group(1)) for r in rollups)


def cpu_ns(pids):
    return sum(int(read(f'/proc/{p}/task/{t}/schedstat').split()[0]) for p in pids
               for t in os.listdir(f'/proc/{p}/task'))
