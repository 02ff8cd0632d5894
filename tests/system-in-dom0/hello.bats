#!/usr/bin/env bats
# The hello image as a PVH guest on a real Xen, summoned by jitsud: run by scripts/xen-rig, in a
# dom0 that is thrown away.

load dom0

# A daemon, a bridge and addresses of its own.
DIR=/tmp/jitsu-hello
ask() { dig @10.79.0.1 -p 5400 +tries=1 +time=60 "$@"; }

write_hello_conf() {
	local line='name={name} ip={address}/{prefixlen} gw={gateway}' name i=10
	line+=' ip={address6}/{prefixlen6} gw={gateway6}'
	local shutdown='stop = "shutdown" stop-timeout = "20s"'
	local pvh='type = "pvh" kernel = "/work/build/hello.elf" memory = "16M" ready = "tcp:80"'
	{
		cat <<-C
		listen = { "10.79.0.1" }
		port = 5400
		control = "$DIR/run/control"
		state = "$DIR/state"
		run-dir = "$DIR/run"
		limits { wakes-per-minute = 0 }
		network "lan" {
			bridge = "jitsu9"
			subnets = { "10.79.0.0/24", "fd79::/64" }
			gateway = { "10.79.0.1", "fd79::1" }
			units = { "10.79.0.10-10.79.0.250", "fd79::a:0/112" }
		}
		zone "example.test" { file = "example.zone" }
		C
		image plain "$pvh cmdline = \"$line\""
		image shut "$pvh $shutdown sleep = \"stop\" cmdline = \"$line\""
		image ice "$pvh sleep = \"freeze\" cmdline = \"$line\""
		image dies "$pvh cmdline = \"$line crash=6000\""
	} >"$DIR/jitsu.conf"
	{
		printf '%s\n' '$ORIGIN example.test.' '$TTL 3600' \
		    '@ SOA ns hostmaster 1 1h 15m 1w 30' '@ NS ns' 'ns A 10.79.0.1'
		for name in plain shut ice dies; do
			printf '%s A 10.79.0.%d\n%s AAAA fd79::a:%d\n_jitsu.%s TXT "image=%s"\n' \
			    $name $i $name $i $name $name
			i=$((i + 1))
		done
	} >"$DIR/example.zone"
}

setup_file() {
	mkdir -p "$DIR"
	ip link add jitsu9 address 02:00:00:00:79:01 type bridge
	ip addr add 10.79.0.1/24 dev jitsu9
	ip addr add fd79::1/64 dev jitsu9 nodad
	ip link set jitsu9 up
	write_hello_conf
	start_jitsud
}
teardown_file() {
	local name state rest
	while read -r name state rest; do
		[ "$state" = dormant ] || [[ $name != *.example.test ]] || {
			jitsu wake "$name" && jitsu sleep "$name"
		}
	done < <(jitsu list) >/dev/null 2>&1
	kill "$(cat "$DIR/pid")"
	tail -80 "$DIR/log" >/work/out/jitsud-hello.log
	for name in $(domains); do xl destroy "$name"; done
	ip link del jitsu9
}
teardown() {
	[ "${BATS_TEST_COMPLETED:-}" = 1 ] || {
		xl list
		leftovers
		tail -n 20 "$DIR/log"
		tail -n 20 /var/log/xen/console/*
	}
}

page() { curl -sS -g -m 60 "http://$1/"; }
# uptime ADDRESS: what the page says, in milliseconds.
uptime_of() { page "$1" | sed -n 's/.*Booted \([0-9]*\)\.\([0-9]*\) .*/\1\2/p' | sed 's/^0*//'; }
# says DOMAIN TEXT: what xenconsoled has kept of a domain, which may be gone.
says() { grep -q -- "$2" /var/log/xen/console/*"$1"*; }
console_has() { jitsu console "$1.example.test" | grep -q -- "$2"; }

@test "dig wakes hello on Xen; its page comes at once, with name and uptime, on both families" {
	run ask +short plain.example.test
	[ "$output" = 10.79.0.10 ]
	run page 10.79.0.10
	title="<h1>Hello from plain.example.test</h1>"
	[[ $output == *"$title"*"Address: 10.79.0.10"*"Booted "*" seconds ago"* ]]
	run page "[fd79::a:10]"
	[[ $output == *"Address: fd79::a:10"* ]]
	ping -c 3 -i 0.2 -W 3 10.79.0.10
	ping -c 3 -i 0.2 -W 3 fd79::a:10
	ping -c 2 -i 0.2 -W 3 -s 1472 10.79.0.10
	jitsu show plain.example.test | grep -q 'image .*xen'
}

@test "its lines are on Xen's console" {
	up='10.79.0.10/24 via 10.79.0.1, fd79::a:10/64 via fd79::1, fe80::'
	wait_for 30 console_has plain "hello: plain.example.test is up at $up"
}

@test "300 requests, ten at a time, none fails; its clock runs as ours does" {
	local before after up
	# A connection each.
	curl -sS -Z --parallel-max 10 -m 120 -H 'Connection: close' \
		-w '%{http_code}\n' -o /dev/null \
	    "http://10.79.0.10/?[1-300]" >"$DIR/codes" 2>"$DIR/progress"
	[ "$(grep -c '^200$' "$DIR/codes")" -eq 300 ]
	run curl -sS -m 60 -w '%{num_connects}\n' -o /dev/null "http://10.79.0.10/?[1-50]"
	[ "$status" -eq 0 ]
	[ "$(awk '{ n += $1 } END { print n }' <<<"$output")" -eq 1 ]
	up=$(uptime_of 10.79.0.10)
	before=$(date +%s%3N)
	sleep 3
	up=$(($(uptime_of 10.79.0.10) - up))
	after=$(date +%s%3N)
	[ $up -gt 2700 ] && [ $up -le $((after - before + 1000)) ]
}

@test "an idle guest uses no CPU time" {
	local before after
	before=$(xl list plain.example.test-"$(domains | sed -n 's/^plain.example.test-//p')" |
	    awk 'NR == 2 { print $NF }')
	sleep 5
	after=$(xl list plain.example.test-"$(domains | sed -n 's/^plain.example.test-//p')" |
	    awk 'NR == 2 { print $NF }')
	awk -v a="$before" -v b="$after" 'BEGIN { exit !(b - a <= 0.1) }'
	jitsu sleep plain.example.test
	nothing_left
}

@test "stop=shutdown: it powers off by itself when it is asked" {
	ask +short shut.example.test
	page 10.79.0.11
	jitsu sleep shut.example.test
	is_state shut dormant
	run grep 'shut.example.test.*destroyed instead' "$DIR/log"
	[ "$status" -eq 1 ]
	says shut.example.test 'hello: shutting down, as Xen asked'
	nothing_left
}

@test "a pause and an unpause go unnoticed" {
	local id
	ask +short ice.example.test
	id=$(domid_of ice)
	jitsu sleep ice.example.test
	is_state ice frozen
	run ask +short ice.example.test
	[ "$output" = 10.79.0.12 ]
	[ "$(domid_of ice)" = "$id" ]
	page 10.79.0.12 | grep -q 'seconds ago'
	ping -c 2 -i 0.2 -W 3 fd79::a:12
	xl destroy "$id"
	wait_for 30 is_state ice dormant
	wait_for 60 nothing_left
}

# unheld COMMAND...: one that leaves an xl behind to watch the domain, which must not hold on to
# bats' output.
unheld() {
	timeout 100 "$@" >"$DIR/xl.out" 2>&1 </dev/null 3>&- 4>&- || {
		cat "$DIR/xl.out"
		return 1
	}
}

VIF='vif = [ "mac=00:16:3e:79:00:99,bridge=jitsu9,'
VIF+='script=/usr/local/libexec/jitsu/jitsu-xen-vif" ]'
# alone MEMORY [KEY...]: a domain of its own, without jitsud.
alone() {
	local memory=$1
	shift
	printf '%s = %s\n' name '"alone"' type '"pvh"' kernel '"/work/build/hello.elf"' \
	    memory "$memory" shadow_memory 4 >"$DIR/alone.xl"
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$DIR/alone.xl"
	unheld xl create -q "$DIR/alone.xl"
}

@test "saved to a file and restored, twice: other domains, the same guest, its uptime goes on" {
	local id before after round
	alone 16 'extra = "name=alone ip=10.79.0.99/24 ip=fd79::99/64"' \
	    "$VIF"
	wait_for 30 ping -c 1 -W 1 10.79.0.99
	for round in 1 2; do
		sleep 2
		id=$(xl domid alone)
		before=$(uptime_of 10.79.0.99)
		unheld xl save alone "$DIR/alone.save"
		[ -z "$(domains)" ]
		unheld xl restore "$DIR/alone.save"
		wait_for 30 ping -c 1 -W 1 10.79.0.99
		after=$(uptime_of 10.79.0.99)
		[ "$(xl domid alone)" != "$id" ]
		# The uptime has not begun anew.
		echo "# uptime $before ms before, $after ms after"
		[ "$after" -gt "$before" ]
		page "[fd79::99]" | grep -q 'seconds ago'
	done
	for i in $(seq 20); do page 10.79.0.99 >/dev/null; done
	[ "$(cat /var/log/xen/console/*alone* | grep -c 'hello: resumed')" -eq 2 ]
	timeout 60 xl shutdown -w alone
	rm "$DIR/alone.save"
	wait_for 60 nothing_left
}

@test "saved while it goes on: the suspend is called off, and it stays reachable" {
	alone 16 'extra = "name=alone ip=10.79.0.99/24"' \
	    "$VIF"
	wait_for 30 ping -c 1 -W 1 10.79.0.99
	unheld xl save -c alone "$DIR/alone.save"
	wait_for 30 ping -c 1 -W 1 10.79.0.99
	page 10.79.0.99 | grep -q 'seconds ago'
	says alone 'hello: the suspend was called off'
	timeout 60 xl shutdown -w alone
	xl destroy alone     # the xl that would have done so took its leave at the suspend
	rm "$DIR/alone.save"
	wait_for 60 nothing_left
}

@test "crash= is noticed as a crash" {
	ask +short dies.example.test
	wait_for 30 is_state dies dormant
	jitsu show dies.example.test | grep -q 'the guest crashed'
	says dies.example.test 'hello: dying, as crash= asked'
	wait_for 60 nothing_left
}

@test "without a network it says so, and still ends when it is asked" {
	alone 16
	wait_for 60 says alone 'hello: no network: the domain has no vif'
	timeout 60 xl shutdown -w alone
	wait_for 60 nothing_left
}
