#include "upstream/headers.h"

#include "base/field.h"
#include "base/utf8.h"

#include <strings.h>

#define VALUE_MAX 1024u

static bool starts(gr_str name, const char *with)
{
    size_t len = strlen(with);

    return name.len >= len && strncasecmp(name.ptr, with, len) == 0;
}

static bool is_any(gr_str name, const char *const *list)
{
    for (; *list; list++) {
        if (grc_field_is(name, *list))
            return true;
    }
    return false;
}

bool grc_header_value_good(gr_str value)
{
    size_t at = 0;

    while ((at = grc_utf8_plain(value, at)) < value.len) {
        unsigned char c = (unsigned char)value.ptr[at++];

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
                                       "Tracestate",
                                       "Transfer-Encoding",
                                       "Accept-Encoding",
                                       "Upgrade",
                                       "User-Agent",
                                       "X-Request-Id",
                                       NULL};

    if (is_any(name, ours) || starts(name, "Proxy-"))
        return false;
    return with_authorization || !grc_field_is(name, "Authorization");
}

enum grc_header_kind grc_header_incoming(gr_str name)
{
    if (grc_field_is(name, "Content-Type"))
        return GRC_HEADER_TYPE;
    if (grc_field_is(name, "Retry-After"))
        return GRC_HEADER_RETRY_AFTER;
    if (grc_field_is(name, "Content-Encoding"))
        return GRC_HEADER_ENCODING;
    if (grc_field_is(name, "RateLimit") || starts(name, "RateLimit-") ||
        starts(name, "X-RateLimit-"))
        return GRC_HEADER_PASS;
    return GRC_HEADER_DROP;
}

bool grc_header_passable(const struct gr_pair *pair)
{
    return pair->value.len <= VALUE_MAX && grc_header_value_good(pair->value);
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
    *ret_pair =
        (struct gr_pair){{line.ptr, (size_t)(colon - line.ptr)}, {from, (size_t)(end - from)}};
    return grc_field_token(ret_pair->name) && grc_header_passable(ret_pair);
}

int64_t grc_header_seconds(gr_str value)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return -1;
        if (seconds < INT32_MAX)
            seconds = seconds * 10 + (value.ptr[i] - '0');
    }
    return value.len ? seconds : -1;
}

/* Reads a directive of Cache-Control: "no-store", "max-age=3". */
static void take_directive(gr_str text, struct grc_freshness *freshness, bool *shared_age)
{
    static const char *const forbid[] = {"no-store", "private", "no-cache", NULL};
    static const char *const fresh_only[] = {"must-revalidate", "proxy-revalidate", NULL};
    const char *equals = text.len ? memchr(text.ptr, '=', text.len) : NULL;
    gr_str name = {text.ptr, equals ? (size_t)(equals - text.ptr) : text.len};
    gr_str value = {equals ? equals + 1 : NULL, equals ? text.len - name.len - 1 : 0};

    if (is_any(name, forbid)) {
        freshness->forbidden = true;
        return;
    }
    if (is_any(name, fresh_only)) {
        freshness->no_stale = true;
        return;
    }
    bool shared = grc_field_is(name, "s-maxage");
    if (!shared && !grc_field_is(name, "max-age"))
        return;
    if (value.len > 1 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = (gr_str){value.ptr + 1, value.len - 2};
    int64_t seconds = grc_header_seconds(value);
    if (shared || !*shared_age)
        freshness->max_age_s = seconds >= 0 ? seconds : 0; /* a malformed age counts as stale */
    *shared_age = *shared_age || shared;
}

static void take_cache_control(gr_str value, struct grc_freshness *freshness)
{
    bool shared_age = false;
    gr_str one;

    while (grc_field_next(&value, &one))
        take_directive(one, freshness, &shared_age);
}

void grc_header_freshness(const struct gr_pair *pair, struct grc_freshness *freshness)
{
    if (grc_field_is(pair->name, "Cache-Control")) {
        take_cache_control(pair->value, freshness);
    } else if (grc_field_is(pair->name, "Set-Cookie")) {
        freshness->forbidden = true; /* a cookie is meant for one client */
    } else if (grc_field_is(pair->name, "Vary")) {
        if (pair->value.len && memchr(pair->value.ptr, '*', pair->value.len))
            freshness->forbidden = true;
    } else if (grc_field_is(pair->name, "Age")) {
        int64_t seconds = grc_header_seconds(pair->value);
        if (seconds > 0)
            freshness->age_s = seconds;
    }
}
