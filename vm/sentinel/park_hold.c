/*
 * park_hold: frames that are kept for units, within bounds: of each unit the oldest go, and of all
 * the oldest of the unit that has most.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "vm/sentinel/park_impl.h"

#define ETHER_MOST 9014        /* a jumbo frame; a longer is one that a device is to cut */

/* Where the unit stands among those that hold. */
static void
full_set(struct park_set *set, struct park_unit *u, bool was)
{
	unsigned at = (unsigned)(u->held_bytes / FULL_STEP);

	if (was && u->nheld > 0 && at == u->full_at)
		return;
	if (was)
		TAILQ_REMOVE(&set->full[u->full_at], u, fullness);
	if (u->nheld > 0)
		TAILQ_INSERT_TAIL(&set->full[at], u, fullness);
	u->full_at = at;
}

static void
count(struct park_set *set, struct park_unit *u, const struct held *h, bool more)
{
	size_t bytes = sizeof(*h) + h->len;
	bool was = u->nheld > 0;

	if (more) {
		u->nheld++;
		set->held++;
		u->held_bytes += bytes;
		set->held_bytes += bytes;
	} else {
		u->nheld--;
		set->held--;
		u->held_bytes -= bytes;
		set->held_bytes -= bytes;
	}
	full_set(set, u, was);
}

void
park_hold_free(struct park_set *set, struct park_unit *u, struct held *h)
{
	TAILQ_REMOVE(&u->held, h, entry);
	count(set, u, h, false);
	free(h);
}

void
park_hold_clear(struct park_set *set, struct park_unit *u)
{
	struct held *h;

	while ((h = TAILQ_FIRST(&u->held)) != NULL)
		park_hold_free(set, u, h);
}

/* Does the frame say what that one said? */
static bool
same_packet(const struct packet *a, const struct packet *b)
{
	return a->kind == b->kind && a->kind != PACKET_DATAGRAM && a->port == b->port &&
	    a->peer_port == b->peer_port && (a->kind == PACKET_SYN || a->seq == b->seq) &&
	    addr_cmp(&a->peer, &b->peer) == 0 && addr_cmp(&a->own, &b->own) == 0;
}

static struct park_unit *
fullest(struct park_set *set)
{
	for (size_t i = FULL_STEPS; i-- > 0;)
		if (!TAILQ_EMPTY(&set->full[i]))
			return TAILQ_FIRST(&set->full[i]);
	return NULL;
}

/* Makes room for a frame of the unit. */
static void
room_make(struct park_set *set, struct park_unit *u, size_t bytes)
{
	struct park_unit *most;

	while (u->nheld >= LIMIT_HELD_FRAMES || u->held_bytes + bytes > LIMIT_HELD_UNIT_BYTES)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it leaves the list */
		park_hold_free(set, u, TAILQ_FIRST(&u->held));
	while (set->held_bytes + bytes > LIMIT_HELD_BYTES && (most = fullest(set)) != NULL) {
		park_hold_free(set, most, TAILQ_FIRST(&most->held));
		if (most != u)
			park_due_set(set, most);
	}
}

/* Is the header one that belongs to such a frame?  Then *h becomes what the kernel takes back. */
static bool
header_clean(struct virtio_net_hdr *h, const struct frame *f, size_t len)
{
	uint8_t gso = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	bool tcp = f->kind == FRAME_TCP;

	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (h->flags == 0)
		h->csum_start = h->csum_offset = 0;
	else if (h->csum_start != f->upper_at ||
	    (!tcp && f->kind != FRAME_UDP && f->kind != FRAME_DHCP) ||
	    h->csum_offset != (tcp ? FRAME_TCP_SUM : FRAME_UDP_SUM))
		return false;
	if (gso != VIRTIO_NET_HDR_GSO_NONE)
		return tcp && h->flags != 0 && h->hdr_len <= len && h->gso_size > 0 &&
		    gso == (f->src.family == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
		    : VIRTIO_NET_HDR_GSO_TCPV6) && f->upper_at + 20u + h->gso_size <= ETHER_MOST;
	h->gso_type = VIRTIO_NET_HDR_GSO_NONE;
	h->hdr_len = h->gso_size = 0;
	return len <= ETHER_MOST;
}

struct held *
park_hold_add(struct park_set *set, struct park_unit *u, const struct packet *p,
    const struct frame *f, const uint8_t *frame, size_t len)
{
	struct virtio_net_hdr header;
	struct held *h, *before, *next;
	size_t bytes = sizeof(*h) + len;

	memcpy(&header, frame, sizeof(header));
	if (bytes > LIMIT_HELD_UNIT_BYTES || !header_clean(&header, f, len - PARK_HEADER))
		return NULL;
	for (before = TAILQ_FIRST(&u->held); before != NULL; before = next) {
		next = TAILQ_NEXT(before, entry);
		if (same_packet(&before->packet, p))
			park_hold_free(set, u, before);
	}
	room_make(set, u, bytes);
	h = malloc(bytes);
	if (h == NULL)
		return NULL;
	*h = (struct held){ .packet = *p, .interval_ns = PARK_GIVE_NS, .len = len };
	memcpy(h->data, frame, len);
	memcpy(h->data, &header, sizeof(header));
	TAILQ_INSERT_TAIL(&u->held, h, entry);
	count(set, u, h, true);
	return h;
}
