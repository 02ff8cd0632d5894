/*
 * mapping_kept: image sections that a configuration has lost, for zones that keep old contents.
 *
 * Their texts are of the configuration that had them, which is held; networks are of the new one.
 */
#include <string.h>

#include "src/units/mapping_impl.h"

static const struct mapping_kept *
find(const struct mapping_set *set, const char *name)
{
	const struct mapping_kept *k = set->kept;

	while (k != NULL && strcmp(k->image.name, name) != 0)
		k = k->next;
	return k;
}

/* Its networks under the names that they had; false: one is gone too. */
static bool
move_networks(struct mapping_set *set, struct config_image *im)
{
	const struct config_network **nics = arena_array(&set->arena, im->nnics, sizeof(*nics));

	im->network = config_network_find(set->conf, im->network->name);
	if (im->network == NULL)
		return false;
	for (unsigned i = 0; i < im->nnics; i++)
		if ((nics[i] = config_network_find(set->conf, im->nics[i]->name)) == NULL)
			return false;
	im->nics = nics;
	return true;
}

const struct config_image *
mapping_image_keep(struct mapping_set *set, const char *name)
{
	const struct mapping_kept *here = find(set, name);
	const struct mapping_kept *there = here == NULL ? find(set->before, name) : NULL;
	const struct config_image *im = there != NULL ? &there->image :
	    config_image_find(set->before->conf, name);
	struct mapping_kept *k;

	if (here != NULL)
		return &here->image;
	if (im == NULL)
		return NULL;
	k = arena_alloc(&set->arena, sizeof(*k));
	k->image = *im;
	if (!move_networks(set, &k->image))
		return NULL;
	k->owner = config_ref(there != NULL ? there->owner : set->before->conf);
	k->next = set->kept;
	set->kept = k;
	return &k->image;
}

void
mapping_kept_clear(struct mapping_set *set)
{
	for (; set->kept != NULL; set->kept = set->kept->next)
		config_free(set->kept->owner);
}
