/* Turns the texts of server.trusted_proxies into networks. */
#include "config/settings_rows.h"

void grc_proxies_settle(struct grc_reader *reader, struct grc_proxies *proxies)
{
    const struct grc_path server = {.name = "server"};
    const struct grc_path here = {.up = &server, .name = "trusted_proxies"};
    size_t count = 0;

    while (proxies->texts && proxies->texts[count])
        count++;
    if (count == 0)
        return;
    proxies->networks = grc_keep_alloc(reader->keep, count * sizeof(*proxies->networks));
    if (!proxies->networks) {
        grc_reader_problem(reader, &here, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct grc_path element = {.up = &here, .index = i};

        if (grc_network_parse(gr_str_of(proxies->texts[i]), &proxies->networks[i]))
            proxies->count++;
        else
            grc_reader_problem(
                reader, &element,
                "expected an address or a network such as \"10.0.0.0/8\", whose bits "
                "behind the prefix are 0, found \"%s\"",
                proxies->texts[i]);
    }
}
