/* units: the door of this room: from zones and images to units, and from a unit to its VM. */
#ifndef SRC_UNITS_UNITS_H
#define SRC_UNITS_UNITS_H

#include "src/units/mapping.h"         /* the units of all zones; the secret of their MACs */
#include "src/units/spec.h"            /* what the VM of a unit is started with */
#include "src/units/types.h"           /* struct unit_conf */

#endif
