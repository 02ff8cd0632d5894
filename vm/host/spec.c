/* spec: the copy is counted first, then laid out in one block. */
#include "vm/host/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static size_t
text_size(const char *s)
{
	return s != NULL ? strlen(s) + 1 : 0;
}

static const char *
text_copy(char **at, const char *s)
{
	size_t n = text_size(s);
	char *to = *at;

	if (s == NULL)
		return NULL;
	memcpy(to, s, n);
	*at += n;
	return to;
}

struct vm_spec *
vm_spec_copy(const struct vm_spec *spec)
{
	size_t nargs = spec->nargs < LIMIT_ARGS ? spec->nargs : LIMIT_ARGS;
	unsigned ndisks = spec->ndisks < LIMIT_DISKS ? spec->ndisks : LIMIT_DISKS;
	size_t size = sizeof(*spec) + nargs * sizeof(char *);
	struct vm_spec *copy;
	const char **args;
	char *at;

	size += text_size(spec->unit) + text_size(spec->identity) + text_size(spec->driver);
	size += text_size(spec->kernel) + text_size(spec->initrd) + text_size(spec->cmdline);
	size += text_size(spec->xl) + text_size(spec->vif_script) + text_size(spec->ready_key);
	for (unsigned i = 0; i < ndisks; i++)
		size += text_size(spec->disks[i].path) + text_size(spec->disks[i].overlay);
	for (size_t i = 0; i < nargs; i++)
		size += text_size(spec->args[i]);
	copy = mem_zero(size, 1);
	*copy = *spec;
	copy->nargs = (unsigned)nargs;
	copy->ndisks = ndisks;
	args = (const char **)(copy + 1);
	at = (char *)(args + nargs);
	copy->unit = text_copy(&at, spec->unit);
	copy->identity = text_copy(&at, spec->identity);
	copy->driver = text_copy(&at, spec->driver);
	copy->kernel = text_copy(&at, spec->kernel);
	copy->initrd = text_copy(&at, spec->initrd);
	copy->cmdline = text_copy(&at, spec->cmdline);
	copy->xl = text_copy(&at, spec->xl);
	copy->vif_script = text_copy(&at, spec->vif_script);
	copy->ready_key = text_copy(&at, spec->ready_key);
	for (unsigned i = 0; i < ndisks; i++) {
		copy->disks[i].path = text_copy(&at, spec->disks[i].path);
		copy->disks[i].overlay = text_copy(&at, spec->disks[i].overlay);
	}
	for (size_t i = 0; i < nargs; i++)
		args[i] = text_copy(&at, spec->args[i]);
	copy->args = args;
	return copy;
}
