#!/usr/bin/env bats
# dnssec: zones signed elsewhere, asked with DO: proofs are those that NSD or Knot give, and a
# validator believes them.

load lib/jitsu

sign() {
	dnssec-keygen -q -a ECDSAP256SHA256 signed.test
	dnssec-keygen -q -a ECDSAP256SHA256 -f KSK signed.test
	dnssec-keygen -q -a ECDSAP256SHA256 -f KSK kid.signed.test
	dnssec-signzone -q -S -z -x "$@" -o kid.signed.test kid.zone
	cat dsset-kid.signed.test. >>signed.zone
	dnssec-signzone -q -S "$@" -o signed.test signed.zone
	awk '/DNSKEY 257/ { printf \
	    "trust-anchors { signed.test static-key 257 3 13 \"%s\"; };\n", $7 $8 }' \
	    Ksigned.test.*.key >anchor
} >/dev/null

server_confs() {
	cat >jitsu.conf <<-EOF2
	listen = { "127.0.0.1" }
	port = 5300
	control = "$DIR/run/control"
	state = "$DIR/state"
	run-dir = "$DIR/run"
	zone "signed.test" { file = "signed.zone.signed" }
	zone "kid.signed.test" { file = "kid.zone.signed" }
	EOF2
	cat >nsd.conf <<-EOF2
	server:
	  ip-address: 127.0.0.1@5301
	  zonesdir: "$DIR"
	  database: ""
	  pidfile: "$DIR/nsd.pid"
	  username: ""
	  xfrdfile: "$DIR/xfrd"
	  zonelistfile: "$DIR/zonelist"
	zone:
	  name: signed.test
	  zonefile: signed.zone.signed
	zone:
	  name: kid.signed.test
	  zonefile: kid.zone.signed
	EOF2
	cat >knot.conf <<-EOF2
	server:
	  rundir: "$DIR"
	  listen: 127.0.0.1@5302
	database:
	  storage: "$DIR/knot"
	zone:
	  - domain: signed.test
	    storage: "$DIR"
	    file: signed.zone.signed
	  - domain: kid.signed.test
	    storage: "$DIR"
	    file: kid.zone.signed
	EOF2
}

answers() {
	in_ns dig @127.0.0.1 -p "$1" +tries=1 +time=1 +short "$2" SOA 2>/dev/null | grep -q '^[^;]'
}
serves_zones() { answers "$1" signed.test && answers "$1" kid.signed.test; }
validated() {
	run in_ns delv @127.0.0.1 -p 5300 -a "$DIR/anchor" +root=signed.test "$1.signed.test" "$2"
	echo "$1 $2: $output"
	grep -Eq "${BELIEVED:-fully validated}" <<<"$output"
}

setup() {
	[ "$(id -u)" -eq 0 ] || skip "needs root for network namespaces"
	NS=jitsu-$$-$BATS_TEST_NUMBER
	DIR=$(mktemp -d /tmp/jitsu-test.XXXXXX)
	chmod 755 "$DIR"
	JITSUD='' OTHERS=''
	ip netns add "$NS"
	ip -n "$NS" link set lo up
	cp "$BATS_TEST_DIRNAME"/dnssec/*.zone "$DIR/"
	cd "$DIR"
}
teardown() {
	for pid in ${OTHERS:-}; do kill "$pid" 2>/dev/null || true; done
	cd /
	teardown_jitsu
}

# check_chain SIGNING-OPTION...: the comparison, then the validator.
check_chain() {
	sign "$@"
	server_confs
	(exec ip netns exec "$NS" nsd -d -c nsd.conf >nsd.log 2>&1 3>&-) &
	OTHERS=$!
	(exec ip netns exec "$NS" knotd -c knot.conf >knot.log 2>&1 3>&-) &
	OTHERS="$OTHERS $!"
	(exec ip netns exec "$NS" "$BUILD/jitsud" -f -c jitsu.conf >log 2>&1 3>&-) &
	JITSUD=$!
	for port in 5300 5301 5302; do wait_for 30 serves_zones $port; done
	in_ns timeout 300 env PYTHONDONTWRITEBYTECODE=1 "$BATS_TEST_DIRNAME/dnssec/compare.py" \
	    signed.test=signed.zone.signed \
	    kid.signed.test=kid.zone.signed -- 127.0.0.1@5300 127.0.0.1@5301 127.0.0.1@5302
	# What is served is what was signed.
	jitsu dump signed.test >dump
	dnssec-verify -q -o signed.test dump
	jitsu --json dump kid.signed.test | jq -r .text >dump-kid
	dnssec-verify -q -z -o kid.signed.test dump-kid
	run jitsu dump singed.test
	[ "$status" -eq 1 ]
	[[ "$output" == *"no zone singed.test"*signed.test* ]]
	validated a A
	validated a TXT
	validated nothing A
	validated very.deep.nothing A
	validated ent A
	validated y.z.deep TXT
	validated some.wild A
	validated some.wild TXT
	validated a.b.c.wild A
	validated blocked.wild A
	validated x.blocked2.wild A
	validated cname A
	validated cwild A
	validated x.wcname AAAA
	validated x.wwild A
	validated b.dname A
	validated secure DS
	validated plain DS
	validated in.insecure DS
	validated www.kid A
	validated nothing.kid A
}

@test "NSEC" { check_chain; }
@test "NSEC3" { check_chain -3 aabbccdd -H 3; }
@test "NSEC3 with opt-out" {
	# What only a record with the opt-out bit covers cannot be proven (RFC 5155 section 9.2); it
	# must not be bogus.
	BELIEVED="fully validated|unsigned answer" check_chain -3 - -A -H 0
}
