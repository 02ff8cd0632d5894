/* process: the door of this room: processes that the warden starts, and its own surroundings. */
#ifndef SRC_PROCESS_PROCESS_H
#define SRC_PROCESS_PROCESS_H

#include "src/process/children.h"      /* confined processes: start, watch, replace */
#include "src/process/cookie_secret.h" /* what they need to know of DNS cookies */
#include "src/process/daemonize.h"     /* into the background */
#include "src/process/flood.h"         /* how often the same is said */
#include "src/process/fresh.h"         /* a known state at the start */
#include "src/process/notify.h"        /* the service manager */
#include "src/process/psi.h"           /* memory pressure */
#include "src/process/surroundings.h"  /* users, directories, privileges */

#endif
