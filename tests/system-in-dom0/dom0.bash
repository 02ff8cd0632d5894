# dom0.bash: a jitsud in dom0 for the bats files here.  The machine is thrown away afterwards, so it may do as it likes there.
BUILD=/work/build
DIR=/tmp/jitsu

jitsu() { "$BUILD/jitsu" -s "$DIR/run/control" "$@"; }
ask() { dig @10.77.0.1 -p 5300 +tries=1 +time=40 "$@"; }
state_of() { jitsu --json list | jq -r ".[] | select(.name == \"$1.example.test\") | .state"; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "timed out: $*" >&2; return 1; }
		sleep 0.2
	done
}

# Domains that are not dom0 and not the foreign one, of any state.
domains() { xl list | awk 'NR > 1 && $1 != "Domain-0" && $1 != "foreign" { print $1 }'; }
domain_count() { domains | wc -l; }
domid_of() { xl list | awk -v n="$1.example.test-" 'index($1, n) == 1 { print $2 }'; }

# Everything of other domains than dom0 and the foreign one that anybody remembers.
leftovers() {
	local foreign id
	domains
	foreign=$(xl domid foreign 2>/dev/null || echo none)
	for id in $(xenstore-list /local/domain) $(xenstore-list /libxl 2>/dev/null); do
		[ "$id" = 0 ] || [ "$id" = "$foreign" ] || echo "XenStore has $id"
	done
	for id in $(xenstore-list /local/domain/0/backend/vif 2>/dev/null); do
		[ "$id" = "$foreign" ] || echo "XenStore has a backend of $id"
	done
	[ "$(xenstore-list /vm 2>/dev/null | wc -l)" -le "$([ "$foreign" = none ] && echo 1 || echo 2)" ] || xenstore-list /vm
	find "$DIR/run/xen" -type f
	find /var/lib/xen -name 'userdata-*' ! -name "userdata-?.0.*" ! -name "userdata-?.$foreign.*"
	find /sys/class/net -name 'vif*'
}
nothing_left() { [ -z "$(leftovers)" ] || { leftovers >&2; return 1; }; }

image() {
	printf 'image "%s" {\n driver = "xen"\n network = "lan"\n min-up = "0s"\n idle = "1h"\n hold = "30s"\n boot-timeout = "60s"\n backoff-min = "100ms"\n %s\n}\n' "$1" "$2"
}

write_conf() {
	local linux='kernel = "/work/guest/vmlinux"
 initrd = "/work/guest/initrd.gz"
 memory = "96M"
 cmdline = "console=hvc0 quiet name={name} ip={address}/{prefixlen}"'
	{
		cat <<-C
		listen = { "10.77.0.1" }
		port = 5300
		control = "$DIR/run/control"
		state = "$DIR/state"
		run-dir = "$DIR/run"
		limits { wakes-per-minute = 0  memory = "8G" }
		network "lan" {
			bridge = "jitsu0"
			subnets = { "10.77.0.0/24" }
			units = { "10.77.0.10-10.77.0.250" }
		}
		zone "example.test" { file = "example.zone" }
		C
		image linux "type = \"pv\" ready = \"tcp:80\" $linux"
		image key "type = \"pv\" ready = \"xenstore:data/ready\" stop = \"shutdown\" stop-timeout = \"20s\" sleep = \"stop\" $linux"
		image frozen "type = \"pv\" ready = \"tcp:80\" sleep = \"freeze\" $linux"
		image ends "type = \"pv\" ready = \"arp\" ${linux/console=hvc0/console=hvc0 die=1}"
		image quick "type = \"pv\" ready = \"xenstore:name\" $linux"
		image file "xl = \"linux.xl\" ready = \"tcp:80\" cmdline = \"console=hvc0 quiet name={name} ip={address}/{prefixlen}\""
		image nokernel 'type = "pv" ready = "arp" kernel = "/etc/passwd"'
		image large "type = \"pv\" ready = \"arp\" ${linux/96M/1900M}"
		image noscript "type = \"pv\" ready = \"arp\" vif-script = \"/bin/false\" $linux"
	} >"$DIR/jitsu.conf"
	cat >"$DIR/linux.xl" <<-C
	name = "whatever"
	type = "pv"
	kernel = "/work/guest/vmlinux"
	ramdisk = "/work/guest/initrd.gz"
	memory = 96
	extra = "replaced by the image's"
	vif = [ 'mac=00:16:3e:11:22:33,bridge=nosuchbridge,mtu' ]
	on_crash = "destroy"
	C
	sed -i 's/,mtu//' "$DIR/linux.xl"
}

write_zone() {
	local i=10 name
	{
		printf '$ORIGIN example.test.\n$TTL 3600\n@ SOA ns hostmaster 1 1h 15m 1w 30\n@ NS ns\nns A 10.77.0.1\n'
		for name in linux key frozen ends file nokernel large noscript; do
			printf '%s A 10.77.0.%d\n_jitsu.%s TXT "image=%s"\n' $name $i $name $name
			i=$((i + 1))
		done
		for name in q1 q2 q3 q4; do
			printf '%s A 10.77.0.%d\n_jitsu.%s TXT "image=quick"\n' $name $i $name
			i=$((i + 1))
		done
	} >"$DIR/example.zone"
}

start_jitsud() {
	"$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&- &
	echo $! >"$DIR/pid"
	wait_for 30 serves || { tail -20 "$DIR/log"; return 1; }
}
serves() { jitsu status >/dev/null 2>&1 && ask +short +time=2 ns.example.test | grep -q .; }
kill_jitsud() {
	kill -9 "$(cat "$DIR/pid")"
	wait_for 10 gone "$(cat "$DIR/pid")"
}
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

setup_dom0() {
	mkdir -p "$DIR"
	ip link add jitsu0 address 02:00:00:00:77:01 type bridge
	ip addr add 10.77.0.1/24 dev jitsu0
	ip link set jitsu0 up
	write_conf
	write_zone
	start_jitsud
}

# A guest that is none of ours, and must never be touched.
foreign_guest() {
	printf 'name = "foreign"\ntype = "pv"\nkernel = "/work/guest/vmlinux"\nramdisk = "/work/guest/initrd.gz"\nmemory = 96\nextra = "console=hvc0 quiet"\n' >"$DIR/foreign.xl"
	xl create -q "$DIR/foreign.xl"
	xl domid foreign >"$DIR/foreign.id"
}
foreign_lives() { [ "$(xl domid foreign)" = "$(cat "$DIR/foreign.id")" ] && xl list foreign | tail -1 | grep -q -v -- '--[ps]'; }
