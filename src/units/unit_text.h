/* unit_text: what a unit puts into the placeholders of its image. */
#ifndef SRC_UNITS_UNIT_TEXT_H
#define SRC_UNITS_UNIT_TEXT_H

#include "src/units/types.h"
#include "vm/vm.h"

struct unit_text {
	struct template_values v;      /* points into the rest, and at the unit's name */
	char address[2][ADDR_TEXT], prefixlen[2][8], gateway[2][ADDR_TEXT];
	char mac[ADDR_MAC_TEXT], uuid[VM_UUID_TEXT];
};

/* `uuid` NULL: a text of the same length, for checks.  The structure must not be copied. */
void unit_text_init(struct unit_text *t, const struct unit_conf *u, const struct vm_uuid *uuid);

#endif
