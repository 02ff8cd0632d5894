# client.bash: hosts beside a jitsud of jitsu.bash: network namespaces on its bridge, and behind a
# router; and what they see.  teardown_clients is to be called before teardown_jitsu.

# with_client NAME COMMAND...: in that host; `host` is the one that jitsud runs on.
with_client() {
	local host=$1
	shift
	[ "$host" != host ] || { in_ns "$@"; return; }
	nsenter --net="/run/netns/$NS-$host" "$@"
}

# make_client NAME ADDRESS/LEN...: a host whose eth0 is a port of jitsu0.
make_client() {
	local host=$1 address
	shift
	ip netns add "$NS-$host"
	ip -n "$NS-$host" link set lo up
	ip -n "$NS" link add "v$host" type veth peer name eth0 netns "$NS-$host"
	ip -n "$NS" link set "v$host" master jitsu0 up
	for address; do
		case $address in
		*:*) ip -n "$NS-$host" addr add "$address" dev eth0 nodad ;;
		*) ip -n "$NS-$host" addr add "$address" dev eth0 ;;
		esac
	done
	ip -n "$NS-$host" link set eth0 up
}
# The usual one.
make_near() { make_client near 10.77.0.99/24 fd77::99/64; }

# make_far: 10.88.0.2 and fd88::2, behind a router that is the guests' gateway.
make_far() {
	make_client router 10.77.0.254/24 fd77::fe/64
	ip netns add "$NS-far"
	ip -n "$NS-far" link set lo up
	ip -n "$NS-router" link add eth1 type veth peer name eth0 netns "$NS-far"
	ip -n "$NS-router" addr add 10.88.0.1/24 dev eth1
	ip -n "$NS-router" addr add fd88::1/64 dev eth1 nodad
	ip -n "$NS-router" link set eth1 up
	ip -n "$NS-far" addr add 10.88.0.2/24 dev eth0
	ip -n "$NS-far" addr add fd88::2/64 dev eth0 nodad
	ip -n "$NS-far" link set eth0 up
	ip -n "$NS-far" route add default via 10.88.0.1
	ip -n "$NS-far" route add default via fd88::1
	with_client router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
	    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# watch NAME: from now on its frames are captured; watched prints those that match a filter.
watch() {
	with_client "$1" tcpdump -nn --immediate-mode -U -i eth0 -w "$DIR/watch-$1" \
	    >"$DIR/tcpdump" 2>&1 3>&- 4>&- &
	WATCHES+=" $!"
	wait_for 30 grep -q "listening on" "$DIR/tcpdump"
}
watched() { tcpdump -nnr "$DIR/watch-$1" "$2" 2>/dev/null; }
syns() { watched "$1" "${2:-ip} and tcp[tcpflags] & (tcp-syn|tcp-ack|tcp-rst) == tcp-syn" | wc -l; }

# page_of HOST ADDRESS: its page, from there.
page_of() { with_client "$1" curl -sS -g --max-time $((20 * SLOW)) "http://$2/"; }

teardown_clients() {
	local host pid
	for pid in ${WATCHES:-}; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	for host in near far router other; do
		ip netns del "$NS-$host" 2>/dev/null || true
	done
}
