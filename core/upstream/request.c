#include "upstream/request.h"

#include "base/field.h"
#include "upstream/headers.h"

#define JSON_TYPE "application/json"

bool grc_request_target_good(gr_str target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c > '~' || c == '#')
            return false;
    }
    return target.len > 0 && target.ptr[0] == '/';
}

struct fields {
    grc_request_field_fn *put;
    void *arg;
    enum gr_err err;
};

static void put_checked(struct fields *fields, gr_str name, const char *prefix, gr_str value)
{
    if (fields->err != GR_OK)
        return;
    if (!grc_field_token(name) || !grc_header_value_good(value))
        fields->err = GR_ERR_INTERNAL;
    else
        fields->err = fields->put(fields->arg, name, prefix, value);
}

enum gr_err grc_request_fields(const struct grc_exchange *exchange, bool with_token,
                               grc_request_field_fn *put, void *arg)
{
    struct fields fields = {.put = put, .arg = arg, .err = GR_OK};
    gr_str type = exchange->content_type ? gr_str_of(exchange->content_type) : GR_STR(JSON_TYPE);
    bool own_authorization = !with_token && !exchange->bearer;

    if (exchange->request_id)
        put_checked(&fields, GR_STR("X-Request-Id"), "", gr_str_of(exchange->request_id));
    if (exchange->traceparent)
        put_checked(&fields, GR_STR("traceparent"), "", gr_str_of(exchange->traceparent));
    if (exchange->traceparent && exchange->tracestate.len)
        put_checked(&fields, GR_STR("tracestate"), "", exchange->tracestate);
    put_checked(&fields, GR_STR("Content-Type"), "", type);
    if (exchange->bearer)
        put_checked(&fields, GR_STR("Authorization"), "Bearer ", gr_str_of(exchange->bearer));
    for (size_t i = 0; i < exchange->header_count; i++) {
        const struct gr_pair *pair = &exchange->headers[i];
        if (grc_header_outgoing(pair->name, own_authorization))
            put_checked(&fields, pair->name, "", pair->value);
    }
    return fields.err;
}

bool grc_request_has_length(const struct grc_exchange *exchange)
{
    return exchange->has_body ||
           (exchange->method != GR_METHOD_GET && exchange->method != GR_METHOD_DELETE);
}
