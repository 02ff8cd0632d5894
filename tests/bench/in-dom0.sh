#!/bin/bash
# in-dom0: what `tests/bench/run xen` measures, in the rig's dom0 (scripts/xen-rig run).  Writes
# lines `KIND NUMBER`, microseconds, to /work/out/figures.
#
# PAIRS pairs (files/pairs has the number): a bare libxl create and a cold wake through jitsud, with
# every second one `xl create` with Debian's vif-bridge; then ROUNDS rounds of four wakes at once
# and four one after the other.
set -eu
cd /work
. tests/system-in-dom0/dom0.bash
read -r PAIRS ROUNDS <files/pairs
ASK="build/ask -s 10.77.0.1 -p 5300 -w 60"
BARE=10.77.0.9
XL=10.77.0.8

images() { image hello "ready = \"tcp:80\" $HELLO"; }
cmdline() { echo "name=$1 ip=$2/24 gw=10.77.0.1"; }
note() { echo "$*" >>/work/out/figures; }

# once KIND COMMAND...: the microseconds that it prints.
once() {
	local kind=$1 us
	shift
	us=$("$@")
	note "$kind" "$us"
}
cold() { $ASK "$1.example.test" | awk '$3 == 0 && $4 > 0 { print $2; n++ } END { exit n != 1 }'; }
bare() {
	build/xen_bare jitsu0 00:16:3e:77:00:09 $BARE 10.77.0.1 lib pvh "$BUILD/hello.elf" - 16 \
	    "$(cmdline bare $BARE)" "$HELPER"
}
with_xl() {
	build/xen_bare jitsu0 00:16:3e:77:00:08 $XL 10.77.0.1 command xl create -q /tmp/xl.cfg
}
steps() {
	jitsu --json events hello.example.test |
	    jq -r '.[] | select(.durations_us.answer != null) | .durations_us | to_entries[] |
	        "step-\(.key) \(.value)"' >>/work/out/figures
}
asleep() { local n; for n in "$@"; do jitsu sleep "$n.example.test" >/dev/null; done; }

setup_dom0 hello q1=hello q2=hello q3=hello q4=hello
cat >/tmp/xl.cfg <<-C
name = "bench"
type = "pvh"
kernel = "$BUILD/hello.elf"
memory = 32
extra = "$(cmdline bench $XL)"
vif = [ "bridge=jitsu0,mac=00:16:3e:77:00:08" ]
C
# The first of each fills caches and is not counted.
cold hello >/dev/null
asleep hello
bare >/dev/null
with_xl >/dev/null
xl destroy bench
for ((i = 0; i < PAIRS; i++)); do
	# Whoever comes first in a pair finds another machine than who comes second.
	if [ $((i % 2)) -eq 0 ]; then
		once bare bare
		once cold cold hello
		asleep hello
	else
		once cold cold hello
		asleep hello
		once bare bare
	fi
	if [ $((i % 2)) -eq 0 ]; then
		once xl with_xl
		xl destroy bench
	fi
	echo "pair $((i + 1)) of $PAIRS"
done
steps
for ((i = 0; i < ROUNDS; i++)); do
	$ASK q1.example.test q2.example.test q3.example.test q4.example.test |
	    awk '$2 > most { most = $2 } END { print "together", most }' >>/work/out/figures
	asleep q1 q2 q3 q4
	for n in q1 q2 q3 q4; do
		cold $n
	done | awk '{ sum += $1 } END { print "in-turn", sum }' >>/work/out/figures
	asleep q1 q2 q3 q4
	echo "round $((i + 1)) of $ROUNDS"
done
teardown_dom0 bench
