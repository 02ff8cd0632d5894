/* status: the verb `status` (control.h). */
#ifndef SRC_WARDEN_STATUS_H
#define SRC_WARDEN_STATUS_H

#include "src/warden/state.h"

void status_verb(struct control_request *req, json_t *args, void *arg);

#endif
