#!/bin/bash
# service.sh: jitsud.service under a real systemd: the VMs stay while the service comes and goes,
# each in its cgroup.  Prints TAP.  Runs in the machine that scripts/systemd-rig makes, where
# everything is emulated twice: time-outs are generous.
set -u
exec </dev/null
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    SYSTEMD_PAGER='' SYSTEMD_COLORS=0
unit=jitsud.service
top=/sys/fs/cgroup/system.slice/$unit
log=/run/rig.log
count=0

# check NAME COMMAND...: one TAP line; what the command said follows a failure.
check() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >$log 2>&1; then
		echo "ok $count $name"
	else
		echo "not ok $count $name"
		tail -20 $log | sed 's/^/# /'
		journalctl -q -u $unit --no-hostname -o cat -n 12 | sed 's/^/# journal: /'
	fi
}

# within SECONDS COMMAND...: until it succeeds.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >$log.try 2>&1; do
		[ $SECONDS -lt $end ] || { cat $log.try; return 1; }
		read -r -t 0.2 <> <(:)
	done
	cat $log.try
}

is() { [ "$1" = "$2" ] || { echo "'$1', expected '$2'"; return 1; }; }
property() { systemctl show -P "$1" $unit; }
active() { is "$(property ActiveState)/$(property SubState)" active/running; }
inactive() { is "$(property ActiveState)" inactive; }
group_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
qemu() { pgrep -x qemu-system-x86; }
www() { jitsu --json show www.example.test; }
awake() { jitsu list; jitsu list | grep -q 'www.*awake'; }
answers() {
	dig +norecurse +tries=1 +time=60 @127.0.0.1 -p 5300 www.example.test A +short |
	    grep -qx 10.77.0.10
}
serves() { curl -sS --max-time 60 http://10.77.0.10/ | grep -qi hello; }

# The bridge of config/, which systemd-networkd makes.
has_bridge() {
	ip -o addr show dev jitsu0 | grep -q 10.77.0.1/24 &&
	    ip -o addr show dev jitsu0 | grep -v tentative | grep -q fd77::1/64
}
bridge() {
	install -D -m 644 -t /etc/systemd/network /opt/rig/jitsu0.netdev /opt/rig/jitsu0.network &&
	    systemctl restart systemd-networkd && within 60 has_bridge
}
prepare() {
	sed -i 's/^\tready .*/&\n\tboot-timeout = "5m"\n\thold = "30s"\n\tunused-after = "0s"/' \
	    /etc/jitsu/jitsu.conf &&
	    sed -i 's/idle=2m/idle=1h/' /etc/jitsu/example.zone && jitsud -n
}

notified() {
	is "$(property Type)" notify && active && is "$(property StatusErrno)" 0
}

# The processes of the service stand beside the VMs' groups, not in the unit's own group.
in_leaf() {
	local pid
	for pid in $(property MainPID) $(pgrep -x jitsud-dns) $(pgrep -x jitsud-sentinel); do
		is "$(group_of "$pid")" "/system.slice/$unit/daemon" || return 1
	done
	is "$(cat $top/cgroup.procs)" ""
}

# After a restart only what is allocated anew counts: pages stay charged to the group that had the
# controller when they were taken.
limited() {
	local pid dir
	pid=$(qemu) || return 1
	dir=/sys/fs/cgroup$(group_of "$pid")
	echo "$dir memory.max $(cat "$dir/memory.max") memory.current" \
	    "$(cat "$dir/memory.current") cpu.weight $(cat "$dir/cpu.weight")"
	case $dir in $top/vm/*) ;; *) return 1 ;; esac
	[ "$(cat "$dir/memory.max")" != max ] &&
	    [ "$(cat "$dir/memory.current")" -gt "${least:-0}" ] &&
	    is "$(cat $top/vm/cgroup.subtree_control)" "cpu memory"
}

# The same process goes on, is known as awake, and has its limit.
kept() {
	is "$(qemu)" "$vm" && within 60 awake && within 60 limited && serves
}

restarted() {
	local before
	before=$(property MainPID)
	systemctl restart $unit && active && [ "$(property MainPID)" != "$before" ] &&
	    is "$(property Result)" success
}

killed() {
	local before
	before=$(property NRestarts)
	# shellcheck disable=SC2016
	systemctl kill -s KILL --kill-who=main $unit &&
	    within 60 eval '[ "$(property NRestarts)" -gt '"$before"' ]' && within 60 active
}

reload_refused() {
	cp /etc/jitsu/example.zone /run/good.zone
	echo 'bad A 10.77.0.300' >>/etc/jitsu/example.zone
	if systemctl reload $unit; then
		echo "reload succeeded"
		return 1
	fi
	active && answers && journalctl -q -u $unit -o cat | grep 'example.zone:.*300'
}

priorities() {
	cp /etc/jitsu/example.zone /run/good.zone
	echo 'bad A 10.77.0.300' >>/etc/jitsu/example.zone
	systemctl kill -s HUP --kill-who=main $unit
	within 60 eval "journalctl -q -u $unit -p err -o cat |
	    grep 'error: zone example.test keeps its old contents'" &&
	    ! journalctl -q -u $unit -p err -o cat | grep ' info: '
	local result=$?
	cp /run/good.zone /etc/jitsu/example.zone
	systemctl kill -s HUP --kill-who=main $unit
	return $result
}

confined() {
	local pid
	for pid in $(pgrep -x jitsud-dns) $(pgrep -x jitsud-sentinel) "$vm"; do
		grep -H -e '^Seccomp:' -e '^NoNewPrivs:' -e '^CapEff:' -e '^Uid:' \
		    "/proc/$pid/status"
		grep -q '^Seccomp:[[:space:]]2' "/proc/$pid/status" &&
		    grep -q '^NoNewPrivs:[[:space:]]1' "/proc/$pid/status" || return 1
	done
	! journalctl -q -k | grep -i -e 'type=1326' -e 'SIGSYS'
}

asleep() { ! qemu; }
no_group() { ls $top/vm; [ -z "$(ls -d $top/vm/*/ 2>/dev/null)" ]; }

exec 2>&1
echo "# $(systemctl --version | head -1); kernel $(uname -r); $(stat -fc %T /sys/fs/cgroup)"
check "the bridge of config/jitsu0.netdev and .network, with both addresses" bridge
check "the installed configuration is valid" prepare
check "systemctl start" systemctl start $unit
check "Type=notify: active" notified
check "the daemon is in a leaf of its unit's cgroup" in_leaf
check "a query wakes www" within 120 answers
check "www is awake" within 120 awake
check "www serves HTTP" within 60 serves
vm=$(qemu)
check "its VM has a cgroup below the service's, with a memory limit" eval "least=1000000 limited"
sed 's/^/# /' $log
check "hardening and seccomp hold for the children and QEMU, and end none" confined
sed 's/^/# /' $log

check "systemctl restart" restarted
check "restart: the same VM, awake, limited, serving" kept
check "restart: the daemon is in its leaf again" in_leaf
check "a second restart" restarted
check "second restart: the same VM" kept
check "systemctl stop" systemctl stop $unit
check "stop: the unit is inactive" inactive
check "stop: the VM goes on" serves
check "systemctl start after stop" systemctl start $unit
check "start adopts the VM" kept
check "SIGKILL of the main process: Restart= brings it back" killed
check "SIGKILL: the same VM" kept
check "SIGKILL: the daemon is in its leaf again" in_leaf
check "systemctl daemon-reexec and restart" eval "systemctl daemon-reexec && restarted"
check "daemon-reexec: the same VM" kept

check "systemctl reload" systemctl reload $unit
check "reload: active, the same VM" eval "active && kept"
check "reload with a broken zone fails and the service goes on" reload_refused
sed 's/^/# /' $log
cp /run/good.zone /etc/jitsu/example.zone
check "reload of the mended zone" systemctl reload $unit
check "sleep ends the VM" eval "jitsu sleep www.example.test && within 60 asleep"
check "its cgroup is gone" within 30 no_group
check "a query wakes it again after all that" within 120 answers
vm=$(qemu)
check "the new VM is limited too" kept
check "errors have their priority in the journal" priorities
check "the journal has the log" eval "journalctl -q -u $unit -o cat | grep -q 'serves 1 zones'"
check "no start ended with EXIT_CGROUP" eval \
    "! journalctl -q -u $unit -o cat | grep -i -e 219/CGROUP -e 'Failed to attach'"
echo "# $(systemd-analyze security --no-pager $unit | tail -1)"
journalctl -q -b -u $unit --no-hostname -o short-monotonic | sed 's/^/# /'
echo "1..$count"
