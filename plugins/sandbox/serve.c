/* The handlers of all routes: see struct sb_endpoint. */
#include "faults.h"
#include "routes.h"

static void count_call(struct gr_call *call, struct sandbox *sb)
{
    const struct gr_route *route = gr_route_of(call);
    json_t *calls = sb_all(sb, "calls");
    json_t *count = route ? json_object_get(calls, route->id) : NULL;

    if (!route)
        return;
    if (count && json_integer_set(count, json_integer_value(count) + 1) == 0)
        sb->change++;
    else
        sb_set(sb, calls, route->id, json_integer(1));
}

static enum gr_err leave_with(struct gr_call *call, struct sandbox *sb, enum gr_err err)
{
    if (!sb_leave(sb) && err == GR_OK)
        return gr_fail(call, GR_ERR_NO_MEMORY, "out of memory");
    return err;
}

static bool is_admitted(struct sandbox *sb)
{
    bool admitted;

    pthread_mutex_lock(&sb->lock);
    admitted = sb_rate_admits(sb);
    pthread_mutex_unlock(&sb->lock);
    return admitted;
}

enum gr_err sb_serve(struct gr_call *call)
{
    struct sandbox *sb = call->state;
    bool done = false;
    enum gr_err err = GR_OK;

    if (!is_admitted(sb))
        return sb_too_many(call, 1);
    err = sb_faults_apply(call, sb, &done);
    if (err != GR_OK || done)
        return err;
    sb_enter(sb);
    count_call(call, sb);
    sb_note_base_url(call, sb);
    return leave_with(call, sb, sb_endpoint_of(call)->run(call, sb));
}

enum gr_err sb_serve_admin(struct gr_call *call)
{
    struct sandbox *sb = call->state;

    /* The API accepts calls from every web page, because it needs a token. These routes need none.
     */
    if (gr_header(call, "Origin").len)
        return sb_error(call, 403, "routes for tests cannot be called by web pages", NULL);
    sb_enter(sb);
    sb_note_base_url(call, sb);
    return leave_with(call, sb, sb_endpoint_of(call)->run(call, sb));
}
