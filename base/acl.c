/* acl: read from the extended attribute, as the kernel shows it. */
#include "base/acl.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <sys/xattr.h>

#define ATTRIBUTE "system.posix_acl_access"
#define OWN_ENTRIES 4              /* owner, group, mask, others */

_Static_assert(ACL_MAY_SEARCH == ACL_EXECUTE && ACL_MAY_WRITE == ACL_WRITE &&
    ACL_MAY_READ == ACL_READ && ACL_MAY_READ == S_IROTH, "one set of bits");

struct text {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e[LIMIT_ACL + OWN_ENTRIES];
};

/* The number of entries; 0: none; -1: it cannot be told. */
static int
text_get(int fd, struct text *t)
{
	char path[32];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);   /* fits */
	n = getxattr(path, ATTRIBUTE, t, sizeof(*t));
	if (n < 0)
		return errno == ENODATA || errno == ENOTSUP ? 0 : -1;
	if ((size_t)n < sizeof(t->head) || le32toh(t->head.a_version) != POSIX_ACL_XATTR_VERSION)
		return -1;
	return (int)(((size_t)n - sizeof(t->head)) / sizeof(t->e[0]));
}

static void
entry_add(struct acl *a, bool is_group, const struct posix_acl_xattr_entry *e)
{
	if (a->n < LIMIT_ACL)
		a->at[a->n++] = (struct acl_entry){ .is_group = is_group, .id = le32toh(e->e_id),
			.may = le16toh(e->e_perm) };
	else
		a->unknown = true;
}

void
acl_get(struct acl *a, int fd, const struct stat *st)
{
	unsigned mask = ACL_READ | ACL_WRITE | ACL_EXECUTE;
	struct text t;
	int n = text_get(fd, &t);

	*a = (struct acl){ .group = (st->st_mode & S_IRWXG) >> 3, .unknown = n < 0 };
	for (int i = 0; i < n; i++) {
		switch (le16toh(t.e[i].e_tag)) {
		case ACL_USER:
			entry_add(a, false, &t.e[i]);
			break;
		case ACL_GROUP:
			entry_add(a, true, &t.e[i]);
			break;
		case ACL_GROUP_OBJ:
			a->group = le16toh(t.e[i].e_perm);
			break;
		case ACL_MASK:
			mask = le16toh(t.e[i].e_perm);
			break;
		default:   /* the owner and all others */
			break;
		}
	}
	a->group &= mask;
	for (unsigned i = 0; i < a->n; i++)
		a->at[i].may &= mask;
}
