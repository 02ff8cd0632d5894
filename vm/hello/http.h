/*
 * http.h: an HTTP/1.1 server of one page (RFC 9110, RFC 9112)
 *
 * GET and HEAD of "/" give the page; the rest is 400, 404, 405, 414, 431 or 505. Requests may be
 * pipelined and come in any pieces: they are parsed byte by byte, and only while the reply is sure
 * to fit. Bodies are not read: a request with one is the last.
 */
#ifndef HELLO_HTTP_H
#define HELLO_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/hello/limits.h"

struct net;
struct tcp_conn;

enum http_status { HTTP_OK, HTTP_BAD_REQUEST, HTTP_NOT_FOUND, HTTP_METHOD_NOT_ALLOWED,
    HTTP_URI_TOO_LONG, HTTP_FIELDS_TOO_LARGE, HTTP_VERSION_NOT_SUPPORTED };

/* The request being read. */
struct http {
	enum http_status status; /* as far as it is known */
	uint32_t head_bytes;
	bool in_fields; /* the request line is complete */
	bool head;      /* the method is HEAD: no body in the reply */
	bool version_1_1;
	bool has_host;
	bool keep;      /* the connection outlives the reply */
	bool line_long; /* the line was cut off */
	uint16_t line_len;
	char line[LIMIT_HTTP_LINE_CHARS];
};

void http_init(struct http *h);
/* Reads what has come, writes the replies that there is room for; closes what is done. */
void http_run(struct net *net, struct tcp_conn *c);

#endif
