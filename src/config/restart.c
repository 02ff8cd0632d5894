/* print: a configuration as text that loads to the same, and what two configurations differ in. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config/config.h"
#include "src/config/impl.h"

static uint64_t
load_number(const struct config_option *o, const void *field)
{
	switch (o->type) {
	case OPTION_BOOL:
		return *(const bool *)field;
	case OPTION_DURATION:
		return (o->flags & OPTION_AUTO) != 0 && *(const uint32_t *)field == OPTION_AUTO_32 ? OPTION_AUTO_64 : *(const uint32_t *)field;
	case OPTION_SIZE:
		return *(const uint64_t *)field;
	default:
		return (o->flags & OPTION_AUTO) != 0 && *(const unsigned *)field == OPTION_AUTO_32 ? OPTION_AUTO_64 : *(const unsigned *)field;
	}
}

/* Quoted as libconfuse reads it: `\`, `"` and `$` (which would begin ${x}) escaped. */
static void
print_text(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text != '\0'; text++) {
		if (strchr("\\\"$", *text) != NULL)
			fputc('\\', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

static void
print_list(FILE *f, const struct config_list *list)
{
	fputc('{', f);
	for (unsigned i = 0; i < list->n; i++) {
		fputs(i == 0 ? " " : ", ", f);
		print_text(f, list->items[i]);
	}
	fputs(" }", f);
}

static void
print_options(FILE *f, enum option_section section, const void *base, const char *indent)
{
	for (unsigned i = 0; i < options_count; i++) {
		const struct config_option *o = &options[i];
		const void *field = (const char *)base + o->offset;
		char text[64];

		if (o->section != section || ((o->flags & OPTION_LIST) == 0 && o->type > OPTION_PERCENT && *(const char *const *)field == NULL))
			continue;
		fprintf(f, "%s%s = ", indent, o->name);
		if ((o->flags & OPTION_LIST) != 0) {
			print_list(f, field);
		} else if (o->type > OPTION_PERCENT) {
			print_text(f, *(const char *const *)field);
		} else {
			option_format(o, load_number(o, field), text, sizeof(text));
			print_text(f, text);
		}
		fputc('\n', f);
	}
}

static void
print_section(FILE *f, enum option_section section, const char *title, const void *base)
{
	fprintf(f, "\n%s ", option_section_name(section));
	if (title != NULL) {
		print_text(f, title);
		fputc(' ', f);
	}
	fputs("{\n", f);
	print_options(f, section, base, "\t");
	fputs("}\n", f);
}

void
config_print(const struct config *conf, FILE *f)
{
	print_options(f, OPTION_TOP, conf, "");
	print_section(f, OPTION_LIMITS, NULL, &conf->limits);
	for (unsigned i = 0; i < conf->nnetworks; i++)
		print_section(f, OPTION_NETWORK, conf->networks[i].name, &conf->networks[i]);
	for (unsigned i = 0; i < conf->nsections; i++)
		print_section(f, OPTION_ZONE, conf->sections[i].origin, &conf->sections[i]);
	for (unsigned i = 0; i < conf->nimages; i++)
		print_section(f, OPTION_IMAGE, conf->images[i].name, &conf->images[i]);
}

static bool
lists_equal(const struct config_list *a, const struct config_list *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

static bool
options_equal(const struct config_option *o, const void *a, const void *b)
{
	const char *x, *y;

	if ((o->flags & OPTION_LIST) != 0)
		return lists_equal(a, b);
	if (o->type <= OPTION_PERCENT)
		return load_number(o, a) == load_number(o, b);
	x = *(const char *const *)a;
	y = *(const char *const *)b;
	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

bool
config_needs_restart(const struct config *old, const struct config *fresh, struct report *r)
{
	bool any = false;

	for (unsigned i = 0; i < options_count; i++) {
		const struct config_option *o = &options[i];
		const char *a = o->section == OPTION_TOP ? (const char *)old : (const char *)&old->limits;
		const char *b = o->section == OPTION_TOP ? (const char *)fresh : (const char *)&fresh->limits;
		const unsigned *lines = o->section == OPTION_TOP ? fresh->lines : fresh->limits_lines;

		if ((o->flags & OPTION_RESTART) == 0 || options_equal(o, a + o->offset, b + o->offset))
			continue;
		any = true;
		(void)report_add(r, fresh->path, lines[option_row(o)], "%s%s%s: the new value takes effect when jitsud is restarted",
		    option_section_name(o->section), o->section == OPTION_TOP ? "" : ".", o->name);   /* always ERR_PARSE */
	}
	return any;
}

/* Paths with placeholders differ from unit to unit and are left to the wake. */
static bool
check_file(const struct config *conf, const struct config_image *im, const char *key, const char *path, unsigned line, struct report *r)
{
	struct stat st;

	if (path == NULL || strchr(path, '{') != NULL)
		return true;
	if (stat(path, &st) == -1 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == -1)
		return report_add(r, conf->path, line, "image \"%s\": %s \"%s\" cannot be read: %s", im->name, key, path, strerror(errno)) == ERR_OK;
	if (S_ISDIR(st.st_mode))
		return report_add(r, conf->path, line, "image \"%s\": %s \"%s\" is a directory; a file is needed", im->name, key, path) == ERR_OK;
	return true;
}

void
config_check_xl(const struct config *conf, struct report *r)
{
	for (unsigned i = 0; i < conf->nimages; i++)
		if (conf->images[i].xl != NULL && strcmp(conf->images[i].driver_name, "xen") == 0)
			vm_xl_check(conf->images[i].xl, r);
}

enum err
config_check_files(const struct config *conf, struct report *r)
{
	bool good = true;

	for (unsigned i = 0; i < conf->nimages; i++) {
		const struct config_image *im = &conf->images[i];
		unsigned kernel = option_row(option_find(OPTION_IMAGE, "kernel", 6)), initrd = option_row(option_find(OPTION_IMAGE, "initrd", 6));

		good = check_file(conf, im, "kernel", im->kernel, im->lines[kernel], r) && good;
		good = check_file(conf, im, "initrd", im->initrd, im->lines[initrd], r) && good;
		for (unsigned d = 0; d < im->ndisks; d++)
			good = check_file(conf, im, "disk", im->disks[d].path, im->disks[d].line, r) && good;
	}
	return good ? ERR_OK : ERR_PARSE;
}
