/* uuid: the names that VMs have before they exist. */
#include "vm/vm.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

void
vm_uuid_make(struct vm_uuid *u)
{
	size_t have = 0;

	while (have < sizeof(u->bytes)) {
		ssize_t n = getrandom(u->bytes + have, sizeof(u->bytes) - have, 0);

		if (n < 0)
			fatal("getrandom: no random numbers for a VM's UUID");
		have += (size_t)n;
	}
	u->bytes[6] = (uint8_t)((u->bytes[6] & 0x0f) | 0x40);
	u->bytes[8] = (uint8_t)((u->bytes[8] & 0x3f) | 0x80);
}

void
vm_uuid_text(const struct vm_uuid *u, char text[VM_UUID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < sizeof(u->bytes); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		text[at++] = digits[u->bytes[i] >> 4];
		text[at++] = digits[u->bytes[i] & 15];
	}
	text[at] = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
vm_uuid_parse(const char *text, struct vm_uuid *u)
{
	struct vm_uuid parsed;
	size_t at = 0;

	if (text == NULL || strlen(text) != VM_UUID_TEXT - 1)
		return false;
	for (size_t i = 0; i < sizeof(parsed.bytes); i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
			return false;
		high = hex_value(text[at++]);
		low = hex_value(text[at++]);
		if (high < 0 || low < 0)
			return false;
		parsed.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*u = parsed;
	return true;
}
