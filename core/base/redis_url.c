#include "base/redis_url.h"

#include "base/field.h"
#include "base/secure.h"
#include "base/uri.h"

#include <stdlib.h>

#define TEXT_MAX 1024u

static const char no_memory[] = "there is no memory for it";

static bool number(gr_str text, unsigned max, unsigned *ret)
{
    int64_t value = 0;

    if (!grc_field_number(text, &value) || value > max)
        return false;
    *ret = (unsigned)value;
    return true;
}

/* A decoded copy. NULL for an empty text, a bad escape and without memory. */
static char *decoded(gr_str text)
{
    char *copy = text.len ? calloc(1, text.len + 1) : NULL;
    size_t len = 0;

    if (copy && !grc_uri_decode(text, false, copy, &len)) {
        grc_wipe(copy, text.len);
        free(copy);
        return NULL;
    }
    if (copy)
        copy[len] = '\0';
    return copy;
}

/* [USER]:PASSWORD */
static const char *read_login(gr_str login, struct grc_redis_url *url)
{
    const char *colon = memchr(login.ptr, ':', login.len);
    size_t user_len = colon ? (size_t)(colon - login.ptr) : 0;

    if (!colon || user_len + 1 == login.len)
        return "before '@' only \":PASSWORD\" or \"USER:PASSWORD\" may stand";
    url->password = decoded((gr_str){colon + 1, login.len - user_len - 1});
    if (user_len > 0)
        url->user = decoded((gr_str){login.ptr, user_len});
    if (!url->password || (user_len > 0 && !url->user))
        return "user or password have a bad percent-encoding";
    return NULL;
}

/* Characters of names and addresses, without those that end them. */
static bool is_host(gr_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.ptr[i] <= ' ' || strchr("/?#@[]\\\x7f", host.ptr[i]))
            return false;
    }
    return host.len > 0;
}

/* HOST[:PORT], where HOST may be [ADDRESS]. */
static const char *read_place(gr_str place, struct grc_redis_url *url)
{
    const char *close = place.ptr[0] == '[' ? memchr(place.ptr, ']', place.len) : NULL;
    const char *colon = close ? (close + 1 < place.ptr + place.len ? close + 1 : NULL)
                              : memchr(place.ptr, ':', place.len);
    gr_str host = {place.ptr, colon ? (size_t)(colon - place.ptr) : place.len};

    url->port = GRC_REDIS_PORT;
    if (colon && (*colon != ':' ||
                  !number((gr_str){colon + 1, place.len - host.len - 1}, 65535, &url->port) ||
                  url->port == 0))
        return "the port is no number from 1 to 65535";
    if (close)
        host = (gr_str){host.ptr + 1, host.len - 2};
    if (!is_host(host))
        return "the host is missing or has characters that no host has";
    url->host = strndup(host.ptr, host.len);
    return url->host ? NULL : no_memory;
}

static const char *read_database(gr_str text, struct grc_redis_url *url)
{
    return number(text, GRC_REDIS_DATABASE_MAX, &url->database)
               ? NULL
               : "the database is no number from 0 to 65535";
}

static const char *read_tcp(gr_str rest, struct grc_redis_url *url)
{
    const char *slash = memchr(rest.ptr, '/', rest.len);
    gr_str place = {rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len};
    const char *problem = place.len ? read_place(place, url) : "the host is missing";

    if (problem || !slash || place.len + 1 == rest.len)
        return problem;
    return read_database((gr_str){slash + 1, rest.len - place.len - 1}, url);
}

static const char *read_unix(gr_str rest, struct grc_redis_url *url)
{
    const char *query = memchr(rest.ptr, '?', rest.len);
    size_t len = query ? (size_t)(query - rest.ptr) : rest.len;

    if (len < 2 || rest.ptr[0] != '/')
        return "the path of the socket is missing";
    url->path = strndup(rest.ptr, len);
    if (!url->path)
        return no_memory;
    if (!query)
        return NULL;
    if (rest.len - len < 4 || strncmp(query, "?db=", 4) != 0)
        return "after '?' only \"db=DATABASE\" may stand";
    return read_database((gr_str){query + 4, rest.len - len - 4}, url);
}

static const char *parse(const char *text, struct grc_redis_url *url)
{
    const char *rest = strstr(text, "://");
    gr_str scheme = {text, rest ? (size_t)(rest - text) : 0};
    bool tcp = gr_str_eq(scheme, GR_STR("redis")) || gr_str_eq(scheme, GR_STR("rediss"));

    if (strlen(text) > TEXT_MAX)
        return "it is too long";
    if (!rest || (!tcp && !gr_str_eq(scheme, GR_STR("unix"))))
        return "it begins with none of \"redis://\", \"rediss://\" and \"unix://\"";
    url->tls = scheme.len == strlen("rediss");
    rest += 3;
    const char *at = strrchr(rest, '@');
    const char *problem = at ? read_login((gr_str){rest, (size_t)(at - rest)}, url) : NULL;
    if (problem)
        return problem;
    gr_str place = gr_str_of(at ? at + 1 : rest);
    return tcp ? read_tcp(place, url) : read_unix(place, url);
}

const char *grc_redis_url_parse(const char *text, struct grc_redis_url *ret)
{
    *ret = (struct grc_redis_url){0};
    const char *problem = parse(text, ret);

    if (problem)
        grc_redis_url_done(ret);
    return problem;
}

void grc_redis_url_done(struct grc_redis_url *url)
{
    grc_wipe_free(url->user);
    grc_wipe_free(url->password);
    free(url->host);
    free(url->path);
    *url = (struct grc_redis_url){0};
}
