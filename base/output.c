/* output: not a pipe: nobody has to drain a file, and its writer cannot fill memory nor block. */
#include "base/output.h"

#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/memfd.h"

enum err
output_new(int *fd, struct errmsg *m)
{
	return memfd_create_sized("output", LIMIT_OUTPUT, fd, m);
}

size_t
output_read(int fd, char *text, size_t size)
{
	ssize_t n;

	text[0] = '\0';
	if (fd < 0)
		return 0;
	n = pread(fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return strlen(text);     /* the file is zero where nothing was written */
}

void
output_last_line(int fd, char *text, size_t size)
{
	char all[LIMIT_OUTPUT + 1], *line;
	size_t n = output_read(fd, all, sizeof(all));

	while (n > 0 && (all[n - 1] == '\n' || all[n - 1] == '\r' || all[n - 1] == ' '))
		all[--n] = '\0';
	line = strrchr(all, '\n');
	line = line != NULL ? line + 1 : all;
	text_escape(text, size, line, strlen(line));
}
