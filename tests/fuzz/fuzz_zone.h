/* fuzz_zone: one small zone with everything in it, compiled. */
#ifndef TESTS_FUZZ_ZONE_H
#define TESTS_FUZZ_ZONE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/answer/answer.h"
#include "dns/dns.h"
#include "dns/zimage/name.h"

#define FUZZ_UNITS 1

static inline void
fuzz_write(char *path, const char *text)
{
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

/* An NSEC3 that matches the apex, and one that matches nothing. */
static inline void
fuzz_write_chain(char *text, size_t size)
{
	const struct nsec3_param param = { .salt = (const uint8_t *)"\xab", .salt_len = 1,
	    .iterations = 2 };
	uint8_t label[NSEC3_LABEL];

	nsec3_label(&param, (const uint8_t *)"\1z", 3, label);
	snprintf(text, size,
	    "@ NSEC3PARAM 1 0 2 AB\n%.32s NSEC3 1 1 2 AB %.32s NS SOA\n"
	    "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 2 AB %.32s A\n",
	    label + 1, "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", label + 1);
}

/* A sealed zimage; with an NSEC chain, or an NSEC3 chain that opts out. */
static inline int
fuzz_zone_compile(bool nsec3)
{
	static const char zone[] =
	    "$TTL 60\n@ SOA ns h.elsewhere.org. 1 2 3 4 30\n@ NS ns\n@ NS ns2.elsewhere.org.\n"
	    "@ NSEC a A\nns A 10.0.0.1\nw A 10.0.0.2\nw AAAA fd00::2\nw HTTPS 1 . alpn=h2\n"
	    "w RRSIG A 8 2 60 20300101000000 20200101000000 1 z. AAAA\na CNAME w\nl CNAME m\n"
	    "m CNAME l\n*.c CNAME a\n*.t TXT x\ne.n.t A 10.0.0.3\nd DNAME t\nself DNAME self\n"
	    "g DNAME x.g\ns NS ns.s\ns NS ns.o.org.\nns.s A 10.0.0.4\ns DS 1 8 200 00\n"
	    "*.ns.x MX 5 mx.x\nx MX 1 mail.o.org.\nx MX 2 m.o.org.\n";
	char text[2048], chain[512] = "";
	char path[] = "/tmp/jitsu-fuzz-XXXXXX", units[] = "/tmp/jitsu-fuzz-XXXXXX";
	struct report r;
	int zimage = -1;

	if (nsec3)
		fuzz_write_chain(chain, sizeof(chain));
	snprintf(text, sizeof(text), "%s%s", zone, chain);
	fuzz_write(path, text);
	fuzz_write(units, "_jitsu.w TXT image=x\n");
	report_init(&r);
	if (dns_compile_file("z", path, units, &zimage, &r) != ERR_OK)
		abort();
	report_clear(&r);
	unlink(path);
	unlink(units);
	return zimage;
}

#endif
