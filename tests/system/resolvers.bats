#!/usr/bin/env bats
# resolvers: what clients see through the resolvers that people have, for boots of all lengths.
#
# One jitsud on port 53 of a namespace, and in front of it each of Debian's resolvers on a loopback
# address of its own.  For every length of a boot each resolver has a unit that no other asks for.
# All are asked at once, so that a round takes as long as its slowest answer.
#
# A resolver gives up or asks anew after its own clock, so what is checked is: an answer, never
# SERVFAIL, and long before the slowest boots are over.

load lib/jitsu
load lib/shared

# resolver → where it listens; glibc has none.
declare -gA AT=([unbound]=127.0.0.11 [named]=127.0.0.12 [kresd]=127.0.0.13 [pdns]=127.0.0.14
    [dnsmasq]=127.0.0.15 [resolved]=127.0.0.53)
# The last two: getaddrinfo with jitsud itself as its server, and with unbound.
WAYS="unbound named kresd pdns dnsmasq resolved glibc glibc-unbound"
# Boots of so many ms; `hold` is 1 s.
BOOTS="0 500 3000 cold warm"
# From query to answer: `hold`, 0.3 s that a resolver adds, and what a busy machine stands still.
# The boots named cold and warm take four times as long.
MOST_MS=15000
RESOLVED=${JITSU_RESOLVED:-$BUILD/resolved}

address_of() {   # BOOT WAY
	local -a boots ways
	local i j
	read -ra boots <<<"$BOOTS"
	read -ra ways <<<"$WAYS"
	for i in "${!boots[@]}"; do
		for j in "${!ways[@]}"; do
			[ "$1 $2" != "${boots[i]} ${ways[j]}" ] ||
			    echo "10.77.0.$((20 + 10 * i + j))"
		done
	done
}

zone_lines() {
	local boot way
	for boot in $BOOTS; do
		for way in $WAYS; do
			echo "$way-$boot A $(address_of "$boot" "$way")"
			echo "_jitsu.$way-$boot TXT \"image=boot$boot\" \"hold=1s\""
		done
	done
	echo '*.plain A 192.0.2.8'
}

images() {
	local boot delay
	for boot in $BOOTS; do
		delay=${boot/[cw]*/60000}
		cat <<-EOF2
		image "boot$boot" {
			kernel = "hello.elf"
			memory = "16M"
			network = "lan"
			ready = "tcp:80"
			accel = "$ACCEL"
			boot-timeout = "5m"
			cmdline = "name={name} ip={address}/{prefixlen} gw={gateway} delay=$delay"
		}
		EOF2
	done
}

# start NAME COMMAND...: a resolver, in the namespace, from a copy: AppArmor's profiles for named
# and unbound go by the program's path, and forbid files here.
start() {
	local name=$1 program
	program=$(command -v "$2") || {
		echo "no $2: scripts/deps test installs it" >"$DIR/skip-$name"
		return 0
	}
	mkdir -p "$DIR/$name"
	cp "$program" "$DIR/$name/"
	program=$DIR/$name/${program##*/}
	shift 2
	(cd "$DIR/$name" && exec nsenter --net="/run/netns/$NS" "$program" "$@" \
	    >"$DIR/log-$name" 2>&1 3>&- 4>&-) &
	echo $! >>"$DIR/pids"
}

start_unbound() {
	cat >"$DIR/unbound.conf" <<-EOF2
	server:
		interface: ${AT[unbound]}
		do-daemonize: no
		use-syslog: no
		logfile: ""
		username: ""
		chroot: ""
		directory: "$DIR"
		pidfile: ""
		module-config: "iterator"
		do-not-query-localhost: no
		local-zone: "test." nodefault
	remote-control:
		control-enable: no
	stub-zone:
		name: "example.test"
		stub-addr: 10.77.0.1
	EOF2
	start unbound unbound -d -p -c "$DIR/unbound.conf"
}

# named listens on addresses of interfaces only.
start_named() {
	ip -n "$NS" addr add "${AT[named]}/8" dev lo
	cat >"$DIR/named.conf" <<-EOF2
	options {
		directory "$DIR";
		listen-on { ${AT[named]}; };
		listen-on-v6 { none; };
		pid-file none;
		session-keyfile none;
		lock-file none;
		dnssec-validation no;
		recursion yes;
		empty-zones-enable no;
		max-cache-size 16M;
		managed-keys-directory "$DIR";
	};
	controls { };
	zone "example.test" { type static-stub; server-addresses { 10.77.0.1; }; };
	EOF2
	start named named -g -n 1 -c "$DIR/named.conf"
}

start_kresd() {
	cat >"$DIR/kresd.conf" <<-EOF2
	net.listen('${AT[kresd]}', 53, { kind = 'dns' })
	cache.size = 1 * MB
	trust_anchors.remove('.')
	policy.add(policy.suffix(policy.STUB({ '10.77.0.1' }), policy.todnames({ 'example.test' })))
	EOF2
	start kresd kresd -n -c "$DIR/kresd.conf" "$DIR/kresd"
}

start_pdns() {
	mkdir -p "$DIR/pdns.d"
	cat >"$DIR/pdns.d/recursor.conf" <<-EOF2
	local-address=${AT[pdns]}
	forward-zones=example.test=10.77.0.1
	dnssec=off
	daemon=no
	threads=1
	socket-dir=$DIR
	write-pid=no
	security-poll-suffix=
	EOF2
	start pdns pdns_recursor --config-dir="$DIR/pdns.d"
}

start_dnsmasq() {
	start dnsmasq dnsmasq -k -C /dev/null --no-resolv --no-hosts --bind-interfaces --user= \
	    --pid-file= \
	    --listen-address="${AT[dnsmasq]}" --server=/example.test/10.77.0.1
}

# in_files FOLDER COMMAND...: in the namespace, with the folder's files in place of those in /etc.
in_files() {
	# shellcheck disable=SC2016
	in_ns unshare --mount sh -c '
		cd "$1" || exit 99
		for f in *; do mount --bind "$f" "$(readlink -f "/etc/$f")" || exit 99; done
		shift
		exec "$@"' sh "$@"
}

# systemd-resolved is unpacked, not installed, since its package takes over /etc/resolv.conf.  Its
# settings and its user are at fixed places, and it looks for D-Bus until it finds one.
start_resolved() {
	local program=$RESOLVED/lib/systemd/systemd-resolved
	if [ ! -x "$program" ]; then
		echo "no systemd-resolved in $RESOLVED: scripts/deps test puts it there" \
		    >"$DIR/skip-resolved"
		return
	fi
	mkdir -p "$DIR/resolved/etc" "$DIR/resolved/run/systemd" "$DIR/resolved/run/dbus"
	cat >"$DIR/resolved/etc/resolved.conf" <<-EOF2
	[Resolve]
	DNS=10.77.0.1
	Domains=~.
	FallbackDNS=
	DNSSEC=no
	LLMNR=no
	MulticastDNS=no
	EOF2
	{
		cat /etc/passwd
		echo "systemd-resolve:x:65533:65534::/:/usr/sbin/nologin"
	} >"$DIR/resolved/passwd"
	{ cat /etc/group; echo "systemd-resolve:x:65533:"; } >"$DIR/resolved/group"
	# shellcheck disable=SC2016
	in_ns unshare --mount sh -c '
		mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group &&
		mount --bind "$1/etc" /etc/systemd && mount --bind "$1/run" /run || exit 1
		export LD_LIBRARY_PATH="$2" SYSTEMD_LOG_TARGET=console
		exec "$3"' \
		    sh "$DIR/resolved" "$RESOLVED/usr/lib/x86_64-linux-gnu/systemd" "$program" \
	    >"$DIR/log-resolved" 2>&1 3>&- 4>&- &
	echo $! >>"$DIR/pids"
}

# start_glibc WAY SERVER: nothing runs; where getaddrinfo finds its server.
start_glibc() {
	mkdir -p "$DIR/$1"
	printf 'nameserver %s\n' "$2" >"$DIR/$1/resolv.conf"
	printf 'hosts: dns\n' >"$DIR/$1/nsswitch.conf"
	in_files "$DIR/$1" true || echo "/etc/resolv.conf cannot be replaced here" >"$DIR/skip-$1"
}

listens() { in_ns ss -Hlun "src ${AT[$1]}:53" | grep -q .; }
# A bridge without ports has no carrier: to resolved the network is down.
network_up() {
	ip -n "$NS" link add up0 type veth peer name up1
	ip -n "$NS" addr add 10.78.0.1/24 dev up0
	ip -n "$NS" link set up0 up
	ip -n "$NS" link set up1 up
}

setup_file() {
	local way
	setup_shared
	CONF_TOP='limits { boots = 100 }' CONF_MORE=$(images) write_conf
	sed -i 's/^port = .*/port = 53/; s/^listen = .*/listen = { "10.77.0.1" }/' "$DIR/jitsu.conf"
	write_zone "$(zone_lines)"
	network_up
	: >"$DIR/pids"
	mkdir "$DIR/got"
	start_jitsud
	for way in "${!AT[@]}"; do "start_$way"; done
	start_glibc glibc 10.77.0.1
	start_glibc glibc-unbound "${AT[unbound]}"
	[ ! -e "$DIR/skip-unbound" ] || cp "$DIR/skip-unbound" "$DIR/skip-glibc-unbound"
	for way in "${!AT[@]}"; do
		[ -e "$DIR/skip-$way" ] || wait_for 60 listens "$way" || {
			cat "$DIR/log-$way"
			return 1
		}
	done
	export_shared
}
teardown_file() {
	local pid
	while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done <"$DIR/pids"
	teardown_shared
}
teardown() { log_on_failure; }
ask() { in_ns dig @10.77.0.1 +tries=1 +time=$((15 * SLOW)) "$@"; }

# ask_through WAY NAME: prints what dig or getent print.
ask_through() {
	case $1 in
	glibc*) in_files "$DIR/$1" getent ahosts "$2" ;;
	*) in_ns dig "@${AT[$1]}" +tries=1 +time=$((60 * SLOW)) "$2" A ;;
	esac
}

# one BOOT WAY: asks, and leaves a line that says how it went.
one() {
	local begin=${EPOCHREALTIME/./} took out result=wrong
	out=$(ask_through "$2" "$2-$1.example.test" 2>&1) || true
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	case $out in
	*SERVFAIL*) result=SERVFAIL ;;
	*"$(address_of "$1" "$2")"*)
		result=answered
		[ $took -le $((MOST_MS * SLOW)) ] || result=late
		;;
	"") result="not answered" ;;
	esac
	echo "$2: $result after $took ms" >"$DIR/got/$1-$2"
	[ "$result" = answered ] || echo "$out" >>"$DIR/got/$1-$2"
}

# all BOOT: through every resolver that there is.
all() {
	local way pids=()
	for way in $WAYS; do
		[ ! -e "$DIR/skip-$way" ] || continue
		one "$1" "$way" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$DIR"/got/"$1"-*
	[ ${#pids[@]} -gt 0 ]
	# A name that is not in its file yet would be missing here, too.
	[ "$(cat "$DIR"/got/"$1"-* | grep -c ': answered after')" -eq ${#pids[@]} ]
	for way in $WAYS; do
		[ ! -e "$DIR/skip-$way" ] || echo "# $way: $(cat "$DIR/skip-$way")" >&3
	done
}

@test "resolvers that know nothing of the server: the address at hold, while the boot goes on" {
	all cold
}

@test "resolvers that know how fast the server is: the same" {
	local way i
	for way in "${!AT[@]}"; do
		[ ! -e "$DIR/skip-$way" ] || continue
		for i in 1 2 3 4 5; do
			[ "$(in_ns dig "@${AT[$way]}" +short "$way$i.plain.example.test" A)" = \
			    192.0.2.8 ]
		done
	done
	all warm
}

@test "boots of 3 s, of half a second and of none: answered, whatever comes first" {
	all 3000
	all 500
	all 0
}
