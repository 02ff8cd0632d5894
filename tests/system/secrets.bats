#!/usr/bin/env bats
# secrets: files that only root may read do not come out through zones.

load lib/jitsu

BOB=4001

setup() {
	setup_jitsu
	mkdir "$DIR/zones" "$DIR/bobs"
	chown $BOB "$DIR/bobs"
	printf 'root:$y$j9T$SeCrEt0:1:0:99999:7:::\nnobody:*:1:0:99999:7:::\n' >"$DIR/shadow"
	printf 'SeCrEt1\n$SeCrEt2\nSeCrEt3 SeCrEt4 IN SeCrEt5\n60 SeCrEt6 A SeCrEt7 (\n' \
	    >"$DIR/words"
	chmod 600 "$DIR/shadow" "$DIR/words"
	CONF_MORE='zone "*" { file = "zones/*.zone" }
		zone "bob.test" { file = "bobs/bob.zone" }' write_conf
	good 1 >"$DIR/bobs/bob.zone"
	start_jitsud
	: >"$DIR/said"
}
teardown() { teardown_jitsu; }

good() { printf '$TTL 60\n@ SOA ns h %s 1h 15m 1w 30\n NS ns\nns A 192.0.2.1\n' "$1"; }
# Whatever a person can see of a load goes into $DIR/said.
see() {
	jitsu reload >>"$DIR/said" 2>&1 || true
	for verb in status list "--json status" "--json list"; do
		# shellcheck disable=SC2086
		jitsu $verb >>"$DIR/said" 2>&1
	done
	"$BUILD/jitsud" -n -c "$DIR/jitsu.conf" >>"$DIR/said" 2>&1 || true
	"$BUILD/jitsu" check x.test "$DIR/bobs/bob.zone" >>"$DIR/said" 2>&1 || true
	"$BUILD/jitsu" --json check x.test "$DIR/bobs/bob.zone" >>"$DIR/said" 2>&1 || true
}
no_secret() { ! grep -h SeCrEt "$DIR/said" "$DIR/log"; }

@test "a link to a file that only root may read: the place is said, never the text" {
	ln -s ../shadow "$DIR/zones/soft.test.zone"
	ln "$DIR/shadow" "$DIR/zones/hard.test.zone"
	ln -s ../words "$DIR/zones/words.test.zone"
	printf '%s\n$INCLUDE part\n' "$(good 1)" >"$DIR/zones/inc.test.zone"
	ln "$DIR/words" "$DIR/zones/part"
	see
	no_secret
	grep -q 'zones/soft.test.zone:1: .*text is not shown' "$DIR/said"
	grep -q 'zones/hard.test.zone:1: .*text is not shown' "$DIR/log"
	grep -q 'zones/words.test.zone:3: .*text is not shown' "$DIR/said"
	grep -q 'part:1: .*text is not shown' "$DIR/said"
	[ "$(ask +short bob.test SOA | cut -d' ' -f3)" = 1 ]
}

@test "who may not read a file cannot have it read: links, hard links, \$INCLUDE" {
	for how in "ln -sfT ../shadow" "ln -fT $DIR/words" "ln -sfT $DIR/nothing"; do
		# shellcheck disable=SC2086
		$how "$DIR/bobs/bob.zone"
		chown -h $BOB "$DIR/bobs"/*
		chown 0 "$DIR/words"
		see
	done
	no_secret
	may="as user $BOB may write $DIR/bobs .* may not read $DIR/shadow"
	grep -q "bobs/bob.zone: is not opened, $may" "$DIR/log"
	grep -q "bobs/bob.zone: is not opened, .* may not read $DIR/bobs/bob.zone; change" \
	    "$DIR/said"
	# An include tells him nothing of a directory that he may not search.
	mkdir -m 700 "$DIR/bobs/closed"
	touch "$DIR/bobs/closed/there"
	rm "$DIR/bobs/bob.zone"
	printf '%s\n$INCLUDE closed/there\n$INCLUDE closed/none\n' "$(good 2)" >"$DIR/bobs/bob.zone"
	chown $BOB "$DIR/bobs/bob.zone"
	run jitsu reload
	[ "$status" -eq 1 ]
	for line in 5 6; do
		why="may not search $DIR/bobs/closed"
		[[ "$output" == \
		    *"bob.zone:$line: \$INCLUDE closed/"*": is not opened, as user $BOB "*"$why"* ]]
	done
	[ "$(ask +short bob.test SOA | cut -d' ' -f3)" = 1 ]
	# His own file, for himself alone, and what everybody may read.
	good 3 >"$DIR/bobs/bob.zone"
	chmod 600 "$DIR/bobs/bob.zone"
	jitsu reload
	[ "$(ask +short bob.test SOA | cut -d' ' -f3)" = 3 ]
	good 4 >"$DIR/open.zone"
	ln -sfT ../open.zone "$DIR/bobs/bob.zone"
	jitsu reload
	[ "$(ask +short bob.test SOA | cut -d' ' -f3)" = 4 ]
}
