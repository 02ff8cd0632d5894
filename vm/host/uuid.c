/* uuid: the names that VMs have before they exist. */
#include "vm/vm.h"

#include <string.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/log.h"

/* Bytes between hyphens. */
static const uint8_t groups[] = { 4, 2, 2, 2, 6 };
#define GROUPS sizeof(groups)

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

const char *
vm_uuid_text(const struct vm_uuid *u, char text[VM_UUID_TEXT])
{
	char *at = text;

	for (size_t group = 0, i = 0; group < GROUPS; i += groups[group++]) {
		at = hex_write(at, u->bytes + i, groups[group]);
		if (group < GROUPS - 1)
			*at++ = '-';
	}
	return text;
}

bool
vm_uuid_parse(const char *text, struct vm_uuid *u)
{
	struct vm_uuid parsed;

	if (text == NULL || strlen(text) != VM_UUID_TEXT - 1)
		return false;
	for (size_t group = 0, i = 0; group < GROUPS; i += groups[group++]) {
		if (group > 0 && *text++ != '-')
			return false;
		if (!hex_read(text, parsed.bytes + i, groups[group]))
			return false;
		text += 2 * groups[group];
	}
	*u = parsed;
	return true;
}
