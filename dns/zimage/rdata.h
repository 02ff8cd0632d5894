/* rdata: record types that we treat specially, and where RDATA has names that may be compressed. */
#ifndef DNS_ZIMAGE_RDATA_H
#define DNS_ZIMAGE_RDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_CLASS_IN 1
#define DNS_CLASS_CH 3
#define DNS_CLASS_ANY 255

enum dns_type {
	DNS_T_A = 1, DNS_T_NS = 2, DNS_T_CNAME = 5, DNS_T_SOA = 6, DNS_T_PTR = 12, DNS_T_HINFO = 13,
	DNS_T_MX = 15, DNS_T_TXT = 16, DNS_T_AAAA = 28, DNS_T_SRV = 33, DNS_T_DNAME = 39,
	DNS_T_OPT = 41, DNS_T_DS = 43, DNS_T_RRSIG = 46, DNS_T_NSEC = 47, DNS_T_DNSKEY = 48,
	DNS_T_NSEC3 = 50, DNS_T_NSEC3PARAM = 51, DNS_T_TLSA = 52, DNS_T_SVCB = 64,
	DNS_T_HTTPS = 65, DNS_T_TSIG = 250, DNS_T_IXFR = 251, DNS_T_AXFR = 252, DNS_T_ANY = 255
};

enum dns_rcode {
	DNS_R_NOERROR = 0, DNS_R_FORMERR = 1, DNS_R_SERVFAIL = 2, DNS_R_NXDOMAIN = 3,
	DNS_R_NOTIMP = 4, DNS_R_REFUSED = 5, DNS_R_YXDOMAIN = 6, DNS_R_NOTAUTH = 9,
	DNS_R_BADVERS = 16
};

/* Fixed bytes before the names, and how many names follow; anything may follow them. */
struct dns_layout {
	uint8_t fixed;
	uint8_t names;
};

/* RFC 3597 section 4: names in other types than RFC 1035's are not compressed: names is 0. */
static inline struct dns_layout
dns_rdata_layout(uint16_t type)
{
	switch (type) {
	case DNS_T_NS: case DNS_T_CNAME: case DNS_T_PTR:
	case 3: case 4: case 7: case 8: case 9:   /* MD, MF, MB, MG, MR */
		return (struct dns_layout){ 0, 1 };
	case DNS_T_SOA: case 14:                  /* MINFO */
		return (struct dns_layout){ 0, 2 };
	case DNS_T_MX:
		return (struct dns_layout){ 2, 1 };
	default:
		return (struct dns_layout){ 0, 0 };
	}
}

static inline uint16_t
dns_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
dns_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void
dns_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
dns_put32(uint8_t *p, uint32_t v)
{
	dns_put16(p, (uint16_t)(v >> 16));
	dns_put16(p + 2, (uint16_t)v);
}

#endif
