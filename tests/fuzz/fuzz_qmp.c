/* fuzz_qmp: what a QEMU that its guest took over sends, in pieces whose size is the first byte. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "vm/qemu/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errmsg m;
	struct qmp q;
	size_t step;

	if (size < 2)
		return 0;
	step = data[0] + 1u;
	qmp_init(&q);
	q.state = (data[1] & 1) != 0 ? QMP_GREETING : QMP_READY;
	q.id = data[1] >> 1;
	data += 2;
	size -= 2;
	while (size > 0) {
		size_t n = size < step ? size : step;

		if (qmp_feed(&q, (const char *)data, n, &m) != ERR_OK) {
			if (m.text[0] == '\0')
				abort();
			break;
		}
		if (q.len > LIMIT_QMP_LINE || q.state > QMP_READY)
			abort();
		for (const char *p = q.reason; *p != '\0'; p++)
			if ((*p < 'a' || *p > 'z') && *p != '-')
				abort();
		data += n;
		size -= n;
	}
	qmp_clear(&q);
	return 0;
}
