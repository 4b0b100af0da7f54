/*
 * The URL of an upstream. libcurl decides what a URL means, since it makes the connections. The
 * usual URLs are read here with the same result (unit.libcurl compares both), so that a start does
 * not load libcurl for them.
 */
#pragma once

#include <stdbool.h>

/* The texts are malloc'ed. */
struct grc_upstream_url {
    char *origin;    /* scheme, host and port, with a slash at its end */
    char *authority; /* host and port, without the default port of the scheme */
    char *prefix;    /* the path, without a slash at its end */
    bool tls;
};

/* Reads a URL of scheme, host, port and path. Returns false with a malloc'ed reason; *ret is empty
 * then. May load libcurl, and waits for that. */
bool grc_upstream_url_read(const char *text, struct grc_upstream_url *ret, char **ret_reason);
/* The two ways: a URL with a name or an IPv4 address, without escapes and dot segments; and any
 * URL, when libcurl is loaded. Return false for another URL, or without memory. */
bool grc_upstream_url_plain(const char *text, struct grc_upstream_url *ret);
bool grc_upstream_url_ask(const char *text, struct grc_upstream_url *ret);
void grc_upstream_url_done(struct grc_upstream_url *url);
