/* Reads the callbacks of RTMP servers. */
#include "rtmp.h"

#define FIELD_MAX 1024

/* Decodes a form value into call memory. A malformed value counts as absent. */
static gr_str decode(struct gr_call *call, gr_str raw)
{
    char *text = raw.len <= FIELD_MAX ? gr_alloc(call, raw.len + 1) : NULL;
    size_t len = 0;

    if (!text)
        return (gr_str){NULL, 0};
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = raw.ptr[i] == '+' ? ' ' : (unsigned char)raw.ptr[i];

        if (c == '%') {
            if (raw.len - i < 3 || !gr_unhex(call->host, (gr_str){raw.ptr + i + 1, 2}, &c, 1))
                return (gr_str){NULL, 0};
            i += 2;
        }
        if (c < ' ' || c == 0x7f)
            return (gr_str){NULL, 0};
        text[len++] = (char)c;
    }
    return (gr_str){text, len};
}

/* Returns the first value of the field with this name. */
static gr_str form_field(struct gr_call *call, gr_str form, const char *name)
{
    size_t name_len = strlen(name);

    for (size_t at = 0; at < form.len;) {
        const char *start = form.ptr + at;
        const char *end = memchr(start, '&', form.len - at);
        size_t len = end ? (size_t)(end - start) : form.len - at;
        if (len > name_len && start[name_len] == '=' && memcmp(start, name, name_len) == 0)
            return decode(call, (gr_str){start + name_len + 1, len - name_len - 1});
        at += len + 1;
    }
    return (gr_str){NULL, 0};
}

/* Some servers send clientid as a number, others as a string. */
static gr_str json_field(struct gr_call *call, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_integer(value)) {
        const char *text = gr_format(call, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return gr_str_of(text);
    }
    return rig_text(object, name);
}

static gr_str query_field(const struct gr_call *call, const char *name)
{
    gr_str value = {NULL, 0};

    (void)gr_query_at(call, name, 0, &value);
    return value.len <= FIELD_MAX ? value : (gr_str){NULL, 0};
}

enum gr_err rig_notice_read(struct gr_call *call, struct rig_notice *ret_notice)
{
    /* `notify_method get` of nginx-rtmp sends the fields of the form in the query. */
    bool in_query = gr_route_of(call)->method == GR_METHOD_GET;
    bool in_json = !in_query && gr_body_is_json(call);
    const json_t *object = in_json ? gr_parse_json(call, gr_body(call)) : NULL;
    const struct {
        const char *name;
        gr_str *to;
    } fields[] = {
        {"name", &ret_notice->name},
        {"clientid", &ret_notice->client},
        {"addr", &ret_notice->address},
    };

    if (in_json && !json_is_object(object))
        return rig_fail(call, GR_ERR_BAD_JSON, 400, RIG_INVALID, NULL);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        *fields[i].to = in_query  ? query_field(call, fields[i].name)
                        : in_json ? json_field(call, object, fields[i].name)
                                  : form_field(call, gr_body(call), fields[i].name);
    return GR_OK;
}
