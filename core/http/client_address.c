#include "http/client_address.h"

#include "base/field.h"

#include <stdio.h>
#include <strings.h>

/* The most hops that are read, beginning with the one next to the gateway. */
#define HOPS_MAX 32u

static bool is_trusted(const struct grc_proxies *proxies, const struct grc_ip *ip)
{
    for (size_t i = 0; i < proxies->count; i++) {
        if (grc_network_has(&proxies->networks[i], ip))
            return true;
    }
    return false;
}

/* Removes the part after the last separator from a list, which may have quoted strings, and returns
 * it. */
static gr_str take_last(gr_str *list, char separator)
{
    bool quoted = false;
    size_t start = 0;

    for (size_t i = 0; i < list->len; i++) {
        if (list->ptr[i] == '"')
            quoted = !quoted;
        else if (list->ptr[i] == '\\' && quoted)
            i++;
        else if (list->ptr[i] == separator && !quoted)
            start = i + 1;
    }
    gr_str last = {list->ptr + start, list->len - start};
    list->len = start > 0 ? start - 1 : 0;
    return grc_field_trim(last);
}

/* An address with or without a port: "192.0.2.1", "192.0.2.1:80", "2001:db8::1",
 * "[2001:db8::1]:80".
 */
static bool parse_node(gr_str node, struct grc_ip *ret)
{
    const char *end;

    if (node.len >= 2 && node.ptr[0] == '"' && node.ptr[node.len - 1] == '"')
        node = (gr_str){node.ptr + 1, node.len - 2};
    if (node.len && node.ptr[0] == '[') {
        end = memchr(node.ptr, ']', node.len);
        return end && grc_ip_parse((gr_str){node.ptr + 1, (size_t)(end - node.ptr) - 1}, ret);
    }
    if (grc_ip_parse(node, ret))
        return true;
    end = node.len ? memchr(node.ptr, ':', node.len) : NULL;
    return end && grc_ip_parse((gr_str){node.ptr, (size_t)(end - node.ptr)}, ret);
}

/* The node of "for=" in one element of Forwarded (RFC 7239, section 4); empty if there is none. */
static gr_str for_of(gr_str element)
{
    while (element.len > 0) {
        gr_str pair = take_last(&element, ';');

        if (pair.len > 4 && strncasecmp(pair.ptr, "for=", 4) == 0)
            return (gr_str){pair.ptr + 4, pair.len - 4};
    }
    return (gr_str){NULL, 0};
}

/* Iterates over the elements of all lines of the header, from the last one backwards. */
struct walk {
    const struct grc_request *request;
    const char *name;
    size_t line; /* number of headers that are still to be read */
    gr_str list; /* rest of the current line */
};

static bool next_line(struct walk *walk)
{
    while (walk->line > 0) {
        const struct gr_pair *header = &walk->request->headers[--walk->line];

        if (grc_field_is(header->name, walk->name)) {
            walk->list = grc_field_trim(header->value);
            return true;
        }
    }
    return false;
}

static bool next_element(struct walk *walk, gr_str *ret)
{
    while (walk->list.len == 0) {
        if (!next_line(walk))
            return false;
    }
    *ret = take_last(&walk->list, ',');
    return true;
}

void grc_client_address(struct grc_request *request, const struct grc_proxies *proxies)
{
    struct walk walk = {.request = request,
                        .name = proxies->forwarded ? "Forwarded" : "X-Forwarded-For",
                        .line = request->header_count};
    struct grc_ip client;
    struct grc_ip hop;
    gr_str element;
    char text[GRC_IP_TEXT_SIZE];

    if (proxies->count == 0 || !grc_ip_parse(gr_str_of(request->peer), &client))
        return;
    /* The header of the PROXY protocol names the client of the nearest hop, so the header of the
     * request is about the hops before that client. */
    if (request->proxied_for && is_trusted(proxies, &client) &&
        grc_ip_parse(gr_str_of(request->proxied_for), &hop))
        client = hop;
    /* Each trusted hop vouches for the hop that it names. The last known hop is one that names no
     * readable address ("unknown", "_hidden"). */
    for (unsigned hops = 0; hops < HOPS_MAX && is_trusted(proxies, &client); hops++) {
        if (!next_element(&walk, &element) ||
            !parse_node(proxies->forwarded ? for_of(element) : element, &hop))
            break;
        client = hop;
    }
    gr_str address = grc_ip_text(&client, text);
    snprintf(request->peer, sizeof(request->peer), "%.*s", (int)address.len, address.ptr);
}
