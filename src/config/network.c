/* network: networks and what they must not do to each other. */
#include <string.h>

#include "src/config/config.h"
#include "src/config/impl.h"

/* The subnet that holds `a`, or NULL. */
static const struct msg_addr *
subnet_of(const struct config_network *net, const struct msg_addr *a)
{
	for (unsigned i = 0; i < net->nsubnets; i++)
		if (addr_in_prefix(a, &net->subnets[i]))
			return &net->subnets[i];
	return NULL;
}

static void
parse_lists(struct config_loader *l, struct config_network *net)
{
	net->subnets = arena_array(&l->arena, net->subnets_text.n, sizeof(*net->subnets));
	net->gateways = arena_array(&l->arena, net->gateway_text.n, sizeof(*net->gateways));
	net->probes = arena_array(&l->arena, net->probe_text.n, sizeof(*net->probes));
	net->units = arena_array(&l->arena, net->units_text.n, sizeof(*net->units));
	/* The texts were checked when they were read. */
	for (unsigned i = 0; i < net->subnets_text.n; i++)
		net->nsubnets += addr_parse_prefix(
		    net->subnets_text.items[i], &net->subnets[net->nsubnets]);
	for (unsigned i = 0; i < net->gateway_text.n; i++)
		net->ngateways += addr_parse(
		    net->gateway_text.items[i], &net->gateways[net->ngateways]);
	for (unsigned i = 0; i < net->probe_text.n; i++)
		net->nprobes += addr_parse(net->probe_text.items[i], &net->probes[net->nprobes]);
	for (unsigned i = 0; i < net->units_text.n; i++)
		net->nunits += addr_parse_range(net->units_text.items[i], &net->units[net->nunits]);
}

/* Gateways or probe sources: each inside a subnet, outside `units`, and at most one per subnet. */
static void
check_hosts(struct config_loader *l, const struct config_network *net, const char *key,
    struct msg_addr *addrs, unsigned n, const struct config_list *text)
{
	for (unsigned i = 0; i < n; i++) {
		const struct msg_addr *subnet = subnet_of(net, &addrs[i]);

		if (subnet == NULL) {
			config_found(l, text->lines[i],
			    "%s: \"%s\" is in none of the subnets of network \"%s\"", key,
			    text->items[i], net->name);
			continue;
		}
		addrs[i].prefixlen = subnet->prefixlen;
		for (unsigned j = 0; j < i; j++)
			if (addr_in_prefix(&addrs[j], subnet))
				config_found(l, text->lines[i],
				    "%s: \"%s\" and \"%s\" are in the same subnet; one is accepted",
				    key, text->items[j], text->items[i]);
		for (unsigned j = 0; j < net->nunits; j++)
			if (addr_in_range(&addrs[i], &net->units[j]))
				config_found(l, text->lines[i],
				    "%s: \"%s\" is inside \"%s\" of units; units must leave it out",
				    key, text->items[i], net->units_text.items[j]);
	}
}

static void
check_units(struct config_loader *l, const struct config_network *net)
{
	const struct config_list *text = &net->units_text;

	for (unsigned i = 0; i < net->nunits; i++) {
		const struct msg_addr *subnet = subnet_of(net, &net->units[i].first);

		if (subnet == NULL || !addr_in_prefix(&net->units[i].last, subnet))
			config_found(l, text->lines[i],
			    "units: \"%s\" is not inside one of the subnets of network \"%s\"",
			    text->items[i], net->name);
		for (unsigned j = 0; j < i; j++)
			if (addr_ranges_overlap(&net->units[i], &net->units[j]))
				config_found(l, text->lines[i], "units: \"%s\" overlaps \"%s\"",
				    text->items[i], text->items[j]);
	}
}

static void
check_subnets(struct config_loader *l, unsigned index)
{
	const struct config_network *net = &l->conf->networks[index];

	for (unsigned i = 0; i < net->nsubnets; i++) {
		struct addr_range mine, other;

		addr_prefix_range(&net->subnets[i], &mine);
		for (unsigned n = 0; n <= index; n++) {
			const struct config_network *with = &l->conf->networks[n];

			for (unsigned j = 0; j < (n == index ? i : with->nsubnets); j++) {
				addr_prefix_range(&with->subnets[j], &other);
				if (addr_ranges_overlap(&mine, &other))
					config_found(l, net->subnets_text.lines[i],
					    "subnets: \"%s\" overlaps \"%s\" of network \"%s\"",
					    net->subnets_text.items[i], with->subnets_text.items[j],
					    with->name);
			}
		}
	}
}

static void
check_bridge(struct config_loader *l, const struct config_raw *raw, unsigned index)
{
	const struct config_network *net = &l->conf->networks[index];

	for (unsigned i = 0; i < index && net->bridge != NULL; i++) {
		const struct config_network *other = &l->conf->networks[i];

		if (other->bridge != NULL && strcmp(other->bridge, net->bridge) == 0)
			config_found(l, config_line(raw, "bridge"),
			    "bridge: \"%s\" is network \"%s\" already; put all its subnets there",
			    net->bridge, other->name);
	}
}

static void
build_network(struct config_loader *l, struct config_raw *raw)
{
	struct config_network *net = &l->conf->networks[l->conf->nnetworks];

	net->name = raw->title;
	net->line = raw->line;
	net->index = l->conf->nnetworks++;
	config_check_title(l, raw);
	config_store(l, raw, OPTION_NETWORK, net, NULL);
	parse_lists(l, net);
	if (raw->bad)
		return;
	check_bridge(l, raw, net->index);
	check_subnets(l, net->index);
	check_units(l, net);
	check_hosts(l, net, "gateway", net->gateways, net->ngateways, &net->gateway_text);
	check_hosts(l, net, "probe", net->probes, net->nprobes, &net->probe_text);
}

void
config_build_networks(struct config_loader *l)
{
	unsigned n = config_count(l, OPTION_NETWORK);

	l->conf->networks = arena_array(&l->arena, n, sizeof(*l->conf->networks));
	for (struct config_raw *raw = l->raws; raw != NULL; raw = raw->next) {
		if (raw->section != OPTION_NETWORK)
			continue;
		if (l->conf->nnetworks == LIMIT_NETWORKS) {
			config_found(l, raw->line,
			    "network \"%s\": at most %d networks are accepted", raw->title,
			    LIMIT_NETWORKS);
			return;
		}
		build_network(l, raw);
	}
}

const struct config_network *
config_network_find(const struct config *conf, const char *name)
{
	for (unsigned i = 0; i < conf->nnetworks; i++)
		if (strcmp(conf->networks[i].name, name) == 0)
			return &conf->networks[i];
	return NULL;
}
