#include "isolation/isolation.h"

#include "isolation/group.h"

static enum gr_err ask(struct gr_call *pub, enum grc_ask what)
{
    return grc_isolated_ask(pub->state, grc_call_of(pub), what);
}

/* --- what takes the place of the plugin's functions --- */

static enum gr_err authenticate(struct gr_call *pub)
{
    return ask(pub, GRC_ASK_AUTHENTICATE);
}

static enum gr_err admit(struct gr_call *pub)
{
    return ask(pub, GRC_ASK_ADMIT);
}

static enum gr_err handle(struct gr_call *pub)
{
    return ask(pub, GRC_ASK_HANDLE);
}

static enum gr_err ready(struct gr_call *pub)
{
    return ask(pub, GRC_ASK_READY);
}

static enum gr_err status(struct gr_call *pub)
{
    return ask(pub, GRC_ASK_STATUS);
}

static json_t *render_error(struct gr_call *pub, const struct gr_error *error)
{
    (void)error; /* the call's */
    return grc_isolated_render(pub->state, grc_call_of(pub));
}

/* Values of rows that have .check functions. */
static enum gr_err check(struct gr_call *pub, const char *in, struct grc_problems *problems)
{
    (void)problems; /* the call's */
    if (strcmp(in, "body") == 0)
        return ask(pub, GRC_ASK_CHECK_BODY);
    return ask(pub, strcmp(in, "path") == 0 ? GRC_ASK_CHECK_PATH : GRC_ASK_CHECK_QUERY);
}

static enum gr_err init(struct gr_self *self, const void *options, void **ret_state)
{
    struct grc_isolated *group = grc_isolated_new((struct grc_plugin *)self);

    (void)options;
    if (!group)
        return GR_ERR_INTERNAL;
    *ret_state = group;
    return GR_OK;
}

static void fini(struct gr_self *self, void *state)
{
    (void)self;
    grc_isolated_free(state);
}

/* --- putting them there --- */

static void apply_schema(struct grc_schema *schema)
{
    if (grc_schema_has_checks(schema))
        grc_schema_check_elsewhere(schema, check);
}

static void apply_route(const struct grc_route *route)
{
    struct gr_route *row = (struct gr_route *)(uintptr_t)route->row;

    if (row->handle)
        row->handle = handle;
    if (row->admit)
        row->admit = admit;
    apply_schema(route->params);
    apply_schema(route->query);
    apply_schema(route->body);
}

void grc_isolation_apply(struct grc_plugin *plugin)
{
    /* The rows are the copy made by rows.c, which may change until the runtime serves. */
    struct gr_plugin *desc = (struct gr_plugin *)(uintptr_t)plugin->desc;

    desc->init = init;
    desc->start = NULL; /* both are done when the process is ready */
    desc->stop = NULL;
    desc->fini = fini;
    if (desc->authenticate)
        desc->authenticate = authenticate;
    if (desc->render_error)
        desc->render_error = render_error;
    if (desc->ready)
        desc->ready = ready;
    if (desc->status)
        desc->status = status;
    if (desc->timers)
        ((struct gr_timer *)(uintptr_t)desc->timers)->name = NULL; /* none runs here */
    for (size_t i = 0; i < plugin->route_count; i++)
        apply_route(&plugin->routes[i]);
}

void grc_isolation_quiet(struct grc_plugin *plugin)
{
    if (plugin->settings && plugin->settings->isolated && plugin->instance)
        grc_isolated_quiet(plugin->instance);
}
