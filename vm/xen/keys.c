/*
 * keys: the keys of an xl.cfg file, which of them this driver understands, and in which line they
 * stand.
 *
 * libxlutil answers for keys that it is asked for and names none, so that the text is looked
 * through once more.  It has accepted the text by then; outside of lists a word that is no string
 * and begins with a letter can only be a key.
 */
#include "vm/xen/xen.h"

#include <string.h>

struct scan {
	const char *at, *end;
	unsigned line;
};

static bool
is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_word(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Behind the string that begins at s->at. */
static void
skip_string(struct scan *s)
{
	char quote = *s->at++;

	while (s->at < s->end && *s->at != quote)
		s->at += *s->at == '\\' && s->at + 1 < s->end ? 2 : 1;
	if (s->at < s->end)
		s->at++;
}

/* The next key; false at the end of the text. */
static bool
next(struct scan *s, const char **key, size_t *len)
{
	unsigned depth = 0;

	while (s->at < s->end) {
		char c = *s->at;
		const char *word = s->at;

		if (c == '"' || c == '\'') {
			skip_string(s);
		} else if (c == '#') {
			while (s->at < s->end && *s->at != '\n')
				s->at++;
		} else if (is_word(c)) {
			while (s->at < s->end && is_word(*s->at))
				s->at++;
			*key = word;
			*len = (size_t)(s->at - word);
			if (depth == 0 && is_letter(c))
				return true;
		} else {
			s->line += c == '\n';
			depth += c == '[';
			depth -= c == ']' && depth > 0;
			s->at++;
		}
	}
	return false;
}

static bool
is(const char *key, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(name, key, len) == 0;
}

unsigned
xen_key_line(const char *text, size_t size, const char *key)
{
	struct scan s = { .at = text, .end = text + size, .line = 1 };
	const char *found;
	unsigned line = 0;
	size_t len;

	while (next(&s, &found, &len))
		if (is(found, len, key))
			line = s.line;     /* xl takes the last one, too */
	return line;
}

void
xen_keys_report(const char *path, const char *text, size_t size, struct report *r)
{
	struct scan s = { .at = text, .end = text + size, .line = 1 };
	const char *key;
	size_t len;

	while (next(&s, &key, &len)) {
		size_t i = 0;

		while (i < xen_keys_count && !is(key, len, xen_keys[i].name))
			i++;
		if (i == xen_keys_count)
			report_warn(r, path, s.line,
			    "%.*s: jitsu does not understand this key, and does nothing about it",
			    (int)len, key);
	}
}

const struct xen_key xen_keys[] = {
	{ "type", XEN_KEY_TEXT }, { "builder", XEN_KEY_TEXT }, { "pvh", XEN_KEY_NUMBER },
	{ "memory", XEN_KEY_NUMBER }, { "maxmem", XEN_KEY_NUMBER }, { "vcpus", XEN_KEY_NUMBER },
	{ "maxvcpus", XEN_KEY_NUMBER },
	{ "cpu_weight", XEN_KEY_NUMBER }, { "cap", XEN_KEY_NUMBER },
	{ "kernel", XEN_KEY_TEXT }, { "ramdisk", XEN_KEY_TEXT }, { "cmdline", XEN_KEY_TEXT },
	{ "root", XEN_KEY_TEXT }, { "extra", XEN_KEY_TEXT },
	{ "bootloader", XEN_KEY_TEXT }, { "bootloader_args", XEN_KEY_LIST },
	{ "boot", XEN_KEY_TEXT }, { "bios", XEN_KEY_TEXT }, { "serial", XEN_KEY_TEXT },
	{ "hap", XEN_KEY_BOOL }, { "acpi", XEN_KEY_BOOL }, { "apic", XEN_KEY_BOOL },
	{ "vif", XEN_KEY_LIST }, { "disk", XEN_KEY_LIST },
	/* A unit has its own name and UUID, and jitsud decides what becomes of ended domains. */
	{ "name", XEN_KEY_XL }, { "uuid", XEN_KEY_XL }, { "on_poweroff", XEN_KEY_XL },
	{ "on_reboot", XEN_KEY_XL }, { "on_watchdog", XEN_KEY_XL },
	{ "on_crash", XEN_KEY_XL }, { "on_soft_reset", XEN_KEY_XL },
	/* Without what they hand to the guest it would be another guest. */
	{ "pci", XEN_KEY_REFUSED }, { "vtpm", XEN_KEY_REFUSED }, { "usbdev", XEN_KEY_REFUSED },
	{ "usbctrl", XEN_KEY_REFUSED },
	{ "dtdev", XEN_KEY_REFUSED }, { "rdm", XEN_KEY_REFUSED }, { "channel", XEN_KEY_REFUSED },
	{ "p9", XEN_KEY_REFUSED },
	{ "pvcalls", XEN_KEY_REFUSED }, { "vdispl", XEN_KEY_REFUSED }, { "vsnd", XEN_KEY_REFUSED },
	{ "viridian", XEN_KEY_REFUSED },
	{ "device_tree", XEN_KEY_REFUSED }, { "irqs", XEN_KEY_REFUSED },
	{ "ioports", XEN_KEY_REFUSED }, { "iomem", XEN_KEY_REFUSED },
	{ "vnuma", XEN_KEY_REFUSED }, { "numa", XEN_KEY_REFUSED }, { "altp2m", XEN_KEY_REFUSED },
};
const size_t xen_keys_count = sizeof(xen_keys) / sizeof(xen_keys[0]);
