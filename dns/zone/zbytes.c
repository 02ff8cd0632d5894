/* zbytes: fields that are bytes in hexadecimal, base64 or base32hex. */
#include <ctype.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "dns/zone/zfield.h"

#define COUNTED_MAX 255

/* Digits of a base that is a power of two, on their way to bytes. */
struct decoder {
	uint8_t *out;
	size_t len, cap;
	uint32_t word;
	unsigned bits;             /* of the word that are not written yet */
};

/* False when there is no room. */
static bool
decoder_add(struct decoder *d, unsigned digit, unsigned bits)
{
	d->word = d->word << bits | digit;
	d->bits += bits;
	if (d->bits < 8)
		return true;
	if (d->len >= d->cap)
		return false;
	d->bits -= 8;
	d->out[d->len++] = (uint8_t)(d->word >> d->bits);
	return true;
}

static int
base32hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower(c);
	return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

/* The number of bytes; -1 for other digits, or when what fills no byte is a digit, or not zero. */
static ssize_t
decode(const char *t, size_t len, unsigned bits, int (*digit)(int), uint8_t *out, size_t cap)
{
	struct decoder d = { .out = out, .cap = cap };

	for (size_t i = 0; i < len; i++) {
		int v = digit((unsigned char)t[i]);

		if (v < 0 || !decoder_add(&d, (unsigned)v, bits))
			return -1;
	}
	return d.bits < bits && (d.word & ((1u << d.bits) - 1)) == 0 ? (ssize_t)d.len : -1;
}

ssize_t
zfield_parse_hex(const char *t, size_t len, uint8_t *out, size_t cap)
{
	return decode(t, len, 4, hex_value, out, cap);
}

/* The digits before the padding, which fills a group of so many; -1 when it does not. */
static ssize_t
unpadded(const char *t, size_t len, size_t group)
{
	size_t n = len;

	while (n > 0 && len - n < group && t[n - 1] == '=')
		n--;
	return len % group == 0 && len - n < group ? (ssize_t)n : -1;
}

ssize_t
zfield_parse_base64(const char *t, size_t len, uint8_t *out, size_t cap)
{
	ssize_t n = unpadded(t, len, 4);

	return n >= 0 ? decode(t, (size_t)n, 6, base64_value, out, cap) : -1;
}

/* ---- to the end of the data, in any number of tokens ---- */

static bool
bytes_read(struct zrdata_in *in, const struct zfield *f)
{
	bool hex = f->print != zfield_base64.print;
	const char *what = hex ? "hexadecimal digits" : "base64";
	char text[2 * ZRDATA_MAX + 1];
	size_t len = 0;
	ssize_t n;

	while (in->t[0] != '\0') {
		if (!zfield_token(in, what))
			return false;
		if (in->token_len > sizeof(text) - len)
			return zfield_fail(in, "more than %d bytes of data", ZRDATA_MAX);
		memcpy(text + len, in->token, in->token_len);
		len += in->token_len;
	}
	in->token = text;
	in->token_len = len;
	n = (hex ? zfield_parse_hex : zfield_parse_base64)(text, len, in->out + in->len,
	    ZRDATA_MAX - in->len);
	if (n < 0)
		return zfield_wrong(in, " is not %s", hex ? "hexadecimal, two digits for each byte"
		    : "base64, whole and with its padding");
	if (n == 0 && f->bytes > 0)
		return zfield_lacks(in, what);
	if ((size_t)n < f->bytes)
		return zfield_fail(in, "%s needs %u bytes or more there, not %zd", in->type,
		    f->bytes, n);
	in->len += (size_t)n;
	return true;
}

static ssize_t
bytes_span(UNUSED const uint8_t *p, size_t len, const struct zfield *f)
{
	return len >= f->bytes ? (ssize_t)len : -1;
}

/* Without bytes there is no text: that is unknown data. */
static bool
hex_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	ztext_add_hex(x, p, len);
	return len > 0;
}

static bool
base64_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	ztext_add_base64(x, p, len);
	return len > 0;
}

const struct zfield zfield_hex = ZFIELD(bytes_read, bytes_span, hex_print, 1);
/* RFC 4255: a fingerprint, perhaps empty, which other servers take as unknown data. */
const struct zfield zfield_fingerprint = ZFIELD(bytes_read, zfield_span_rest, hex_print, 1);
/* RFC 8976 section 2.2.4: at least 12. */
const struct zfield zfield_digest = ZFIELD(bytes_read, bytes_span, hex_print, 12);
const struct zfield zfield_base64 = ZFIELD(bytes_read, bytes_span, base64_print, 1);

/* ---- KEY (RFC 2535 section 3.1.2): the two highest bits of its flags say that it has none ---- */

#define KEY_NONE 0xc0

static bool
key_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	return (in->t[0] == '\0' && (in->out[0] & KEY_NONE) == KEY_NONE) ||
	    bytes_read(in, &zfield_base64);
}

/* Without a key only the flags' reader knows whether that is right. */
const struct zfield zfield_key = ZFIELD(key_read, bytes_span, base64_print, 0);

/* ---- NSAP: 0x, and digits with dots wherever the writer likes (RFC 1706 section 7) ---- */

static bool
nsap_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	struct decoder d = { .out = in->out + in->len, .cap = ZRDATA_MAX - in->len };
	const char *t;
	bool good;

	if (!zfield_token(in, "an address"))
		return false;
	t = in->token;
	good = in->token_len > 2 && t[0] == '0' && tolower((unsigned char)t[1]) == 'x';
	for (size_t i = 2; i < in->token_len && good; i++) {
		int v = hex_value((unsigned char)t[i]);

		good = t[i] == '.' || (v >= 0 && decoder_add(&d, (unsigned)v, 4));
	}
	if (!good || d.bits != 0 || d.len == 0)
		return zfield_wrong(in,
		    " is not what NSAP needs: 0x and hexadecimal digits, two for each byte");
	in->len += d.len;
	return true;
}

static bool
nsap_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	ztext_add(x, "0x");
	ztext_add_hex(x, p, len);
	return true;
}

const struct zfield zfield_nsap = ZFIELD(nsap_read, bytes_span, nsap_print, 1);

/* ---- a length and so many bytes: NSEC3 (RFC 5155 section 3.3) ---- */

static ssize_t
counted_span(const uint8_t *p, size_t len, const struct zfield *f)
{
	return len > 0 && len > p[0] && p[0] >= f->bytes ? (ssize_t)p[0] + 1 : -1;
}

static bool
salt_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	uint8_t salt[COUNTED_MAX];
	ssize_t n = 0;

	if (!zfield_token(in, "a salt"))
		return false;
	if (!(in->token_len == 1 && in->token[0] == '-'))
		n = zfield_parse_hex(in->token, in->token_len, salt, sizeof(salt));
	return n >= 0 ? zfield_put_counted(in, salt, (size_t)n) : zfield_wrong(in,
	    " is not a salt: `-', or up to 255 bytes of two hexadecimal digits");
}

static bool
salt_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	if (len == 1)
		ztext_add(x, "-");
	ztext_add_hex(x, p + 1, len - 1);
	return true;
}

static bool
hash_read(struct zrdata_in *in, UNUSED const struct zfield *f)
{
	uint8_t hash[COUNTED_MAX];
	ssize_t n = -1, digits;

	if (!zfield_token(in, "a hash"))
		return false;
	digits = (ssize_t)in->token_len;
	if (memchr(in->token, '=', in->token_len) != NULL)   /* some writers pad */
		digits = unpadded(in->token, in->token_len, 8);
	if (digits > 0)
		n = decode(in->token, (size_t)digits, 5, base32hex_digit, hash, sizeof(hash));
	return n > 0 ? zfield_put_counted(in, hash, (size_t)n)
	    : zfield_wrong(in, " is not a hash in base32hex, of up to 255 bytes");
}

static bool
hash_print(struct ztext *x, const uint8_t *p, size_t len, UNUSED const struct zfield *f)
{
	ztext_add_base32hex(x, p + 1, len - 1);
	return true;
}

const struct zfield zfield_salt = ZFIELD(salt_read, counted_span, salt_print, 0);
const struct zfield zfield_hash = ZFIELD(hash_read, counted_span, hash_print, 1);
