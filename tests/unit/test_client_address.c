/* http/client_address.h and base/network.h: the address of the client. */
#include "http/client_address.h"

#include <stdio.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void networks_are_read(void **state)
{
    static const struct {
        const char *text;
        bool fine;
    } cases[] = {
        {"10.0.0.0/8", true},
        {"192.0.2.7", true},
        {"0.0.0.0/0", true},
        {"2001:db8::/32", true},
        {"::1", true},
        {"::/0", true},
        {"::ffff:10.0.0.0/104", true},
        {"10.0.0.1/8", false},
        {"10.0.0.0/33", false},
        {"10.0.0.0/", false},
        {"10.0.0.0/-1", false},
        {"10.0.0.0/8x", false},
        {"10.0.0/8", false},
        {"2001:db8::/129", false},
        {"2001:db8::1/32", false},
        {"[::1]", false},
        {"localhost", false},
        {"", false},
    };
    struct grc_network network;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (grc_network_parse(gr_str_of(cases[i].text), &network) != cases[i].fine)
            fail_msg("%s", cases[i].text);
    }
}

static void networks_hold_addresses(void **state)
{
    static const struct {
        const char *network;
        const char *address;
        bool inside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.0/9", "10.127.255.255", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "203.0.113.9", true},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct grc_network network;
        struct grc_ip ip;

        assert_true(grc_network_parse(gr_str_of(cases[i].network), &network));
        assert_true(grc_ip_parse(gr_str_of(cases[i].address), &ip));
        if (grc_network_has(&network, &ip) != cases[i].inside)
            fail_msg("%s in %s", cases[i].address, cases[i].network);
    }
}

struct client_case {
    const char *peer;
    const char *lines[3]; /* the lines of the header, in their order */
    const char *client;
};

/* The trusted proxies are 10.0.0.0/8 and 2001:db8:1::/48. */
static void check(const struct client_case *cases, size_t count, const char *name, bool forwarded)
{
    struct grc_network networks[2];
    const struct grc_proxies proxies = {.networks = networks, .count = 2, .forwarded = forwarded};

    assert_true(grc_network_parse(GR_STR("10.0.0.0/8"), &networks[0]));
    assert_true(grc_network_parse(GR_STR("2001:db8:1::/48"), &networks[1]));
    for (size_t i = 0; i < count; i++) {
        struct grc_request request = {.header_count = 0};

        snprintf(request.peer, sizeof(request.peer), "%s", cases[i].peer);
        request.headers[request.header_count++] =
            (struct gr_pair){GR_STR("X-Real-IP"), GR_STR("198.51.100.99")};
        for (size_t j = 0; j < 3 && cases[i].lines[j]; j++)
            request.headers[request.header_count++] =
                (struct gr_pair){gr_str_of(name), gr_str_of(cases[i].lines[j])};
        grc_client_address(&request, &proxies);
        if (strcmp(request.peer, cases[i].client) != 0)
            fail_msg("row %zu: %s instead of %s", i, request.peer, cases[i].client);
    }
}

static void x_forwarded_for_is_read_from_its_end(void **state)
{
    static const struct client_case cases[] = {
        {"10.0.0.1", {"203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {NULL}, "10.0.0.1"},
        /* The header of a client that is not a proxy is ignored. */
        {"203.0.113.1", {"198.51.100.1"}, "203.0.113.1"},
        /* What stands left of the first address that is not that of a proxy was written by the
         * client. */
        {"10.0.0.1", {"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"198.51.100.1, 203.0.113.9, 10.0.0.7"}, "203.0.113.9"},
        {"10.0.0.1", {"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"203.0.113.9", "10.0.0.7", "10.0.0.8"}, "203.0.113.9"},
        {"10.0.0.1", {"10.0.0.9, 10.0.0.8"}, "10.0.0.9"},
        {"10.0.0.1", {" 203.0.113.9\t"}, "203.0.113.9"},
        {"10.0.0.1", {"203.0.113.9:4711"}, "203.0.113.9"},
        {"10.0.0.1", {"2001:db8:2::9"}, "2001:db8:2::9"},
        {"10.0.0.1", {"[2001:db8:2::9]:4711"}, "2001:db8:2::9"},
        {"2001:db8:1::5", {"203.0.113.9"}, "203.0.113.9"},
        {"::ffff:10.0.0.1", {"203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"::ffff:203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"203.0.113.9, unknown"}, "10.0.0.1"},
        {"10.0.0.1", {"203.0.113.9, unknown, 10.0.0.7"}, "10.0.0.7"},
        {"10.0.0.1", {"203.0.113.9,"}, "10.0.0.1"},
        {"10.0.0.1", {"203.0.113.9", ""}, "203.0.113.9"},
        {"10.0.0.1", {"203.0.113.999"}, "10.0.0.1"},
        {"unix", {"203.0.113.9"}, "unix"},
    };

    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]), "x-forwarded-for", false);
}

static void forwarded_is_read_from_its_end(void **state)
{
    static const struct client_case cases[] = {
        {"10.0.0.1", {"for=203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"For=\"203.0.113.9:4711\";proto=https;by=10.0.0.1"}, "203.0.113.9"},
        {"10.0.0.1", {"proto=https; for=203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"for=\"[2001:db8:2::9]:4711\""}, "2001:db8:2::9"},
        {"10.0.0.1", {"for=198.51.100.1, for=203.0.113.9, for=10.0.0.2"}, "203.0.113.9"},
        {"10.0.0.1", {"for=198.51.100.1;host=\"a,b;for=1.2.3.4\""}, "198.51.100.1"},
        {"10.0.0.1", {"for=203.0.113.9, for=_hidden"}, "10.0.0.1"},
        {"10.0.0.1", {"for=203.0.113.9, proto=https"}, "10.0.0.1"},
        {"10.0.0.1", {"for=203.0.113.9, for=\"10.0.0.2"}, "10.0.0.1"},
        {"203.0.113.1", {"for=198.51.100.1"}, "203.0.113.1"},
    };

    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]), "forwarded", true);
}

/* The other header is not read, because a proxy that writes one of them may pass on the other
 * unchanged. */
static void only_the_configured_header_counts(void **state)
{
    static const struct client_case cases[] = {{"10.0.0.1", {"203.0.113.9"}, "10.0.0.1"}};

    (void)state;
    check(cases, 1, "x-forwarded-for", true);
    check(cases, 1, "forwarded", false);
}

/* No header is read, and the address of the client is that of the connection. */
static void without_proxies_no_header_counts(void **state)
{
    static const char *const peers[] = {"10.0.0.1", "::ffff:10.0.0.1", "unix"};
    const struct grc_proxies none = {.count = 0};

    (void)state;
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        struct grc_request request = {.header_count = 1};

        snprintf(request.peer, sizeof(request.peer), "%s", peers[i]);
        request.headers[0] = (struct gr_pair){GR_STR("X-Forwarded-For"), GR_STR("203.0.113.9")};
        grc_client_address(&request, &none);
        assert_string_equal(request.peer, peers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_read),
        cmocka_unit_test(networks_hold_addresses),
        cmocka_unit_test(x_forwarded_for_is_read_from_its_end),
        cmocka_unit_test(forwarded_is_read_from_its_end),
        cmocka_unit_test(only_the_configured_header_counts),
        cmocka_unit_test(without_proxies_no_header_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
