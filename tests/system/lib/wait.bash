# wait.bash: how tests wait; sourced by what the bats files load.
#
# SLOW is how many times slower than usual this machine is: time-outs grow with it, and so does
# PAUSE_MS, since who asks takes the CPU from who is asked.
PAUSE_MS=${PAUSE_MS:-$((20 * SLOW))}

# A pause without a process: nobody writes to this pipe.
NEVER=$BATS_RUN_TMPDIR/never
[ -p "$NEVER" ] || mkfifo "$NEVER" || [ -p "$NEVER" ]

# wait_for SECONDS COMMAND...: until it succeeds, asked more and more seldom: from PAUSE_MS to five
# times that.
wait_for() {
	local end=$((SECONDS + $1 * SLOW)) pause=$PAUSE_MS never seconds
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "timed out: $*" >&2; return 1; }
		printf -v seconds '%d.%03d' $((pause / 1000)) $((pause % 1000))
		exec {never}<>"$NEVER"
		read -r -t "$seconds" -u "$never" seconds || true
		exec {never}>&-
		[ $pause -ge $((5 * PAUSE_MS)) ] || pause=$((pause + PAUSE_MS))
	done
}
