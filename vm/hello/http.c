/* http.c: an HTTP/1.1 server of one page */
#include "vm/hello/net.h"

/* "Booted 1.234 seconds ago", filled up: load generators want pages of one length. */
#define BOOTED_CHARS 32

_Static_assert(2 * LIMIT_NAME_CHARS + 300 <= LIMIT_HTTP_REPLY_BYTES / 2,
    "the page fits, whatever the name and address");

static const char *const phrases[] = {
	[HTTP_OK] = "200 OK",
	[HTTP_BAD_REQUEST] = "400 Bad Request",
	[HTTP_NOT_FOUND] = "404 Not Found",
	[HTTP_METHOD_NOT_ALLOWED] = "405 Method Not Allowed",
	[HTTP_URI_TOO_LONG] = "414 URI Too Long",
	[HTTP_FIELDS_TOO_LARGE] = "431 Request Header Fields Too Large",
	[HTTP_VERSION_NOT_SUPPORTED] = "505 HTTP Version Not Supported",
};

void
http_init(struct http *h)
{
	memset(h, 0, offsetof(struct http, line)); /* HTTP_OK is 0 */
}

/* The first failure counts: behind it the request need not be what it seems. */
static void
fail(struct http *h, enum http_status status)
{
	if (h->status == HTTP_OK)
		h->status = status;
}

static bool
is_token_char(char c)
{
	const char *other = "!#$%&'*+-.^_`|~";

	while (*other && *other != c)
		other++;
	return *other || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool
is_token(struct text_word w)
{
	for (size_t i = 0; i < w.len; i++)
		if (!is_token_char(w.at[i]))
			return false;
	return w.len > 0;
}

static bool
is(struct text_word w, const char *s)
{
	return w.len == text_length(s) && memcmp(w.at, s, w.len) == 0;
}

/* The characters up to `end`, which is stepped over. */
static struct text_word
until(struct text_word *rest, char end)
{
	struct text_word w = { rest->at, text_before(*rest, end) };
	size_t step = w.len < rest->len ? w.len + 1 : w.len;

	rest->at += step;
	rest->len -= step;
	return w;
}

static struct text_word
trim(struct text_word w)
{
	while (w.len && (w.at[0] == ' ' || w.at[0] == '\t')) {
		w.at++;
		w.len--;
	}
	while (w.len && (w.at[w.len - 1] == ' ' || w.at[w.len - 1] == '\t'))
		w.len--;
	return w;
}

/* "/" alone, with a query, or after the scheme and authority of an absolute-form. */
static bool
is_page(struct text_word target)
{
	static const char scheme[] = "http://";
	size_t skip = sizeof(scheme) - 1;

	if (target.len > skip && text_is_nocase(target.at, skip, scheme)) {
		while (skip < target.len && target.at[skip] != '/')
			skip++;
		if (skip == target.len)
			return true;
		target.at += skip;
		target.len -= skip;
	}
	return target.at[0] == '/' && (target.len == 1 || target.at[1] == '?');
}

static bool
is_version(struct text_word w)
{
	return w.len == 8 && is((struct text_word){ w.at, 5 }, "HTTP/") && w.at[5] >= '0' &&
	    w.at[5] <= '9' && w.at[6] == '.' && w.at[7] >= '0' && w.at[7] <= '9';
}

static void
request_line(struct http *h)
{
	struct text_word rest = { h->line, h->line_len };
	struct text_word method = until(&rest, ' '), target = until(&rest, ' '), version = rest;
	bool good = is_token(method) && target.len > 0 && is_version(version);

	h->in_fields = true;
	if (h->line_long || !good || version.at[5] != '1') {
		fail(h, h->line_long ? HTTP_URI_TOO_LONG : !good ? HTTP_BAD_REQUEST
		    : HTTP_VERSION_NOT_SUPPORTED);
		return;
	}
	h->version_1_1 = h->keep = version.at[7] != '0';
	h->head = is(method, "HEAD");
	if (!h->head && !is(method, "GET"))
		fail(h, HTTP_METHOD_NOT_ALLOWED);
	else if (!is_page(target))
		fail(h, HTTP_NOT_FOUND);
}

static void
connection_field(struct http *h, struct text_word value)
{
	while (value.len) {
		struct text_word option = trim(until(&value, ','));

		if (text_is_nocase(option.at, option.len, "close"))
			h->keep = false;
		else if (text_is_nocase(option.at, option.len, "keep-alive") && !h->version_1_1)
			h->keep = true;
	}
}

static void
field_line(struct http *h)
{
	struct text_word value = { h->line, h->line_len };
	struct text_word name = until(&value, ':');

	if (!is_token(name) || name.len == h->line_len) {
		fail(h, HTTP_BAD_REQUEST);
		return;
	}
	value = trim(value);
	if (text_is_nocase(name.at, name.len, "connection"))
		connection_field(h, value);
	else if (text_is_nocase(name.at, name.len, "host"))
		h->has_host = true;
	else if (text_is_nocase(name.at, name.len, "transfer-encoding") ||
	    (text_is_nocase(name.at, name.len, "content-length") && !is(value, "0")))
		h->keep = false;
}

static void
page(struct text *t, const struct net *net, const struct tcp_conn *c)
{
	const char *name = net->config->name;
	size_t start;

	text_str(t, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>");
	text_str(t, name);
	text_str(t, "</title>\n<h1>Hello from ");
	text_str(t, name);
	text_str(t, "</h1>\n<p>Address: ");
	addr_text(t, &c->local);
	text_str(t, "\n<p>");
	start = t->len;
	text_str(t, "Booted ");
	text_seconds(t, net->now_ms);
	text_str(t, " seconds ago");
	for (size_t n = t->len - start; n < BOOTED_CHARS; n++)
		text_char(t, ' ');
	text_char(t, '\n');
}

static void
reply(const struct net *net, struct tcp_conn *c)
{
	struct http *h = &c->http;
	bool ok;
	const char *phrase;
	char head[LIMIT_HTTP_REPLY_BYTES / 2], body[LIMIT_HTTP_REPLY_BYTES / 2];
	struct text t = text_init(head, sizeof(head)), b = text_init(body, sizeof(body));

	if (h->version_1_1 && !h->has_host)
		fail(h, HTTP_BAD_REQUEST);
	phrase = phrases[h->status];
	ok = h->status == HTTP_OK;
	h->keep = h->keep && (ok || h->status == HTTP_NOT_FOUND ||
	    h->status == HTTP_METHOD_NOT_ALLOWED);
	if (ok) {
		page(&b, net, c);
	} else {
		text_str(&b, phrase);
		text_char(&b, '\n');
	}
	text_str(&t, "HTTP/1.1 ");
	text_str(&t, phrase);
	text_str(&t, "\r\nContent-Type: ");
	text_str(&t, ok ? "text/html; charset=utf-8" : "text/plain");
	if (h->status == HTTP_METHOD_NOT_ALLOWED)
		text_str(&t, "\r\nAllow: GET, HEAD");
	text_str(&t, "\r\nCache-Control: no-store\r\nContent-Length: ");
	text_dec(&t, b.len, 0, ' ');
	text_str(&t, "\r\nConnection: ");
	text_str(&t, h->keep ? "keep-alive\r\n\r\n" : "close\r\n\r\n");
	tcp_write(c, head, t.len);
	if (!h->head)
		tcp_write(c, body, b.len);
	if (h->keep)
		http_init(h);
	else
		c->closing = true;
}

/* A line is complete; true when it ends the request's head. */
static bool
line_done(struct http *h)
{
	if (h->line_len && h->line[h->line_len - 1] == '\r')
		h->line_len--;
	/* empty lines before a request are ignored (RFC 9112 section 2.2) */
	if (h->line_len == 0 && h->in_fields)
		return true;
	if (h->line_len > 0 && h->in_fields)
		field_line(h);
	else if (h->line_len > 0)
		request_line(h);
	h->line_len = 0;
	h->line_long = false;
	return false;
}

/* Takes one byte; true when a reply is due. */
static bool
take(struct http *h, char c)
{
	if (++h->head_bytes > LIMIT_HTTP_HEAD_BYTES) {
		h->status = HTTP_FIELDS_TOO_LARGE;
		h->keep = false;
		return true;
	}
	if (c == '\n')
		return line_done(h);
	if (c == '\0')
		fail(h, HTTP_BAD_REQUEST);
	if (h->line_len < LIMIT_HTTP_LINE_CHARS)
		h->line[h->line_len++] = c;
	else
		h->line_long = true;
	return false;
}

void
http_run(struct net *net, struct tcp_conn *c)
{
	const uint8_t *bytes;
	size_t n;

	while ((n = tcp_peek(c, &bytes)) > 0) {
		size_t used = 0;

		if (c->closing) {
			c->discarded += (uint32_t)n;
			tcp_consume(c, n);
			continue;
		}
		if (tcp_room(c) < LIMIT_HTTP_REPLY_BYTES)
			return;
		while (used < n)
			if (take(&c->http, (char)bytes[used++])) {
				reply(net, c);
				break;
			}
		tcp_consume(c, used);
	}
	if (tcp_at_end(c))
		c->closing = true;
}
