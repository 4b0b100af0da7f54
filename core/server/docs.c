#include "server/docs.h"

#include "call/call.h"
#include "doc/documents.h"
#include "server/metrics_page.h"
#include "server/page.h"

/* --- the document --- */

/* A document from a listener of the API needs no host: its paths are relative to that listener. */
static const char *server_url(struct grc_call *call)
{
    const struct grc_listen *listen = &call->runtime->settings->listen[0];
    unsigned port = grc_metrics_page_port();

    if (!call->request->admin)
        return "/";
    if (listen->port != 0 || port == 0)
        return NULL;
    return grc_arena_format(&call->arena, "%s://%s:%u", listen->tls ? "https" : "http",
                            listen->address, port);
}

/* Lists of tags and "*" are not parsed: a client that sends them gets the whole document. */
static bool is_known(struct grc_call *call, const struct grc_document *document)
{
    return gr_str_eq(grc_request_header(call->request, "If-None-Match"), gr_str_of(document->etag));
}

static enum gr_err openapi(struct gr_call *pub)
{
    struct grc_call *call = grc_call_of(pub);
    gr_str group = gr_query(pub, "group");
    const struct grc_openapi_options options = {
        .group = group.len ? group.ptr : NULL,
        .server = server_url(call),
        .internal = call->request->admin,
    };

    if (options.group && !grc_openapi_has_group(call->runtime, options.group))
        return gr_fail(pub, GR_ERR_NOT_FOUND, "no group of this name is served");
    const struct grc_document *document = grc_document(call->runtime, &options);
    if (!document)
        return gr_fail(pub, GR_ERR_NO_MEMORY, "no memory for the document");
    (void)gr_reply_header(pub, "ETag", gr_str_of(document->etag));
    (void)gr_reply_header(pub, "Cache-Control", GR_STR("no-cache"));
    if (is_known(call, document))
        return gr_reply(pub, 304, "application/json", GR_STR(""));
    return gr_reply(pub, 200, "application/json", document->text);
}

/* --- the group --- */

static const struct gr_field openapi_query[] = {
    GR_FIELD("group", GR_STRING, "Only the operations of this group", .range = GR_RANGE(1, 64)),
    GR_END,
};

static const struct gr_answer openapi_answers[] = {
    {.status = 200, .doc = "The document", .schema = GR_BODY(GR_OBJECT)},
    {.status = 304, .doc = "The document still has the ETag that is in If-None-Match"},
    GR_END,
};

static const char *const files[] = {"docs.html", "common.css", "common.js",
                                    "docs.css",  "docs.js",    NULL};

static const struct gr_route routes[] = {
    GR_GET("/openapi.json", "docs.openapi", "Describe the API as an OpenAPI document",
           .access = GR_ACCESS_OPEN, .query = openapi_query, .handle = openapi,
           .answers = openapi_answers),
    GRC_PAGE_ROUTES("/docs", "docs", "Show the API", files),
    GR_END,
};

const struct gr_plugin grc_docs_group = {
    .abi = GR_ABI,
    .name = "docs",
    .version = "1.0.0",
    .licence = "MIT",
    .flags = GRC_PLUGIN_DOCS,
    .summary = "The description of the API",
    .routes = routes,
};
