/* Limits how often callers and addresses send requests, and how many at a time. */
#include "auth/callers.h"
#include "base/address.h"
#include "guard/limits.h"
#include "guard/state.h"

#define NOTHING ((gr_str){NULL, 0})
#define NAME(class_, who_, what_)                                                                  \
    (&(const struct grc_shared_name){.class = (class_), .who = (who_), .what = (what_)})

/* True for requests such as probes, whose answer must not depend on the load. */
static bool is_exempt(const struct grc_call *call)
{
    return call->request->admin || (call->route && !call->route->plugin->settings);
}

static gr_str address_of(const struct grc_call *call, char text[GRC_ADDRESS_KEY_SIZE])
{
    return grc_address_key(gr_str_of(call->request->peer), text);
}

/* --- requests in progress --- */

struct grc_guard_use {
    struct grc_limits *limits;
    struct grc_limits_use use;
    bool whole; /* the count of the whole gateway */
    bool ended;
    struct grc_guard_use *next;
};

static void end_use(void *arg)
{
    struct grc_guard_use *use = arg;

    if (use->ended)
        return;
    use->ended = true;
    if (use->whole)
        grc_limits_leave(use->limits);
    else
        grc_limits_release(use->limits, &use->use);
}

/* Returns NULL after it has failed the call. */
static struct grc_guard_use *use_new(struct grc_call *call, bool whole)
{
    struct grc_guard_use *use = grc_arena_alloc(&call->arena, sizeof(*use));

    if (use)
        *use = (struct grc_guard_use){.limits = call->runtime->limits, .whole = whole};
    else
        grc_fail(call, GR_ERR_NO_MEMORY, "no memory to count the request");
    return use;
}

static struct grc_guard_state *state_of(struct grc_call *call)
{
    if (!call->guard)
        call->guard = grc_arena_alloc(&call->arena, sizeof(*call->guard));
    return call->guard;
}

/* Has end_use() run when the call ends, unless grc_guard_leave() runs it before. Without memory it
 * runs at once. */
static enum gr_err use_keep(struct grc_call *call, struct grc_guard_use *use)
{
    struct grc_guard_state *state = state_of(call);

    if (state && grc_arena_defer(&call->arena, end_use, use) == GR_OK) {
        use->next = state->uses;
        state->uses = use;
        return GR_OK;
    }
    if (!state)
        end_use(use);
    return grc_fail(call, GR_ERR_NO_MEMORY, "no memory to count the request");
}

void grc_guard_leave(struct grc_call *call)
{
    for (struct grc_guard_use *use = call->guard ? call->guard->uses : NULL; use; use = use->next)
        end_use(use);
}

static enum gr_err too_many(struct grc_call *call, enum gr_err err, const char *what)
{
    err = grc_fail(call, err, "too many requests of %s at the same time", what);
    call->error.retry_after_s = 1;
    return err;
}

/* The limit is shared with other gateways, and cannot be counted now. */
static enum gr_err cannot_count(struct grc_call *call)
{
    enum gr_err err = grc_fail(call, GR_ERR_OVERLOAD, "requests cannot be counted now; try again");

    call->error.retry_after_s = 1;
    return err;
}

static enum gr_err enter(struct grc_call *call, enum grc_rate_class class, gr_str who, int64_t max,
                         const char *what)
{
    const struct grc_shared_name name = {.class = class, .who = who};
    struct grc_guard_use *use = use_new(call, false);

    if (!use)
        return call->error.err;
    switch (grc_limits_use(use->limits, &name, max, &use->use)) {
    case GR_OK:
        return use->use.counted ? use_keep(call, use) : GR_OK;
    case GR_ERR_RATE:
        return too_many(call, GR_ERR_RATE, what);
    default:
        return cannot_count(call);
    }
}

enum gr_err grc_guard_enter(struct grc_call *call)
{
    struct grc_limits *limits = call->runtime->limits;
    char text[GRC_ADDRESS_KEY_SIZE];

    if (is_exempt(call))
        return GR_OK;
    if (limits->settings->in_flight > 0) {
        struct grc_guard_use *use = use_new(call, true);

        if (!use)
            return call->error.err;
        if (!grc_limits_enter(limits))
            return too_many(call, GR_ERR_OVERLOAD, "all callers");
        enum gr_err err = use_keep(call, use);
        if (err != GR_OK)
            return err;
    }
    if (limits->settings->address.concurrent == 0)
        return GR_OK;
    return enter(call, GRC_RATE_ADDRESS_USE, address_of(call, text),
                 limits->settings->address.concurrent, "this address");
}

/* --- rates --- */

/* Notes the bucket with the fewest tokens, which the headers will describe. */
static void note_view(struct grc_call *call, const struct grc_rate_view *view, bool refused)
{
    if (!state_of(call) ||
        (call->guard->has_view && !refused && call->guard->view.remaining <= view->remaining))
        return;
    call->guard->view = *view;
    call->guard->has_view = true;
}

/* Adds the headers of draft-ietf-httpapi-ratelimit-headers-06; times are in seconds from now. */
static void tell_rate(struct grc_call *call)
{
    const struct grc_rate_view *view = &call->guard->view;

    grc_guard_header(call, "RateLimit-Limit", grc_arena_int(&call->arena, view->limit));
    grc_guard_header(call, "RateLimit-Remaining", grc_arena_int(&call->arena, view->remaining));
    grc_guard_header(call, "RateLimit-Reset", grc_arena_int(&call->arena, view->full_s));
}

static enum gr_err take(struct grc_call *call, const struct grc_shared_name *name,
                        const struct grc_rate *rate, const char *what)
{
    struct grc_rate_view view;
    enum gr_err err = grc_limits_take(call->runtime->limits, name, rate, &view);

    if (err == GR_ERR_OVERLOAD)
        return cannot_count(call);
    note_view(call, &view, err != GR_OK);
    if (err == GR_OK)
        return GR_OK;
    if (call->guard)
        tell_rate(call);
    err = grc_fail(call, GR_ERR_RATE, "too many requests of %s", what);
    call->error.retry_after_s = (unsigned)view.next_s;
    return err;
}

enum gr_err grc_guard_address(struct grc_call *call)
{
    const struct grc_rate *rate = &call->runtime->limits->settings->address.rate;
    char text[GRC_ADDRESS_KEY_SIZE];

    if (rate->per_s <= 0 || is_exempt(call))
        return GR_OK;
    return take(call, NAME(GRC_RATE_ADDRESS, address_of(call, text), NOTHING), rate,
                "this address");
}

/* Returns the name that a request is counted under, in the arena: that of the caller, or the
 * address of a client without a name. Its ptr is NULL when the call has failed. */
static gr_str who_of(struct grc_call *call)
{
    const struct grc_caller *caller = call->caller;
    const char *provider = call->plugin->self.name;
    char address[64];
    gr_str id = call->caller_id;

    if (caller && strcmp(caller->provider, "none") != 0) {
        provider = caller->provider;
    } else if (caller || id.len == 0) {
        provider = "";
        id = address_of(call, address);
    }
    size_t len = strlen(provider) + 1;
    char *who = grc_arena_alloc(&call->arena, len + id.len + 1);
    if (!who) {
        grc_fail(call, GR_ERR_NO_MEMORY, "no memory to count the request");
        return NOTHING;
    }
    memcpy(who, provider, len);
    if (id.len)
        memcpy(who + len, id.ptr, id.len);
    return (gr_str){who, len + id.len};
}

enum gr_err grc_guard_rate(struct grc_call *call)
{
    const struct grc_limits *limits = call->runtime->limits;
    const struct grc_rate *all = &limits->settings->caller.rate;
    const char *scope = call->route->scope;
    const char *id = call->route->row->id;
    enum gr_err err = GR_OK;

    if (!limits->rates || is_exempt(call))
        return GR_OK;
    const struct grc_rate *of_scope = scope ? grc_limits_scope(limits, scope) : NULL;
    const struct grc_rate *of_route = grc_limits_route(limits, id);
    if (all->per_s > 0 || of_scope || of_route) {
        gr_str who = who_of(call);

        if (!who.ptr)
            return call->error.err;
        if (all->per_s > 0)
            err = take(call, NAME(GRC_RATE_CALLER, who, NOTHING), all, "this caller");
        if (err == GR_OK && of_scope)
            err = take(call, NAME(GRC_RATE_SCOPE, who, gr_str_of(scope)), of_scope, "this scope");
        if (err == GR_OK && of_route)
            err = take(call, NAME(GRC_RATE_ROUTE, who, gr_str_of(id)), of_route, "this operation");
    }
    if (err == GR_OK && call->guard && call->guard->has_view)
        tell_rate(call);
    return err;
}

static void show(const struct grc_call *call, const char *of, const char *name,
                 const struct grc_shared_name *counted, const struct grc_rate *rate,
                 grc_guard_limit_fn *visit, void *arg)
{
    struct grc_guard_limit limit = {.of = of, .name = name, .rate = rate};

    grc_limits_look(call->runtime->limits, counted, rate, &limit.view);
    visit(arg, &limit);
}

void grc_guard_limits(struct grc_call *call, grc_guard_limit_fn *visit, void *arg)
{
    const struct grc_limits *limits = call->runtime->limits;
    const struct grc_rate *of_address = &limits->settings->address.rate;
    const struct grc_rate *of_caller = &limits->settings->caller.rate;
    const char *scope = call->route->scope;
    const char *id = call->route->row->id;
    char text[GRC_ADDRESS_KEY_SIZE];

    if (!limits->rates || is_exempt(call))
        return;
    gr_str who = who_of(call);
    const struct grc_rate *of_scope = scope ? grc_limits_scope(limits, scope) : NULL;
    const struct grc_rate *of_route = grc_limits_route(limits, id);
    if (of_address->per_s > 0)
        show(call, "address", call->request->peer,
             NAME(GRC_RATE_ADDRESS, address_of(call, text), NOTHING), of_address, visit, arg);
    if (of_caller->per_s > 0)
        show(call, "caller", "", NAME(GRC_RATE_CALLER, who, NOTHING), of_caller, visit, arg);
    if (of_scope)
        show(call, "scope", scope, NAME(GRC_RATE_SCOPE, who, gr_str_of(scope)), of_scope, visit,
             arg);
    if (of_route)
        show(call, "operation", id, NAME(GRC_RATE_ROUTE, who, gr_str_of(id)), of_route, visit, arg);
}

enum gr_err grc_guard_concurrent(struct grc_call *call)
{
    int64_t max = call->runtime->limits->settings->caller.concurrent;

    if (max == 0 || is_exempt(call))
        return GR_OK;
    gr_str who = who_of(call);
    if (!who.ptr)
        return call->error.err;
    return enter(call, GRC_RATE_CALLER_USE, who, max, "this caller");
}
