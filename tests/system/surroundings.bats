#!/usr/bin/env bats
# surroundings: hosts that are not as they should be: jitsud serves what can be served, or says what
# to mend.

load lib/jitsu

setup() { setup_jitsu; }
teardown() { teardown_jitsu; }

listen() { sed -i "s/^listen = .*/listen = { $1 }/" "$DIR/jitsu.conf"; }

@test "an address that this host does not have yet is answered on once it has" {
	write_conf
	write_zone
	listen '"10.77.0.1", "10.77.0.9", "fd77::9"'
	start_jitsud
	[ "$(grep -c 'not an address of this host, or not yet' "$DIR/log")" -eq 2 ]
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	ip -n "$NS" addr add 10.77.0.9/24 dev jitsu0
	ip -n "$NS" addr add fd77::9/64 dev jitsu0 nodad
	[ "$(in_ns dig @10.77.0.9 -p 5300 +tries=3 +time=10 +short plain.example.test A)" = \
	    192.0.2.7 ]
	[ "$(in_ns dig @fd77::9 -p 5300 +tries=3 +time=10 +tcp +short plain.example.test A)" = \
	    192.0.2.7 ]
}

@test "an address that is still tentative" {
	write_conf
	write_zone
	# Duplicate address detection that goes on for the whole test.
	in_ns sysctl -qw net.ipv6.conf.jitsu0.dad_transmits=60
	ip -n "$NS" addr add fd77::8/64 dev jitsu0
	ip -n "$NS" -6 addr show dev jitsu0 tentative | grep -q fd77::8
	listen '"10.77.0.1", "fd77::8"'
	start_jitsud
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
}

@test "a kernel without IPv6: its addresses are left out; with no other, no start" {
	printf '%s\n' '#define _GNU_SOURCE' '#include <dlfcn.h>' '#include <errno.h>' \
	    '#include <sys/socket.h>' \
	    'int socket(int d, int t, int p) {' \
	    'int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");' \
	    'if (d == AF_INET6) { errno = EAFNOSUPPORT; return -1; } return real(d, t, p); }' \
	    >"$DIR/no6.c"
	gcc -shared -fPIC -o "$DIR/no6.so" "$DIR/no6.c"
	write_conf
	write_zone
	listen '"0.0.0.0", "::"'
	JITSUD_WRAP="env LD_PRELOAD=$DIR/no6.so" start_jitsud
	grep -q 'listen: :: *.*this kernel has no IPv6' "$DIR/log"
	[ "$(ask +short plain.example.test A)" = 192.0.2.7 ]
	stop_jitsud
	listen '"::"'
	run in_ns env LD_PRELOAD="$DIR/no6.so" timeout 60 "$BUILD/jitsud" -f -c "$DIR/jitsu.conf"
	[ "$status" -eq 1 ]
	[[ "$output" == *"this kernel has no IPv6"* ]]
}
