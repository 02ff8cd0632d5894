# dom0.bash: a jitsud in dom0 for the bats files here.  The machine is thrown away afterwards, so it
# may do as it likes there.
#
# Each file begins with setup_dom0 and ends with teardown_dom0, which fails when anything is left.
BUILD=/work/build
DIR=/tmp/jitsu
HELPER=/usr/local/libexec/jitsu/jitsu-xen-vif
SLOW=1 PAUSE_MS=160
# shellcheck source=tests/system/lib/wait.bash
. "${BASH_SOURCE[0]%/*}/../system/lib/wait.bash"

jitsu() { "$BUILD/jitsu" -s "$DIR/run/control" "$@"; }
ask() { dig @10.77.0.1 -p 5300 +tries=1 +time=60 "$@"; }
# Each process that starts takes a tenth of a second and more here, and jq five; what is asked often
# is read by the shell.
# state_of UNIT: from the table.
state_of() {
	local name state rest
	while read -r name state rest; do
		[ "$name" != "$1.example.test" ] || echo "$state"
	done < <(jitsu list)
}
is_state() {
	local name state rest is=
	while read -r name state rest; do
		[ "$name" != "$1.example.test" ] || is=$state
	done < <(jitsu list)
	[ "$is" = "$2" ]
}
page() { curl -sS -m 60 "http://$1/"; }

# Domains that are not dom0 and not the foreign one, of any state.
domains() {
	local name rest
	while read -r name rest; do
		case $name in Name | Domain-0 | foreign) ;; *) echo "$name" ;; esac
	done < <(xl list)
}
domain_count() {
	local all
	mapfile -t all < <(domains)
	echo ${#all[@]}
}
domid_of() {
	local name id rest
	while read -r name id rest; do
		[[ $name != "$1".example.test-* ]] || echo "$id"
	done < <(xl list)
}
# store NAME KEY: of a unit's domain.
store() { xenstore-read "/local/domain/$(domid_of "$1")/$2"; }

# Everything of other domains than dom0 and the foreign one that anybody remembers.
leftovers() {
	local foreign path id file
	read -r foreign </tmp/foreign.id || foreign=none
	domains
	xenstore-ls -f | awk -v foreign="$foreign" -F'[/ ]' '
	    function has(id, what) {
		if (id != "" && id != 0 && id != foreign && !seen[what, id]++)
			print "XenStore has " what " " id
	    }
	    /^\/local\/domain\// { has($4, "a domain") }
	    /^\/libxl\// { has($3, "of libxl") }
	    /^\/local\/domain\/0\/backend\/(vif|vbd)\// { has($7, "a backend of") }
	    /^\/vm\// && !uuid[$3]++ { vms++ }
	    END { if (vms > (foreign == "none" ? 1 : 2)) print "XenStore has " vms " of /vm" }'
	for file in "$DIR"/run/xen/* "$DIR"/state/saved/* /sys/class/net/vif* \
	    /sys/block/loop*/loop/backing_file /var/lib/xen/userdata-*
	do
		[ -f "$file" ] || [ -L "$file" ] || continue
		[[ $file != /var/lib/xen/userdata-?.@(0|"$foreign").* ]] || continue
		echo "$file"
	done
}
nothing_left() { [ -z "$(leftovers)" ] || { leftovers >&2; return 1; }; }

# image NAME KEYS
image() {
	local idle='idle = "1h"'
	[[ $2 != *idle* ]] || idle=
	local keys="driver = \"xen\" network = \"lan\" min-up = \"0s\" hold = \"30s\""
	printf 'image "%s" {\n %s\n %s\n %s\n %s\n}\n' "$1" "$keys" "$idle" \
	    'boot-timeout = "2m" backoff-min = "100ms"' "$2"
}
HELLO='kernel = "/work/build/hello.elf"
 memory = "16M"
 cmdline = "name={name} ip={address}/{prefixlen} gw={gateway}"'
LINUX='type = "pv"
 kernel = "/work/guest/vmlinux"
 initrd = "/work/guest/initrd.gz"
 memory = "96M"
 cmdline = "console=hvc0 quiet name={name} ip={address}/{prefixlen}"'

# The files that the images name; a test file may have its own.
write_conf_files() { :; }

# write_conf: what is common, and the images of the test file's own function `images`.
write_conf() {
	write_conf_files
	{
		cat <<-C
		listen = { "10.77.0.1" }
		port = 5300
		control = "$DIR/run/control"
		state = "$DIR/state"
		run-dir = "$DIR/run"
		log-level = "${LOG_LEVEL:-info}"
		limits { wakes-per-minute = 0  memory = "8G" }
		network "lan" {
			bridge = "jitsu0"
			subnets = { "10.77.0.0/24" }
			gateway = { "10.77.0.1" }
			units = { "10.77.0.10-10.77.0.250" }
		}
		network "second" {
			bridge = "jitsu1"
			subnets = { "10.78.0.0/24" }
			units = { "10.78.0.10-10.78.0.250" }
		}
		zone "example.test" { file = "example.zone" }
		C
		images
	} >"$DIR/jitsu.conf"
}

# write_zone NAME[=IMAGE]...: units with the addresses 10.77.0.10, 11, ... in this order.
write_zone() {
	local i=10 unit
	{
		# shellcheck disable=SC2016
		printf '$ORIGIN example.test.\n$TTL 3600\n@ SOA ns hostmaster 1 1h 15m 1w 30\n'
		printf '@ NS ns\nns A 10.77.0.1\n'
		for unit in "$@"; do
			printf '%s A 10.77.0.%d\n_jitsu.%s TXT "image=%s"\n' "${unit%=*}" $i \
			    "${unit%=*}" "${unit#*=}"
			i=$((i + 1))
		done
	} >"$DIR/example.zone"
}

start_jitsud() {
	"$BUILD/jitsud" -f -c "$DIR/jitsu.conf" >>"$DIR/log" 2>&1 3>&- 4>&- &
	echo $! >"$DIR/pid"
	wait_for 60 serves || { tail -20 "$DIR/log"; return 1; }
}
serves() {
	jitsu status >/dev/null 2>&1 && [ -n "$(ask +short +time=2 ns.example.test)" ]
}
end_jitsud() {
	kill "-$1" "$(<"$DIR/pid")"
	wait_for 60 gone "$(<"$DIR/pid")"
}
gone() {
	local line
	read -r line 2>/dev/null <"/proc/$1/stat" || return 0
	[[ ${line##*) } == Z* ]]
}

# A guest that is none of ours, and must never be touched.
foreign_guest() {
	printf 'name = "foreign"\ntype = "pvh"\nkernel = "%s"\nmemory = 32\n' "$BUILD/mute.elf" \
	    >/tmp/foreign.xl
	xl domid foreign >/tmp/foreign.id 2>/dev/null && return
	# -e: no xl stays behind to watch it, which would hold the output of bats open.
	xl create -q -e /tmp/foreign.xl
	xl domid foreign >/tmp/foreign.id
}
foreign_lives() {
	[ "$(xl domid foreign)" = "$(cat /tmp/foreign.id)" ] &&
	    xl list foreign | tail -1 | grep -q -v -- '--[ps]'
}

# setup_dom0 UNIT...: bridges, the foreign guest, and a jitsud with these units (write_zone).
setup_dom0() {
	local i
	rm -rf "$DIR"
	mkdir -p "$DIR"
	for i in 0 1; do
		ip link add jitsu$i address 02:00:00:00:77:0$i type bridge
		ip addr add 10.7$((7 + i)).0.1/24 dev jitsu$i
		ip link set jitsu$i up
	done
	foreign_guest
	write_conf
	write_zone "$@"
	start_jitsud
}
teardown_dom0() {
	local name=$1 n state rest
	while read -r n state rest; do
		[ "$state" = dormant ] || [[ $n != *.example.test ]] || jitsu sleep "$n"
	done < <(jitsu list)
	end_jitsud TERM
	cp "$DIR/log" "/work/out/jitsud-$name.log"
	foreign_lives
	nothing_left
	ip link del jitsu0
	ip link del jitsu1
}
# What a failed test leaves to read.
explain() { [ "${BATS_TEST_COMPLETED:-}" = 1 ] || { xl list; leftovers; tail -12 "$DIR/log"; }; }
