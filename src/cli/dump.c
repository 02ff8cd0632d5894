/* dump: `jitsu dump`: prints a zone out of the image that the daemon hands over. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dns/dns.h"
#include "src/cli/cli.h"

static int
print_json(json_t *data, int fd, uint32_t index)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct errmsg m;
	enum err e;
	int status = CLI_FAILED;

	if (f == NULL)
		return cli_fail("out of memory");
	e = dns_zimage_print(fd, index, f, &m);
	if (fclose(f) != 0)
		e = err_set(&m, ERR_NOMEM, "out of memory");
	if (e != ERR_OK)
		status = cli_fail("%s", m.text);
	else if (json_object_del(data, "index") != 0 ||
	    json_object_set_new(data, "text", json_stringn(text, len)) != 0)
		status = cli_fail("the zone cannot be shown as JSON: out of memory, or a text in "
		    "it is no UTF-8");
	else {
		cli_json(data, false);
		status = CLI_OK;
	}
	free(text);
	return status;
}

int
cli_dump(const struct cli *cli)
{
	struct cli_client *client = NULL;
	json_t *request = cli_request(cli), *data = NULL;
	int fd = -1, status = CLI_FAILED;
	json_int_t index;
	struct errmsg m;

	if (request == NULL)
		return CLI_FAILED;
	client = cli_client_ask(cli, request);
	if (client == NULL || (data = cli_client_next_fd(client, &fd)) == NULL)
		goto out;
	if (fd < 0 || json_unpack(data, "{s:I}", "index", &index) != 0 || index < 0 ||
	    index > UINT32_MAX)
		status = cli_other_version(cli);
	else if (cli->json)
		status = print_json(data, fd, (uint32_t)index);
	else if (dns_zimage_print(fd, (uint32_t)index, stdout, &m) != ERR_OK)
		status = cli_fail("%s", m.text);
	else
		status = cli_flush();
out:
	if (fd >= 0)
		close(fd);
	json_decref(data);
	cli_client_free(client);
	return status;
}
