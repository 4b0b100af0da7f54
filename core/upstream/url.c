#include "upstream/url.h"

#include "base/format.h"
#include "loop/loop.h"
#include "upstream/libcurl.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NAME_MAX_BYTES 253u

void grc_upstream_url_done(struct grc_upstream_url *url)
{
    free(url->origin);
    free(url->authority);
    free(url->prefix);
    *url = (struct grc_upstream_url){.origin = NULL};
}

static void cut_slashes(char *path)
{
    for (size_t len = strlen(path); len > 0 && path[len - 1] == '/'; len--)
        path[len - 1] = '\0';
}

/* --- the usual URLs --- */

/* A name, or an IPv4 address as inet_ntop() writes it. libcurl turns other spellings of addresses,
 * such as 127.1, into this one. */
static bool is_plain_host(const char *text, size_t len)
{
    char host[NAME_MAX_BYTES + 1];
    struct in_addr address;

    if (len == 0 || len > NAME_MAX_BYTES)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (strspn(host, LETTERS) == 0)
        return inet_pton(AF_INET, host, &address) == 1;
    return strspn(host, LETTERS DIGITS "-_.") == len && !strstr(host, "..");
}

/* Reads ":PORT", or nothing, before the path. */
static bool read_port(const char *text, size_t len, unsigned *ret_port)
{
    unsigned port = 0;

    if (len == 0)
        return true;
    if (text[0] != ':' || len < 2 || len > 6 || text[1] == '0' ||
        strspn(text + 1, DIGITS) < len - 1)
        return false;
    for (size_t i = 1; i < len; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    *ret_port = port;
    return port <= 65535;
}

static bool is_plain_path(const char *path)
{
    return path[strspn(path, LETTERS DIGITS "/-._~!$&'()*+,;=:")] == '\0' && !strstr(path, "/.") &&
           !strstr(path, "//");
}

bool grc_upstream_url_plain(const char *text, struct grc_upstream_url *ret)
{
    bool tls = strncmp(text, "https://", 8) == 0;
    unsigned usual = tls ? 443 : 80;
    unsigned port = usual;

    *ret = (struct grc_upstream_url){.tls = tls};
    if (!tls && strncmp(text, "http://", 7) != 0)
        return false;
    const char *host = text + (tls ? 8 : 7);
    size_t len = strcspn(host, "/");
    size_t name = strcspn(host, ":/");
    if (!is_plain_host(host, name) || !read_port(host + name, len - name, &port) ||
        !is_plain_path(host + len))
        return false;
    ret->authority = port == usual ? grc_format("%.*s", (int)name, host)
                                   : grc_format("%.*s:%u", (int)name, host, port);
    ret->origin =
        ret->authority ? grc_format("%s://%s/", tls ? "https" : "http", ret->authority) : NULL;
    ret->prefix = strdup(host + len);
    if (ret->origin && ret->prefix) {
        cut_slashes(ret->prefix);
        return true;
    }
    grc_upstream_url_done(ret);
    return false;
}

/* --- all others --- */

/* Returns a malloc'ed copy of a part of the URL; NULL when it has none. */
static char *part_of(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    char *copy = NULL;

    if (grc_curl()->url_get(url, part, &text, flags) == CURLUE_OK)
        copy = strdup(text);
    grc_curl()->free(text);
    return copy;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    CURLUcode rc = grc_curl()->url_get(url, part, &text, 0);

    grc_curl()->free(text);
    return rc == CURLUE_OK;
}

static bool is_scheme_good(CURLU *url, bool *ret_tls)
{
    char *scheme = part_of(url, CURLUPART_SCHEME, 0);

    *ret_tls = scheme && strcmp(scheme, "https") == 0;
    bool good = *ret_tls || (scheme && strcmp(scheme, "http") == 0);
    free(scheme);
    return good;
}

static char *authority_of(CURLU *url)
{
    char *host = part_of(url, CURLUPART_HOST, 0);
    char *port = part_of(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    char *text = host ? grc_format("%s%s%s", host, port ? ":" : "", port ? port : "") : NULL;

    free(host);
    free(port);
    return text;
}

static bool read_parts(CURLU *url, const char *text, struct grc_upstream_url *ret)
{
    if (grc_curl()->url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        !is_scheme_good(url, &ret->tls) || has_part(url, CURLUPART_USER) ||
        has_part(url, CURLUPART_PASSWORD) || has_part(url, CURLUPART_QUERY) ||
        has_part(url, CURLUPART_FRAGMENT))
        return false;
    ret->authority = authority_of(url);
    ret->prefix = part_of(url, CURLUPART_PATH, 0);
    if (grc_curl()->url_set(url, CURLUPART_PATH, "/", 0) == CURLUE_OK)
        ret->origin = part_of(url, CURLUPART_URL, 0);
    if (ret->prefix)
        cut_slashes(ret->prefix);
    return ret->authority && ret->prefix && ret->origin;
}

bool grc_upstream_url_ask(const char *text, struct grc_upstream_url *ret)
{
    CURLU *url = grc_curl()->url();

    *ret = (struct grc_upstream_url){.origin = NULL};
    bool good = url && read_parts(url, text, ret);
    grc_curl()->url_cleanup(url);
    if (!good)
        grc_upstream_url_done(ret);
    return good;
}

bool grc_upstream_url_read(const char *text, struct grc_upstream_url *ret, char **ret_reason)
{
    char reason[GRC_LIBRARY_REASON];

    *ret = (struct grc_upstream_url){.origin = NULL};
    if (text && grc_upstream_url_plain(text, ret))
        return true;
    if (text && grc_curl_load(GRC_NEVER_MS, reason) != GR_OK)
        return grc_refuse(ret_reason, "%s", reason[0] ? reason : "out of memory");
    if (text && grc_upstream_url_ask(text, ret))
        return true;
    return grc_refuse(ret_reason, "expected an http or https URL of host, port and path");
}
