/*
 * loss: a configuration that has lost most of what it had.
 *
 * A file that is written in place, or onto a full disk, is there in part for a while; and a part of
 * a configuration is often a configuration.  Loading that would stop every VM of what is missing.
 */
#include <string.h>

#include "src/config/config.h"

#define IF_MEANT "; if that is meant, `jitsu reload --force` does it"

/* What `fresh` has no more. */
struct loss {
	unsigned zones, networks, images;
};

static struct loss
compare(const struct config *old, const struct config *fresh)
{
	struct loss n = { 0 };

	for (unsigned i = 0; i < old->nzones; i++)
		n.zones += config_zone_find(fresh, old->zones[i].origin) == NULL;
	for (unsigned i = 0; i < old->nnetworks; i++)
		n.networks += config_network_find(fresh, old->networks[i].name) == NULL;
	for (unsigned i = 0; i < old->nimages; i++)
		n.images += config_image_find(fresh, old->images[i].name) == NULL;
	return n;
}

/* Is there anything behind the last line's end? */
static bool
ends_within_a_line(const struct config *c)
{
	return c->text_len > 0 && c->text[c->text_len - 1] != '\n';
}

enum err
config_check_loss(const struct config *old, const struct config *fresh, struct report *r)
{
	struct loss n = compare(old, fresh);
	bool shorter = fresh->text_len < old->text_len;

	if (fresh->nzones == 0 && old->nzones > 0)
		return report_add(r, fresh->path, 0,
		    "it has no zone, so that all that are served, which are %u, would be "
		    "dropped" IF_MEANT, old->nzones);
	if (old->nzones >= LIMIT_LOSS_ZONES && fresh->nzones < old->nzones / 2)
		return report_add(r, fresh->path, 0,
		    "it has %u of the %u zones that are served, the others would be "
		    "dropped" IF_MEANT, fresh->nzones, old->nzones);
	if (n.zones + n.networks + n.images == 0)
		return ERR_OK;
	if (ends_within_a_line(fresh) && !ends_within_a_line(old))
		return report_add(r, fresh->path, 0,
		    "it ends within a line, and %u zones, %u networks and %u images are missing "
		    "that are there now: it seems to be cut short" IF_MEANT,
		    n.zones, n.networks, n.images);
	/* Who deletes sections by hand rarely deletes all of one kind and nothing before. */
	if (shorter && memcmp(old->text, fresh->text, fresh->text_len) == 0 &&
	    ((fresh->nnetworks == 0 && n.networks > 0) || (fresh->nimages == 0 && n.images > 0)))
		return report_add(r, fresh->path, 0,
		    "it is the beginning of what is loaded, and all %u networks and %u images that "
		    "are missing stand behind: it seems to be cut short" IF_MEANT,
		    n.networks, n.images);
	return ERR_OK;
}
