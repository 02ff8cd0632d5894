/* proto_test: what the daemon answers, read by its client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/control/control.h"

static void
test_responses(void **state)
{
	static const struct {
		const char *line;
		enum err want;
		bool is_event;
	} rows[] = {
		{ "{\"v\":1,\"ok\":true,\"data\":1}", ERR_OK, false },
		{ "{\"v\":1,\"ok\":true}", ERR_OK, false },
		{ "{\"v\":1,\"event\":{}}", ERR_OK, true },
		{ "{\"v\":1,\"ok\":false,\"error\":\"x\"}", ERR_STATE, false },
		{ "{\"v\":1,\"ok\":false,\"error\":\"x\",\"see\":1}", ERR_STATE, false },
		{ "{\"v\":1,\"ok\":false}", ERR_PROTO, false },
		{ "{\"v\":1}", ERR_PROTO, false },
		{ "{\"v\":9,\"ok\":true,\"data\":1}", ERR_UNSUPPORTED, false },
		{ "{\"ok\":true,\"data\":1}", ERR_UNSUPPORTED, false },
		{ "[]", ERR_PROTO, false },
		{ "220 mail.example ESMTP", ERR_PROTO, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *data;
		char *failure;
		bool is_event;
		struct errmsg m;

		assert_int_equal(control_response_parse(rows[i].line, strlen(rows[i].line), &data,
				     &is_event, &failure, &m),
		    rows[i].want);
		assert_int_equal(is_event, rows[i].is_event);
		assert_int_equal(data != NULL, rows[i].want == ERR_OK);
		assert_int_equal(failure != NULL, rows[i].want == ERR_STATE);
		json_decref(data);
		free(failure);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
