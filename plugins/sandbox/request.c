/* Functions that read a request. See sandbox.h. */
#include "sandbox.h"

#include <stdlib.h>

int64_t sb_query_int(struct gr_call *call, const char *name, int64_t fallback)
{
    gr_str value = gr_query(call, name);

    return value.len ? strtoll(value.ptr, NULL, 10) : fallback;
}

const char *sb_local_path(struct gr_call *call)
{
    const struct gr_route *route = gr_route_of(call);
    gr_str path = gr_path(call);
    char *copy = gr_copy(call, path);
    size_t segments = 0;
    size_t at;

    if (!copy || !route)
        return NULL;
    for (const char *c = route->path; *c; c++)
        segments += *c == '/';
    for (at = path.len; at > 1 && copy[at - 1] == '/'; at--)
        ; /* ignore trailing slashes */
    while (at > 0) {
        at--;
        if (copy[at] == '/' && --segments == 0)
            break;
    }
    return copy + at;
}

void sb_note_base_url(struct gr_call *call, struct sandbox *sb)
{
    json_t *meta = json_object_get(sb->root, "meta");
    gr_str host = gr_header(call, "Host");
    gr_str path = gr_path(call);
    const char *local = sb_local_path(call);
    size_t length = local ? strlen(local) : path.len;
    const char *base = gr_format(call, "http://%.*s%.*s", (int)host.len, host.ptr,
                                 (int)(path.len > length ? path.len - length : 0), path.ptr);

    if (base && host.len && !sb_is(meta, "base_url", gr_str_of(base)))
        sb_set(sb, meta, "base_url", sb_pack(sb, "s", base));
}
