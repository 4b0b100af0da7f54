/*
 * Readiness. The admin listener answers with every check; the public listener only with "ready" or
 * "not ready", and checks at most once a second, however many clients ask.
 */
#include "server/readiness.h"

#include "base/clock.h"
#include "guard/limits.h"
#include "server/schemas.h"

#include <pthread.h>
#include <stdlib.h>

/* How long an answer of the public listener is reused. */
#define LAST_MS 1000

struct readiness {
    json_t *checks;
    bool ready;
};

static void note(struct readiness *readiness, const char *kind, const char *name,
                 const char *trouble)
{
    json_t *check = json_pack("{s:s, s:s, s:s}", "kind", kind, "name", name, "status",
                              trouble ? "failing" : "ok");

    if (check && trouble)
        json_object_set_new(check, "reason", json_string(trouble));
    json_array_append_new(readiness->checks, check);
    if (trouble)
        readiness->ready = false;
}

/* An upstream fails if its breaker is not closed or its last call failed. */
static void note_upstream(void *arg, const char *name, const char *state, const char *detail)
{
    bool fine = strcmp(state, "ok") == 0 || strcmp(state, "unused") == 0;

    (void)detail; /* not of use to a probe */
    /* Requests are served without the gateway's own upstreams: keys of issuers that were fetched
     * before still work, and spans are dropped. */
    if (strchr(name, ':'))
        return;
    note(arg, "upstream", name, fine ? NULL : state);
}

static void note_plugin(struct readiness *readiness, struct grc_runtime *runtime,
                        struct grc_plugin *plugin)
{
    struct grc_call *call = calloc(1, sizeof(*call));

    if (!call) {
        note(readiness, "group", plugin->self.name, "out of memory");
        return;
    }
    grc_call_begin(call, runtime, plugin);
    enum gr_err err = plugin->desc->ready(&call->pub);
    note(readiness, "group", plugin->self.name,
         err == GR_OK          ? NULL
         : call->error.message ? call->error.message
                               : "not ready");
    grc_call_done(call);
    free(call);
}

/* Without the server of shared limits, a gateway either counts alone and is ready, or refuses the
 * requests that it cannot count and is not ready. */
static void note_limits(struct readiness *readiness, const struct grc_runtime *runtime)
{
    struct grc_shared *shared = runtime->limits->shared;
    char reason[256];

    if (!shared)
        return;
    bool works = grc_shared_works(shared, reason, sizeof(reason));
    note(readiness, "limits", "shared",
         works || !runtime->settings->limits.shared.closed ? NULL : reason);
}

/* Does all checks. */
static struct readiness look(struct grc_call *call)
{
    struct grc_runtime *runtime = call->runtime;
    struct readiness readiness = {.checks = json_array(), .ready = true};
    char text[256];

    grc_upstreams_probe(runtime->upstreams, &call->arena);
    grc_upstreams_states(runtime->upstreams, note_upstream, &readiness);
    if (runtime->store)
        note(&readiness, "store", grc_store_kind(runtime->store),
             grc_schemas_trouble(runtime, text, sizeof(text)));
    note_limits(&readiness, runtime);
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        struct grc_plugin *plugin = runtime->plugins[i];

        if (plugin->state == GRC_LOAD_OK && plugin->desc->ready)
            note_plugin(&readiness, runtime, plugin);
    }
    return readiness;
}

/* --- the answer of the public listener --- */

static struct {
    pthread_mutex_t lock;
    const struct grc_runtime *runtime; /* that was checked; only compared */
    int64_t until_ms;
    bool looking; /* a request does the checks, and others reuse the last answer */
    bool ready;
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Returns true if the last answer is to be reused: it is still valid, or another request renews it.
 */
static bool recall(const struct grc_runtime *runtime, bool *ret_ready)
{
    pthread_mutex_lock(&last.lock);
    bool holds = last.runtime == runtime && (last.looking || grc_mono_ms() < last.until_ms);
    *ret_ready = last.ready;
    if (!holds) /* this request does the checks; for a new runtime there is no answer to reuse yet
                 */
        last.looking = last.runtime == runtime;
    pthread_mutex_unlock(&last.lock);
    return holds;
}

static void remember(const struct grc_runtime *runtime, bool ready)
{
    pthread_mutex_lock(&last.lock);
    last.runtime = runtime;
    last.until_ms = grc_mono_ms() + LAST_MS;
    last.looking = false;
    last.ready = ready;
    pthread_mutex_unlock(&last.lock);
}

static bool is_ready(struct grc_call *call)
{
    bool ready;

    if (recall(call->runtime, &ready))
        return ready;
    struct readiness readiness = look(call);
    json_decref(readiness.checks);
    remember(call->runtime, readiness.ready);
    return readiness.ready;
}

/* --- the route --- */

static const char *word_of(bool ready)
{
    return ready ? "ready" : "not ready";
}

enum gr_err grc_readiness_handle(struct gr_call *pub)
{
    struct grc_call *call = grc_call_of(pub);
    bool leaving = call->request->leaving;

    if (!call->request->admin) {
        bool ready = !leaving && is_ready(call);

        return gr_reply_json(pub, ready ? 200 : 503, json_pack("{s:s}", "status", word_of(ready)));
    }
    struct readiness readiness = look(call);
    if (leaving)
        note(&readiness, "gateway", "greenroom", "shutting down");
    return gr_reply_json(
        pub, readiness.ready ? 200 : 503,
        json_pack("{s:s, s:o}", "status", word_of(readiness.ready), "checks", readiness.checks));
}
