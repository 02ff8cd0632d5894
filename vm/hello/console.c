/* console.c: the image's own words, one line each */
#include "vm/hello/limits.h"
#include "vm/hello/machine.h"
#include "vm/hello/text.h"

void
console_line(const char *line)
{
	char whole[LIMIT_LINE_CHARS];
	struct text t = text_init(whole, sizeof(whole) - 2); /* the line end always fits */

	text_str(&t, "hello: ");
	text_str(&t, line);
	t.cap = sizeof(whole);
	text_str(&t, "\r\n");
	machine->print(whole, t.len);
}
