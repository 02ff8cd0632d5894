# shared.bash: one jitsud for all tests of a file: setup_shared in setup_file, teardown_shared in
# teardown_file.
#
# Tests run in processes of their own, so what they need is exported.

# setup_shared: directories and namespace; afterwards write_conf and write_zone again as wanted, and
# start_jitsud.
setup_shared() {
	export BATS_TEST_NUMBER=0
	setup_jitsu
	export NS DIR
}
# Call it when the daemon runs.
export_shared() { export JITSUD; }

# raw [ARGUMENT...]: a Python program from stdin, with lib/dnsraw.py, inside the namespace.
raw() {
	in_ns env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$BATS_TEST_DIRNAME/lib" timeout 120 \
	    python3 - "$@"
}

# Shown when a test of a shared daemon fails.
log_on_failure() {
	[ "${BATS_TEST_COMPLETED:-}" = 1 ] || { echo "--- log"; tail -40 "$DIR/log"; }
}

teardown_shared() {
	# Whether all went well is not known here, and each test has shown the log.
	BATS_TEST_COMPLETED=1
	teardown_jitsu
}

set_listen() { sed -i "s/^listen = .*/listen = { $1 }/" "$DIR/jitsu.conf"; }
