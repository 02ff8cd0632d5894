/* spec: a copy of a VM's specification that outlives the call.  Not included outside vm/. */
#ifndef VM_HOST_SPEC_H
#define VM_HOST_SPEC_H

#include "vm/vm.h"

/* One block of memory, strings included: free(3) it. */
struct vm_spec *vm_spec_copy(const struct vm_spec *spec);

#endif
