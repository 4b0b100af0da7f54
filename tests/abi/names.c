/* A plugin that names upstreams in each way in which a plugin can. */
#include <greenroom/plugin.h>

struct names_options {
    const char *source;
};

static const struct gr_option options[] = {
    GR_OPTION(names_options, source, GR_OPT_UPSTREAM, "api", "The upstream that is asked"),
    GR_END,
};

static enum gr_err ask(struct gr_call *call)
{
    const struct gr_upstream_request request = {
        .upstream = gr_copy(call, gr_query(call, "upstream")),
        .method = GR_METHOD_GET,
        .path = "/asked",
    };
    struct gr_upstream_reply reply;
    enum gr_err err = gr_upstream(call, &request, &reply, 1);

    return err == GR_OK ? gr_reply(call, reply.status, "application/json", reply.body) : err;
}

static const struct gr_route routes[] = {
    GR_GET("/names", "names.ask", "Ask an upstream", .scope = "names:read", .handle = ask),
    GR_END,
};

GR_PLUGIN("names", .version = "1.0.0", .summary = "Names upstreams", .licence = "MIT",
          .routes = routes, .options = options, .options_size = sizeof(struct names_options),
          .upstreams = GR_LIST("declared"))
