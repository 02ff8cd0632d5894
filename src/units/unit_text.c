/* unit_text: the values of placeholders. */
#include "src/units/unit_text.h"

#include <stdio.h>
#include <string.h>

#include "src/units/unit_addr.h"

#define NO_UUID "00000000-0000-0000-0000-000000000000"
_Static_assert(sizeof(NO_UUID) == VM_UUID_TEXT, "what is checked at a load is as long as what is used");

/* IPv4 is 0, IPv6 is 1; absent ones stay NULL. */
static void
fill_family(struct unit_text *t, const struct unit_conf *u, unsigned i)
{
	static const enum template_slot slots[2][3] = {
		{ TEMPLATE_ADDRESS, TEMPLATE_PREFIXLEN, TEMPLATE_GATEWAY },
		{ TEMPLATE_ADDRESS6, TEMPLATE_PREFIXLEN6, TEMPLATE_GATEWAY6 },
	};
	const struct msg_addr *a = unit_addr(u, i == 0 ? 4 : 6), *gw;

	if (a == NULL)
		return;
	addr_text(a, t->address[i]);
	snprintf(t->prefixlen[i], sizeof(t->prefixlen[i]), "%u", a->prefixlen);
	t->v.values[slots[i][0]] = t->address[i];
	t->v.values[slots[i][1]] = t->prefixlen[i];
	gw = unit_addr_gateway(u->image->network, a);
	if (gw == NULL)
		return;
	addr_text(gw, t->gateway[i]);
	t->v.values[slots[i][2]] = t->gateway[i];
}

static void
uuid_text(const struct vm_uuid *uuid, char text[VM_UUID_TEXT])
{
	const uint8_t *b = uuid->bytes;

	snprintf(text, VM_UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6],
	    b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void
unit_text_init(struct unit_text *t, const struct unit_conf *u, const struct vm_uuid *uuid)
{
	memset(t, 0, sizeof(*t));
	t->v.values[TEMPLATE_NAME] = u->name;
	fill_family(t, u, 0);
	fill_family(t, u, 1);
	addr_mac_text(u->mac, t->mac);
	t->v.values[TEMPLATE_MAC] = t->mac;
	t->v.values[TEMPLATE_UUID] = uuid != NULL ? t->uuid : NO_UUID;
	if (uuid != NULL)
		uuid_text(uuid, t->uuid);
}
