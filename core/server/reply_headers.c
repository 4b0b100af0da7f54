/* Headers that the gateway adds to a reply. */
#include "server/steps.h"

#include <stdio.h>

bool grc_reply_add(struct grc_call *call, const char *name, gr_str value)
{
    struct grc_reply *reply = call->reply;

    if (reply->header_count == sizeof(reply->headers) / sizeof(reply->headers[0]))
        return false;
    reply->headers[reply->header_count++] = (struct gr_pair){gr_str_of(name), value};
    return true;
}

enum gr_err grc_reply_add_made(struct grc_call *call, const char *name, gr_str value)
{
    if (!value.ptr)
        return grc_fail(call, GR_ERR_NO_MEMORY, "no memory for the header %s", name);
    grc_reply_add(call, name, value);
    return GR_OK;
}

gr_str grc_allow_text(struct grc_call *call)
{
    static const struct {
        enum gr_method method;
        const char *text;
    } names[] = {{GR_METHOD_GET, "GET, HEAD, "},
                 {GR_METHOD_POST, "POST, "},
                 {GR_METHOD_PUT, "PUT, "},
                 {GR_METHOD_PATCH, "PATCH, "},
                 {GR_METHOD_DELETE, "DELETE, "}};
    char text[64] = "";
    size_t len = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (call->match.allowed & (1u << names[i].method))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", names[i].text);
    }
    return gr_str_of(grc_arena_format(&call->arena, "%sOPTIONS", text));
}
