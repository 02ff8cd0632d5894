#!/usr/bin/env bats
# transport: UDP and TCP, EDNS, types, negative answers, nonsense, truncation, addresses,
# pipelining; asked of one daemon.

load lib/jitsu
load lib/shared

# An image whose port opens late, so that its queries are held.
slow_image() {
	cat <<-EOF2
	image "slow" {
		kernel = "hello.elf"
		memory = "16M"
		network = "lan"
		ready = "tcp:80"
		accel = "tcg"
		cmdline = "name={name} ip={address}/{prefixlen} gw={gateway} delay=5000"
	}
	EOF2
}

zone_records() {
	cat <<-'EOF2'
	plain AAAA 2001:db8::7
	mx MX 10 ns
	srv SRV 1 2 80 ns
	caa CAA 0 issue "ca.example.net"
	loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
	naptr NAPTR 100 50 "s" "http+N2L+N2C+N2R" "" www.example.test.
	sshfp SSHFP 1 1 123456789abcdef67890123456789abcdef67890
	tlsa TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
	unknown TYPE12345 \# 4 01020304
	svc SVCB 1 ns port=853 alpn="dot"
	svc HTTPS 1 . alpn="h2,h3" ipv4hint=192.0.2.1
	short 7 A 192.0.2.8
	a.b.ent A 192.0.2.9
	out CNAME www.example.net.
	chain CNAME alias2
	alias2 CNAME plain
	broken CNAME nothing
	slow A 10.77.0.30
	_jitsu.slow TXT "image=slow" "hold=30s"
	EOF2
	local i
	for i in $(seq 60); do echo "large A 192.0.2.$i"; done
	awk 'BEGIN { for (i = 0; i < 4062; i++)
	    printf "largest A 192.1.%d.%d\n", i / 256, i % 256 }'
	for i in $(seq 20); do echo "medium TXT \"$i is forty characters of text, or nearly\""; done
}

setup_file() {
	CONF_TOP='nsid = "test-server"
	limits { tcp-clients = 400 tcp-idle = "60s" }' CONF_MORE=$(slow_image)
	setup_shared
	set_listen '"0.0.0.0", "::", "10.77.0.1@5301", "[fd77::1]:5301"'
	write_zone "$(zone_records)"
	ip -n "$NS" addr add 10.77.0.3/24 dev jitsu0
	ip -n "$NS" addr add fd77::3/64 dev jitsu0 nodad
	ip -n "$NS" addr add fe80::77/64 dev jitsu0 nodad
	ip -n "$NS" addr add 192.0.2.53/32 dev lo
	start_jitsud
	export_shared
}
teardown_file() { teardown_shared; }
teardown() { log_on_failure; }

@test "UDP and TCP, IPv4 and IPv6" {
	for server in 10.77.0.1 fd77::1 127.0.0.1 ::1; do
		for how in +notcp +tcp; do
			run in_ns dig "@$server" -p 5300 $how +tries=1 +time=15 +short \
			    plain.example.test A
			[ "$output" = 192.0.2.7 ]
		done
	done
	run ask plain.example.test AAAA
	[[ "$output" == *"flags: qr aa rd;"* ]]
	[[ "$output" == *2001:db8::7* ]]
}

@test "EDNS: buffer size, DO, BADVERS, unknown options, NSID, none without" {
	run ask +bufsize=4096 plain.example.test A
	[[ "$output" == *"EDNS: version: 0, flags:; udp: 1232"* ]]
	run ask +dnssec plain.example.test A
	[[ "$output" == *"EDNS: version: 0, flags: do; udp: 1232"* ]]
	run ask +edns=1 +noednsnegotiation plain.example.test A
	[[ "$output" == *"status: BADVERS"* ]]
	[[ "$output" == *"EDNS: version: 0"* ]]
	[[ "$output" == *"ANSWER: 0"* ]]
	run ask +ednsopt=65001:abcdef +cookie +subnet=192.0.2.0/24 plain.example.test A
	[[ "$output" == *"status: NOERROR"* ]]
	[[ "$output" == *192.0.2.7* ]]
	[[ "$output" != *"OPT=65001"* ]]
	run ask +nsid plain.example.test A
	[[ "$output" == *"NSID:"*"test-server"* ]]
	run ask plain.example.test A
	[[ "$output" != *NSID* ]]
	run ask +noedns plain.example.test A
	[[ "$output" == *192.0.2.7* ]]
	[[ "$output" != *EDNS* ]]
	run in_ns kdig @10.77.0.1 -p 5300 +bufsize=512 +edns=7 +retry=0 plain.example.test A
	[[ "$output" == *BADVERS* ]]
}

@test "TSIG: no key is known here, which is said in a TSIG record, and wakes nothing" {
	local how key=hmac-sha256:some.key:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0
	for how in +notcp +tcp "+noedns +notcp"; do
		# shellcheck disable=SC2086
		run ask -y "$key" slow.example.test $how
		[[ "$output" == *"status: NOTAUTH"* && "$output" == *"ANSWER: 0"* ]]
		[[ "$output" =~ some\.key\..*0.*ANY.*TSIG.*hmac-sha256\..*BADKEY ]]
	done
	run in_ns kdig @10.77.0.1 -p 5300 +retry=0 -y "$key" slow.example.test A
	[[ "$output" == *"status: BADKEY"* ]]
	run in_ns dig @10.77.0.1 -p 5300 +time=15 -y "$key" example.test AXFR
	[[ "$output" == *"Transfer failed"* && "$output" != *SOA* ]]
	# A library that checks what it gets, of Debian's Python; our dns/ must not be in its path.
	cd /
	in_ns timeout 120 /usr/bin/python3 - <<-'EOF2'
	import dns.message, dns.query, dns.tsig
	q = dns.message.make_query("slow.example.test", "A")
	q.use_tsig({"other.key.": b"0123456789abcdef"}, algorithm="hmac-sha512")
	for ask in dns.query.udp, dns.query.tcp:
	    try:
	        ask(q, "10.77.0.1", port=5300, timeout=30)
	        raise SystemExit("no error")
	    except dns.tsig.PeerBadKey:
	        pass
	EOF2
	is_state slow.example.test dormant
}

@test "any type the zone holds" {
	[ "$(ask +short mx.example.test MX)" = "10 ns.example.test." ]
	[ "$(ask +short srv.example.test SRV)" = "1 2 80 ns.example.test." ]
	[ "$(ask +short caa.example.test CAA)" = '0 issue "ca.example.net"' ]
	[[ "$(ask +short loc.example.test LOC)" == "52 22 23.000 N 4 53 32.000 E -2.00m"* ]]
	[[ "$(ask +short naptr.example.test NAPTR)" == *www.example.test. ]]
	[[ "$(ask +short sshfp.example.test SSHFP)" == "1 1 1234"* ]]
	[[ "$(ask +short tlsa.example.test TLSA)" == "3 1 1 D2ABDE"* ]]
	[ "$(ask +short unknown.example.test TYPE12345)" = '\# 4 01020304' ]
	run in_ns kdig @10.77.0.1 -p 5300 +retry=0 +short svc.example.test SVCB
	[[ "$output" == *'alpn=dot'* && "$output" == *port=853* ]]
	run in_ns kdig @10.77.0.1 -p 5300 +retry=0 +short svc.example.test HTTPS
	[[ "$output" == *'alpn=h2,h3'* && "$output" == *ipv4hint=192.0.2.1* ]]
	run ask example.test SOA
	[[ "$output" == *"ns.example.test. hostmaster.example.test. 1 3600 900 604800 30"* ]]
	[ "$(ask +short example.test NS)" = ns.example.test. ]
	run ask short.example.test A
	[[ "$output" =~ short.example.test.[[:space:]]+7[[:space:]]+IN ]]
}

@test "CNAME: to a name here, through two, out of the zone, to nothing, asked for itself" {
	run ask +short chain.example.test A
	[ "${lines[0]}" = alias2.example.test. ]
	[ "${lines[1]}" = plain.example.test. ]
	[ "${lines[2]}" = 192.0.2.7 ]
	run ask out.example.test A
	[[ "$output" == *"status: NOERROR"* && "$output" == *"ANSWER: 1"* &&
	    "$output" == *www.example.net.* ]]
	run ask broken.example.test A
	[[ "$output" == *"status: NXDOMAIN"* && "$output" == *"ANSWER: 1"* && "$output" == *SOA* ]]
	[ "$(ask +short out.example.test CNAME)" = www.example.net. ]
}

@test "NXDOMAIN and NODATA carry the SOA with the negative TTL" {
	for q in "nothing.example.test A" "plain.example.test MX" "b.ent.example.test A" \
	    "ent.example.test A"
	do
		run ask $q
		case $q in
		nothing*) [[ "$output" == *"status: NXDOMAIN"* ]] ;;
		*) [[ "$output" == *"status: NOERROR"* ]] ;;
		esac
		[[ "$output" == *" aa "* && "$output" == *"ANSWER: 0, AUTHORITY: 1"* ]]
		[[ "$output" =~ example.test.[[:space:]]+30[[:space:]]+IN[[:space:]]+SOA ]]
	done
}

@test "other zones are REFUSED, other classes too; but who this is can be asked" {
	for q in "example.net A" ". NS" "test SOA" "xexample.test A"; do
		run ask $q
		[[ "$output" == *"status: REFUSED"* && "$output" == *"ANSWER: 0, AUTHORITY: 0"* &&
		    "$output" != *" aa "* ]]
	done
	run ask version.bind CH TXT
	[[ "$output" == *"status: REFUSED"* ]]
	[ "$(ask +short id.server CH TXT)" = '"test-server"' ]
	[ "$(ask +short +tcp hostname.bind CH TXT)" = '"test-server"' ]
	run ask example.test AXFR
	[[ "$output" != *hostmaster* ]]
	run ask +norec example.test IXFR=1
	[[ "$output" != *192.0.2* ]]
}

@test "nonsense: FORMERR, NOTIMP, or silence where a reply would be one too many" {
	raw <<-'EOF2'
	from dnsraw import *
	q = question("plain.example.test")
	soa = b"\xc0\x0c\0\6\0\1\0\0\0\0\0\x16\0\0" + bytes(20)
	cases = [
	    ("two questions", header(qd=2) + q + q, FORMERR),
	    ("no question", header(qd=0), FORMERR),
	    ("an answer in a query",
	     header(an=1) + q + b"\xc0\x0c" + b"\0\1\0\1\0\0\0\1\0\4\1\2\3\4", FORMERR),
	    ("question cut", header() + q[:-3], FORMERR),
	    ("name beyond the end", header() + b"\x3fabc", FORMERR),
	    ("pointer to itself", header() + b"\xc0\x0c\0\1\0\1", FORMERR),
	    ("label type 0x40", header() + b"\x41a\0\0\1\0\1", FORMERR),
	    ("name of 256 bytes", header() + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", FORMERR),
	    ("trailing bytes", header() + q + b"junk", FORMERR),
	    ("two OPT records", header(ar=2) + q + opt() + opt(), FORMERR),
	    ("OPT not at the root", header(ar=1) + q + opt(owner=b"\1a\0"), FORMERR),
	    ("OPT cut", header(ar=1) + q + opt()[:-2], FORMERR),
	    ("EDNS option longer than OPT",
	     header(ar=1) + q + opt(options=b"\0\3\0\x20ab"), FORMERR),
	    ("IXFR as RFC 1995 has it",
	     header(ns=1) + question("example.test", 251) + soa, REFUSED),
	    ("a version in the authority section, but no IXFR",
	     header(ns=1) + question("example.test") + soa, FORMERR),
	    ("TC set", header(flags=0x200) + question("nothing.example.test"), NXDOMAIN),
	    ("opcode UPDATE", header(flags=5 << 11) + question("example.test", SOA), NOTIMP),
	    ("opcode NOTIFY", header(flags=4 << 11) + question("example.test", SOA), NOTIMP),
	    ("opcode STATUS", header(flags=2 << 11) + q, NOTIMP),
	    ("opcode 15", header(flags=15 << 11) + q, NOTIMP),
	]
	for what, wire, want in cases:
	    m = ask(wire)
	    if m is None:
	        raise SystemExit(what + ": no answer")
	    expect(what + ": id", qid(m), 0x1234)
	    expect(what + ": rcode", rcode(m), want)
	    expect(what + ": QR", has_qr(m), True)
	    expect(what + ": opcode", m[2] >> 3 & 15, wire[2] >> 3 & 15)
	    expect(what + ": no answer section", counts(m)[1], 0)
	silent = [
	    ("QR set", header(flags=0x8000) + q),
	    ("QR set, FORMERR too", header(flags=0x8000, qd=9)),
	    ("header of 11 bytes", header()[:11]),
	    ("one byte", b"\0"),
	    ("an empty datagram", b""),
	]
	for what, wire in silent:
	    m = ask(wire, timeout=0.2)
	    expect(what, m, None)
	expect("it still serves", rcode(ask(query("plain.example.test"))), NOERROR)
	EOF2
}

@test "a thousand datagrams of noise do no harm" {
	raw <<-'EOF2'
	import random
	from dnsraw import *
	random.seed(7)
	base = query("www.example.test", TXT)
	with udp() as s:
	    for i in range(1000):
	        b = bytearray(base)
	        for _ in range(random.randrange(1, 8)):
	            b[random.randrange(len(b))] = random.randrange(256)
	        b[2] |= 0x80 if i % 2 else 0     # half of them cannot wake anything
	        if i % 3:
	            s.send(bytes(b[:random.randrange(len(b) + 1)]))
	        else:
	            s.send(random.randbytes(random.randrange(200)))
	expect("it still serves", rcode(ask(query("plain.example.test"))), NOERROR)
	EOF2
	[ "$(jitsu --json status | jq '[.children[].restarts] | add')" -eq 0 ]
}

@test "a large RRset is truncated with TC over UDP and whole over TCP" {
	run ask +ignore +noedns large.example.test A
	[[ "$output" == *"flags: qr aa tc"* && "$output" == *"ANSWER: 0"* ]]
	run ask +ignore +bufsize=512 large.example.test A
	[[ "$output" == *" tc "* ]]
	run ask +ignore +bufsize=4096 medium.example.test TXT
	[[ "$output" != *" tc "* && "$output" == *"ANSWER: 20"* ]]
	run ask +ignore +bufsize=600 medium.example.test TXT
	[[ "$output" == *" tc "* ]]
	run ask +bufsize=512 large.example.test A
	[[ "$output" == *"retrying in TCP mode"* && "$output" == *"ANSWER: 60"* &&
	    "$output" != *" tc "* ]]
	# 64,992 bytes of records, with all the options of EDNS that there are here
	run ask +dnssec +nsid +keepalive largest.example.test A
	[[ "$output" == *"retrying in TCP mode"* && "$output" == *"ANSWER: 4062"* &&
	    "$output" != *" tc "* && "$output" == *"SIZE  rcvd: 65090"* ]]
	raw <<-'EOF2'
	from dnsraw import *
	for size in (0, 100, 512, 513, 600, 1000, 1232, 4096, 65535):
	    m = ask(header(ar=1) + question("medium.example.test", TXT) + opt(size))
	    if len(m) > min(max(size, 512), 1232):
	        raise SystemExit("announced %d, got %d bytes" % (size, len(m)))
	EOF2
}

@test "0x20: the question comes back in the case it was asked in" {
	raw <<-'EOF2'
	from dnsraw import *
	for text in ("pLaIn.ExAmPlE.tEsT", "PLAIN.EXAMPLE.TEST", "NoThInG.example.TEST",
	             "plain.eXample.nEt"):
	    wire = query(text)
	    m = ask(wire)
	    q = question(text)
	    expect(text, m[12:12 + len(q)], q)
	EOF2
	[ "$(ask +short PLAIN.Example.TEST A)" = 192.0.2.7 ]
}

@test "replies leave from the address that was asked, with wildcard binds" {
	# dig takes a reply from another address for none, and says so.
	for server in 10.77.0.1 10.77.0.3 127.0.0.1 127.0.0.9 192.0.2.53 fd77::1 fd77::3 ::1; do
		for how in +notcp +tcp; do
			run in_ns dig "@$server" -p 5300 $how +tries=1 +time=15 plain.example.test A
			[[ "$output" == *192.0.2.7* && "$output" != *"unexpected source"* ]]
		done
	done
	run in_ns dig @fe80::77%jitsu0 -p 5300 +tries=1 +time=15 +short plain.example.test A
	[ "$output" = 192.0.2.7 ]
	for server in 10.77.0.1 fd77::1; do
		[ "$(in_ns dig "@$server" -p 5301 +tries=1 +time=15 +short plain.example.test A)" \
		    = 192.0.2.7 ]
	done
}

@test "TCP: pipelined queries; what must wait does not keep the others" {
	raw <<-'EOF2'
	from dnsraw import *
	with tcp() as s:
	    begin = now()
	    batch = framed(query("slow.example.test", qid=1))
	    for i in range(2, 102):
	        batch += framed(query("plain.example.test", qid=i))
	    s.sendall(batch)
	    order = [qid(tcp_recv(s)) for _ in range(100)]
	    expect("the others first", sorted(order), list(range(2, 102)))
	    expect("before the held one could be", now() - begin < 4.5, True)
	    m = tcp_recv(s)
	    expect("the held one", (qid(m), rcode(m), counts(m)[1]), (1, NOERROR, 1))
	# Messages that arrive in bits and pieces.
	with tcp() as s:
	    first, second = [framed(query("plain.example.test", qid=i)) for i in (7, 8)]
	    for byte in first + second[:-1]:
	        s.sendall(bytes([byte]))
	    expect("the whole one", qid(tcp_recv(s)), 7)
	    s.sendall(second[-1:])
	    expect("the other", qid(tcp_recv(s)), 8)
	    # The client says that it is done; it still gets its answers.
	    s.sendall(framed(query("plain.example.test", qid=9)))
	    s.shutdown(socket.SHUT_WR)
	    expect("after a half close", qid(tcp_recv(s)), 9)
	    expect("the end", tcp_recv(s), None)
	EOF2
}

@test "TCP: nonsense lengths and clients that never read or finish hurt nobody else" {
	raw <<-'EOF2'
	from dnsraw import *
	import re, subprocess
	stuck = []
	for data in (b"\0", b"\xff\xff", framed(query("plain.example.test"))[:9], b"\0\0" * 50,
	             b"\0\1x"):
	    s = tcp()
	    s.sendall(data)
	    stuck.append(s)
	# A client that asks and asks and never reads.
	s = tcp()
	s.setblocking(False)
	wire, sent = framed(query("large.example.test", qid=3)), 0
	try:
	    while sent < 4000000:
	        sent += s.send(wire * 100)
	except BlockingIOError:
	    pass
	stuck.append(s)
	# The kernel does not keep megabytes for that client either.
	def most_kept():
	    shown = subprocess.run(["ss", "-tmnH", "sport = :5300"],
	                           capture_output=True, text=True).stdout
	    kept = re.findall(r"skmem:\(r(\d+),.*?,w(\d+),", shown)
	    return max([int(r) + int(w) for r, w in kept], default=0)
	begin = now()
	while most_kept() <= 100000 and now() - begin < 30:
	    time.sleep(0.1)
	time.sleep(1)
	expect("bytes kept by the kernel", most_kept() > 100000 and most_kept() < 600000, True)
	worst = 0
	for how in range(50):
	    begin = now()
	    if how % 2:
	        with tcp() as c:
	            c.sendall(framed(query("plain.example.test")))
	            expect("TCP", rcode(tcp_recv(c)), NOERROR)
	    else:
	        expect("UDP", rcode(ask(query("plain.example.test"))), NOERROR)
	    worst = max(worst, now() - begin)
	expect("nobody waited for them", worst < 20, True)
	EOF2
}

@test "300 TCP clients at once, all served; beyond the limit others still are" {
	raw <<-'EOF2'
	import resource
	from dnsraw import *
	resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
	def all_served(n):
	    clients = [tcp() for _ in range(n)]
	    for i, c in enumerate(clients):
	        c.sendall(framed(query("plain.example.test", qid=i)))
	    served = 0
	    for i, c in enumerate(clients):
	        try:
	            m = tcp_recv(c)
	        except OSError:
	            m = None
	        served += m is not None and qid(m) == i and rcode(m) == NOERROR
	    return clients, served
	clients, served = all_served(300)
	expect("served", served, 300)
	more, served = all_served(200)
	with tcp() as c:
	    c.sendall(framed(query("plain.example.test")))
	    expect("the newest is served", rcode(tcp_recv(c)), NOERROR)
	expect("UDP is served", rcode(ask(query("plain.example.test"))), NOERROR)
	EOF2
}
