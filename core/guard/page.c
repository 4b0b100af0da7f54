/* What a web page can make a browser send to a gateway that asks for no credential. */
#include "guard/page.h"

#include "base/network.h"

#include <strings.h>

static bool equals(gr_str a, gr_str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

/* The name or address in a Host header, without port and brackets. */
static gr_str host_name(gr_str host)
{
    if (host.len == 0)
        return host;
    bool bracket = host.ptr[0] == '[';
    const char *end = memchr(host.ptr, bracket ? ']' : ':', host.len);
    size_t begin = bracket ? 1 : 0;
    if (bracket && !end)
        return host; /* no name of anything */
    return (gr_str){host.ptr + begin, (end ? (size_t)(end - host.ptr) : host.len) - begin};
}

/* RFC 6761, section 6.3: localhost and the names below it never leave the machine. */
static bool is_this_machine(gr_str name)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char one[16] = {[15] = 1};
    const gr_str below = GR_STR(".localhost");
    struct grc_ip ip;

    if (grc_ip_parse(name, &ip))
        return memcmp(ip.bytes, one, sizeof(one)) == 0 ||
               (memcmp(ip.bytes, mapped, sizeof(mapped)) == 0 && ip.bytes[12] == 127);
    return equals(name, GR_STR("localhost")) ||
           (name.len > below.len &&
            equals((gr_str){name.ptr + name.len - below.len, below.len}, below));
}

/* A name that an attacker's page was loaded from may be made to resolve to this machine (DNS
 * rebinding); the browser then takes the gateway for the page's own server, and says so in Host. */
static bool host_good(const struct grc_settings *settings, gr_str name)
{
    const char *const *hosts = settings->hosts;
    bool any = !hosts || !hosts[0];

    if (is_this_machine(name))
        return true;
    for (; hosts && *hosts; hosts++) {
        if (strcmp(*hosts, "*") == 0 || equals(gr_str_of(*hosts), name))
            return true;
    }
    return any && settings->allow_unauthenticated_remote;
}

/* A page can send requests to any server, even though it cannot read the answers. */
static bool origin_good(const struct grc_cors *cors, gr_str origin, gr_str host)
{
    const gr_str scheme_end = GR_STR("://");
    const char *authority = memmem(origin.ptr, origin.len, scheme_end.ptr, scheme_end.len);

    if (authority) {
        authority += scheme_end.len;
        if (equals((gr_str){authority, origin.len - (size_t)(authority - origin.ptr)}, host))
            return true;
    }
    return grc_list_has(cors->origins, GR_STR("*")) || grc_list_has(cors->origins, origin);
}

static bool takes_body(const struct grc_call *call)
{
    return call->route->row->body || (call->route->row->flags & GR_ROUTE_RAW_BODY);
}

enum gr_err grc_guard_page(struct grc_call *call)
{
    const struct grc_request *request = call->request;
    gr_str host = grc_request_header(request, "Host");
    gr_str origin = grc_request_header(request, "Origin");
    gr_str name = host_name(host);

    /* Only HTTP/1.0, which no browser speaks, comes without. */
    if (host.len && !host_good(call->runtime->settings, name))
        return grc_fail(call, GR_ERR_FORBIDDEN,
                        "callers need no credential here, so the host '%.*s' has to be in "
                        "server.hosts",
                        (int)name.len, name.ptr);
    if (origin.len && !(call->plugin->desc->flags & GR_PLUGIN_ANY_ORIGIN) &&
        !origin_good(&call->runtime->settings->cors, origin, host))
        return grc_fail(call, GR_ERR_FORBIDDEN,
                        "callers need no credential here, so the origin '%.*s' has to be in "
                        "server.cors.origins",
                        (int)origin.len, origin.ptr);
    /* Without a type a page may send any body, and its browser does not ask first. */
    if (request->content_length != 0 && takes_body(call) &&
        grc_request_header(request, "Content-Type").len == 0)
        return grc_fail(call, GR_ERR_MEDIA_TYPE, "a body needs a Content-Type");
    return GR_OK;
}
