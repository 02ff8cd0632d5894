#!/usr/bin/env bats
# hello: the image alone, booted by QEMU as the qemu driver does it, against real clients.

load lib/hello

setup() { setup_hello; }
teardown() { teardown_hello; }

# lose PER_CENT: of the frames between host and guest, both ways.
lose() {
	in_ns nft -f - <<-EOF2
	table bridge loss {
		chain out {
			type filter hook output priority 0
			meta protocol { ip, ip6 } numgen random mod 100 < $1 drop
		}
		chain in {
			type filter hook input priority 0
			meta protocol { ip, ip6 } numgen random mod 100 < $1 drop
		}
	}
	EOF2
}
# ticks: the CPU time that QEMU has used, in hundredths of a second.
ticks() { awk '{ print $14 + $15 }' "/proc/$HELLO/stat"; }

# bats test_tags=kvm
@test "the page has the name, the address asked, and a time that grows" {
	start_hello
	local begin=${EPOCHREALTIME/./}
	run page "$HELLO4"
	[ "$status" -eq 0 ]
	[[ "$output" == \
	    *"<h1>Hello from www.example.test</h1>"*"Address: $HELLO4"*"Booted "*" seconds ago"* ]]
	first=$(sed -n 's/.*Booted \([0-9.]*\) .*/\1/p' <<<"$output")
	sleep 1
	run page "[$HELLO6]"
	[[ "$output" == *"Address: $HELLO6"* ]]
	second=$(sed -n 's/.*Booted \([0-9.]*\) .*/\1/p' <<<"$output")
	awk -v a="$first" -v b="$second" -v most=$((${EPOCHREALTIME/./} - begin)) \
	    'BEGIN { exit !(b - a > 0.95 && b - a < most / 1e6 + 0.05) }'
	up="$HELLO4/24 via 10.77.0.1, $HELLO6/64 via fd77::1, fe80::5054:ff:fe12:3456/64"
	console_says "hello: www.example.test is up at $up"
}

# bats test_tags=kvm
@test "ping on IPv4, IPv6, its link-local address and the group of all nodes; large ones too" {
	start_hello
	in_ns ping -c 3 -i 0.1 -W 2 "$HELLO4"
	in_ns ping -c 3 -i 0.1 -W 2 "$HELLO6"
	in_ns ping -c 3 -i 0.1 -W 2 fe80::5054:ff:fe12:3456%br0
	# The host answers, too, and its replies count.
	in_ns ping -c 30 -i 0.1 -W 2 ff02::1%br0 | grep -q fe80::5054:ff:fe12:3456
	in_ns ping -c 2 -i 0.1 -W 2 -s 1472 "$HELLO4"
	in_ns ping -c 2 -i 0.1 -W 2 -s 1452 "$HELLO6"
	run in_ns ping -c 1 -W 1 10.77.0.11
	[ "$status" -ne 0 ]
}

@test "1,000 requests of ab, 20 at a time, with and without keep-alive, on both families" {
	command -v ab >/dev/null || skip "no ab (apache2-utils)"
	start_hello
	for url in "http://$HELLO4/" "http://[$HELLO6]/"; do
		for keep in "" -k; do
			run in_ns timeout 120 ab -q $keep -n 1000 -c 20 "$url"
			[ "$status" -eq 0 ]
			grep -q '^Complete requests: *1000$' <<<"$output"
			grep -q '^Failed requests: *0$' <<<"$output"
			[[ "$output" != *Non-2xx* ]]
		done
	done
	page
}

@test "HEAD, 404, 405, a request in pieces, many on one connection" {
	start_hello
	[ "$(in_ns curl -sI --max-time 30 "http://$HELLO4/" | tr -d '\r' | head -1)" = \
	    "HTTP/1.1 200 OK" ]
	[ "$(in_ns curl -s -o /dev/null -w '%{http_code}' --max-time 30 "http://$HELLO4/none")" = \
	    404 ]
	[ "$(in_ns curl -s -o /dev/null -w '%{http_code}' --max-time 30 -d x=1 "http://$HELLO4/")" \
	    = 405 ]
	head -c 100000 /dev/zero >"$DIR/big"
	[ "$(in_ns curl -s -o /dev/null -w '%{http_code}' --max-time 30 -T "$DIR/big" \
	    "http://$HELLO4/")" = 405 ]
	in_ns timeout 30 bash -c "exec 5<>/dev/tcp/$HELLO4/80
		for part in 'GET / HT' 'TP/1.1\r\nHos' 't: x\r\nConnection: close\r\n\r\n'; do
			printf \"\$part\" >&5
			sleep 0.2
		done
		cat <&5" | grep -q "Hello from"
	run in_ns curl -sS --max-time 30 -w '%{num_connects}\n' \
	    -o /dev/null "http://$HELLO4/?[1-50]"
	[ "$(awk '{ n += $1 } END { print n }' <<<"$output")" -eq 1 ]
}

@test "lost segments: every fifth frame disappears, both ways, and every page arrives whole" {
	in_ns nft list tables >/dev/null 2>&1 || skip "no nftables here"
	start_hello
	page
	page "[$HELLO6]"
	lose 20
	# A client waits twice as long each time before it sends again, up to two minutes.
	for i in $(seq 20); do
		echo "http://$HELLO4/?$i"
		echo "http://[$HELLO6]/?$i"
	done | in_ns xargs -P 10 -n 1 curl -sS -g --max-time 300 >"$DIR/pages"
	[ "$(grep -c 'seconds ago' "$DIR/pages")" -eq 40 ]
}

@test "reordered and repeated segments, numbers that wrap, losses in a reply of many segments" {
	command -v python3 >/dev/null || skip "no python3"
	start_hello
	in_ns nft 'table inet quiet { chain out { type filter hook output priority 0;
	    tcp flags & rst == rst tcp sport 42000-42099 drop; }; }'
	for seed in 1 2 3 4 5; do
		run in_ns python3 "$BATS_TEST_DIRNAME/lib/reorder.py" 10.77.0.1 "$HELLO4" \
		    $((42000 + seed)) $seed
		echo "$output"
		[ "$status" -eq 0 ]
		[[ "$output" == "HTTP/1.1 200 OK"*"seconds ago"* ]]
	done
}

@test "a client behind a router: replies go back the way that the request came" {
	start_hello
	ip netns add "$NS-c"
	ip -n "$NS" link add v0 type veth peer name eth0 netns "$NS-c"
	ip -n "$NS" addr add 192.0.2.1/24 dev v0
	ip -n "$NS" link set v0 up
	ip -n "$NS-c" addr add 192.0.2.2/24 dev eth0
	ip -n "$NS-c" link set eth0 up
	ip -n "$NS-c" route add default via 192.0.2.1
	in_ns sysctl -qw net.ipv4.ip_forward=1
	run nsenter --net="/run/netns/$NS-c" curl -sS --max-time 30 "http://$HELLO4/"
	ip netns del "$NS-c"
	[[ "$output" == *"Hello from"* ]]
}

@test "delay=: a closed port like any other until then, with ARP and ping" {
	start_hello delay=8000
	run in_ns timeout 6 bash -c "exec 5<>/dev/tcp/$HELLO4/80"
	[[ "$output" == *"Connection refused"* ]]
	answers_ping "$HELLO6"
	wait_for 30 page
	up=$(page | sed -n 's/.*Booted \([0-9]*\)\..*/\1/p')
	[ "$up" -ge 8 ]
}

# bats test_tags=kvm
@test "crash=: says so on the console and dies" {
	start_hello crash=6000
	page
	wait_for 30 is_gone
	console_says "hello: dying, as crash= asked"
}

# bats test_tags=kvm
@test "an idle guest uses no CPU, also after it was used" {
	start_hello
	for i in 1 2 3 4 5; do page; done
	# Timers of the connections may run on for a while.
	quiet() {
		local before
		before=$(ticks)
		sleep 2
		[ $(($(ticks) - before)) -le 1 ]
	}
	wait_for 30 quiet
}

@test "4 MiB, and no serial port, are enough" {
	MEMORY=4 UART=off start_hello
	page
}

@test "a machine without a network card: it says so and halts" {
	(exec qemu-system-x86_64 -M q35 -accel tcg -nodefaults -no-user-config -display none \
		-no-reboot -m 16 -kernel "$BUILD/hello.elf" \
		-serial "file:$DIR/console" >>"$DIR/qemu" 2>&1 3>&- 4>&-) &
	HELLO=$!
	wait_for 30 console_says "hello: no network: found no virtio-mmio network card" 2>/dev/null
	sleep 1
	run is_gone
	[ "$status" -eq 1 ]
}

@test "another that claims the address is reported" {
	command -v arping >/dev/null || skip "no arping"
	start_hello
	in_ns sysctl -qw net.ipv4.ip_nonlocal_bind=1
	in_ns arping -q -c 1 -U -I br0 -s "$HELLO4" "$HELLO4" || true
	wait_for 30 console_says "hello: $HELLO4 is also used by 02:00:00:00:77:01"
	page
}

@test "KVM, where a VM can be started with it" {
	[ -e /dev/kvm ] || skip "no /dev/kvm"
	ACCEL="-accel kvm -cpu host" run_hello
	if ! wait_for 10 answers_ping 2>/dev/null; then
		stop_hello
		# Where KVM has no hardware under it.
		ACCEL="-accel kvm -cpu host,-arch-capabilities" run_hello
		wait_for 10 answers_ping 2>/dev/null ||
		    skip "KVM starts no VM here: $(head -1 "$DIR/qemu")"
	fi
	page
	page "[$HELLO6]"
}
