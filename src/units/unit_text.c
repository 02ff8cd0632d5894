/* unit_text: the values of placeholders. */
#include "src/units/unit_text.h"

#include <stdio.h>
#include <string.h>

#include "src/units/unit_addr.h"

#define NO_UUID "00000000-0000-0000-0000-000000000000"
_Static_assert(
    sizeof(NO_UUID) == VM_UUID_TEXT, "what is checked at a load is as long as what is used");

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
		vm_uuid_text(uuid, t->uuid);
}
