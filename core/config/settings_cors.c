/* Finds mistakes in server.cors: origins that no browser would ever send. */
#include "config/settings_rows.h"

#include <ctype.h>

/* Returns the default port of an origin's scheme, which browsers leave out, or NULL. */
static const char *default_port(const char *origin)
{
    if (strncmp(origin, "https://", 8) == 0)
        return ":443";
    return strncmp(origin, "http://", 7) == 0 ? ":80" : NULL;
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Returns why a browser never sends this text as an Origin, or NULL when it may. An origin is
 * scheme, host and port in lower case and nothing else (RFC 6454, section 6.2); sandboxed pages
 * send "null". */
static const char *origin_fault(const char *origin)
{
    const char *host = strstr(origin, "://");

    if (strcmp(origin, "*") == 0 || strcmp(origin, "null") == 0)
        return NULL;
    if (!host || host == origin || host[3] == '\0')
        return "has no scheme: \"https://app.example.org\" would match";
    if (strpbrk(host + 3, "/?#@"))
        return "has something behind the host: \"https://app.example.org\" would match, without a "
               "slash at its end";
    for (const char *c = origin; *c; c++) {
        if (isupper((unsigned char)*c))
            return "has upper case, which browsers never send";
        if ((unsigned char)*c <= ' ' || *c == '*')
            return "is not a single origin: name each one, or \"*\" for all";
    }
    if (default_port(origin) && ends_in(origin, default_port(origin)))
        return "names the default port of its scheme, which browsers leave out";
    return NULL;
}

static bool has_any(const struct grc_cors *cors)
{
    for (size_t i = 0; cors->origins[i]; i++) {
        if (strcmp(cors->origins[i], "*") == 0)
            return true;
    }
    return false;
}

void grc_cors_check(struct grc_reader *reader, const struct grc_cors *cors)
{
    const struct grc_path server = {.name = "server"};
    const struct grc_path here = {.up = &server, .name = "cors"};
    const struct grc_path origins = {.up = &here, .name = "origins"};
    const struct grc_path credentials = {.up = &here, .name = "credentials"};

    for (size_t i = 0; cors->origins[i]; i++) {
        const struct grc_path element = {.up = &origins, .index = i};
        const char *fault = origin_fault(cors->origins[i]);

        if (fault)
            grc_reader_problem(reader, &element, "'%s' can never match: it %s", cors->origins[i],
                               fault);
    }
    if (cors->credentials && has_any(cors))
        grc_reader_problem(reader, &credentials,
                           "browsers refuse credentials for origin \"*\": name the origins");
}
