#include "upstream/headers.h"

#include <strings.h>

#define VALUE_MAX 1024u

static bool is(gr_str name, const char *other)
{
    return strlen(other) == name.len && strncasecmp(name.ptr, other, name.len) == 0;
}

static bool starts(gr_str name, const char *with)
{
    size_t len = strlen(with);

    return name.len >= len && strncasecmp(name.ptr, with, len) == 0;
}

static bool is_any(gr_str name, const char *const *list)
{
    for (; *list; list++) {
        if (is(name, *list))
            return true;
    }
    return false;
}

bool grc_header_name_good(gr_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.len > 0;
}

bool grc_header_value_good(gr_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < ' ' && c != '\t') || c > '~')
            return false;
    }
    return true;
}

bool grc_header_outgoing(gr_str name, bool with_authorization)
{
    static const char *const ours[] = {"Connection",
                                       "Content-Length",
                                       "Content-Type",
                                       "Expect",
                                       "Host",
                                       "Keep-Alive",
                                       "TE",
                                       "Trailer",
                                       "Traceparent",
                                       "Transfer-Encoding",
                                       "Accept-Encoding",
                                       "Upgrade",
                                       "User-Agent",
                                       "X-Request-Id",
                                       NULL};

    if (is_any(name, ours) || starts(name, "Proxy-"))
        return false;
    return with_authorization || !is(name, "Authorization");
}

enum grc_header_kind grc_header_incoming(gr_str name)
{
    if (is(name, "Content-Type"))
        return GRC_HEADER_TYPE;
    if (is(name, "Retry-After"))
        return GRC_HEADER_RETRY_AFTER;
    if (is(name, "Content-Encoding"))
        return GRC_HEADER_ENCODING;
    if (is(name, "RateLimit") || starts(name, "RateLimit-") || starts(name, "X-RateLimit-"))
        return GRC_HEADER_PASS;
    return GRC_HEADER_DROP;
}

bool grc_header_split(gr_str line, struct gr_pair *ret_pair)
{
    const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
    const char *end = line.ptr + line.len;

    if (!colon)
        return false;
    const char *from = colon + 1;
    while (end > from && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    struct gr_pair pair = {{line.ptr, (size_t)(colon - line.ptr)}, {from, (size_t)(end - from)}};
    if (!grc_header_name_good(pair.name) || !grc_header_value_good(pair.value) ||
        pair.value.len > VALUE_MAX)
        return false;
    *ret_pair = pair;
    return true;
}
