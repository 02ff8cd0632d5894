/*
 * config.h: what the kernel command line tells the image
 *
 *   name=NAME ip=ADDRESS/LEN gw=ADDRESS [ip=ADDRESS6/LEN gw=ADDRESS6] [delay=MS] [crash=MS]
 *
 * Words that are not ours are skipped: QEMU and boot loaders add some. A value of ours that cannot
 * be read is reported and left out; what remains is used. An empty value counts as absent, since
 * one template serves units of either family.
 */
#ifndef HELLO_CONFIG_H
#define HELLO_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/hello/addr.h"
#include "vm/hello/limits.h"

enum config_family { CONFIG_V4, CONFIG_V6, CONFIG_FAMILIES };

struct config {
	char name[LIMIT_NAME_CHARS + 1]; /* letters, digits, '-', '_', '.'; "hello" by default */
	struct addr address[CONFIG_FAMILIES]; /* all zero when absent, as the next two */
	uint8_t prefix_len[CONFIG_FAMILIES];
	struct addr gateway[CONFIG_FAMILIES]; /* only reported: replies go back as requests came */
	uint32_t delay_ms;                    /* from boot until the port opens */
	uint32_t crash_ms;                    /* from boot until the image dies, if it is to */
	bool crash;
};

/* Reads the line; each complaint, a sentence without a line end, goes to `complain`. */
void config_parse(struct config *config, const char *line, void (*complain)(void *, const char *),
    void *arg);

#endif
