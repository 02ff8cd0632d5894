/* confine: the system calls of the DNS process once it serves, each with its reason. */
#include <fcntl.h>
#include <seccomp.h>

#include "base/sandbox.h"
#include "dns/server/server.h"

/* Memory, time, locks, the channel, libevent and exit are added by sandbox_filter. */
static const struct sandbox_call calls[] = {
	SANDBOX_CALL(recvmmsg, "UDP queries"),
	SANDBOX_CALL(sendmmsg, "UDP replies"),
	SANDBOX_CALL(accept4, "TCP connections"),
	SANDBOX_CALL(recvfrom, "TCP queries"),
	SANDBOX_CALL_IF(sendto, 4, 0, "TCP replies, which name no address"),
	SANDBOX_CALL_IF(fcntl, 1, F_GET_SEALS, "the seals of a handed-over zimage"),
};

enum err
confine_dns(struct errmsg *m)
{
	return sandbox_filter(calls, sizeof(calls) / sizeof(calls[0]), m);
}
