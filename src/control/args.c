/* args: what requests name. */
#include "src/control/control.h"

#include <string.h>

enum err
control_name_normalize(const char *in, char out[LIMIT_NAME_TEXT], struct errmsg *m)
{
	size_t len = strlen(in);

	if (len > 1 && in[len - 1] == '.')
		len--;
	if (len == 0)
		return err_set(m, ERR_PARSE, "a name is missing, such as www.example.test");
	if (len >= LIMIT_NAME_TEXT)
		return err_set(
		    m, ERR_PARSE, "a name of %zu characters is too long for a domain name", len);
	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)in[i];

		if (ch <= 0x20 || ch >= 0x7f)
			return err_set(m, ERR_PARSE,
			    "\"%.64s\" is no unit's name: letters, digits, `-`, `_` and dots are",
			    in);
		out[i] = (char)(ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch);
	}
	out[len] = '\0';
	return ERR_OK;
}

bool
control_arg_name(
    struct control_request *req, const json_t *args, bool need, char name[LIMIT_NAME_TEXT])
{
	const json_t *value = json_object_get(args, "name");
	struct errmsg m;

	name[0] = '\0';
	if (value == NULL || json_is_null(value)) {
		if (need)
			control_fail(req, "the request has no \"name\"");
		return !need;
	}
	if (!json_is_string(value)) {
		control_fail(req, "the request's \"name\" must be a string");
		return false;
	}
	if (control_name_normalize(json_string_value(value), name, &m) == ERR_OK)
		return true;
	control_fail(req, "%s", m.text);
	return false;
}
