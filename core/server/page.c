#include "server/page.h"

#include "pages/pages.h"

/* Allows only files of this gateway, no script in the page itself, and no frame around it. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const struct gr_field grc_page_params[] = {
    GR_FIELD("file", GR_STRING, "Name of the file", .range = GR_RANGE(1, 32)),
    GR_END,
};

static enum gr_err reply(struct gr_call *pub, const char *name)
{
    const struct grc_page *page = grc_pages;

    while (page->name && strcmp(page->name, name) != 0)
        page++;
    if (!page->name)
        return gr_fail(pub, GR_ERR_NOT_FOUND, "no such file");
    (void)gr_reply_header(pub, "Content-Security-Policy", GR_STR(POLICY));
    (void)gr_reply_header(pub, "Referrer-Policy", GR_STR("no-referrer"));
    (void)gr_reply_header(pub, "Cache-Control", GR_STR("no-cache"));
    return gr_reply(pub, 200, page->type, page->text);
}

enum gr_err grc_page(struct gr_call *pub)
{
    const char *const *names = gr_route_of(pub)->data;

    return reply(pub, names[0]);
}

enum gr_err grc_page_file(struct gr_call *pub)
{
    const char *const *names = gr_route_of(pub)->data;
    gr_str wanted = gr_param(pub, "file");

    for (names++; *names; names++) {
        if (gr_str_eq(gr_str_of(*names), wanted))
            return reply(pub, *names);
    }
    return gr_fail(pub, GR_ERR_NOT_FOUND, "no such file");
}
