#include "idempotency/idempotency.h"

#include "auth/callers.h"
#include "base/log.h"
#include "base/secure.h"
#include "call/host.h"
#include "idempotency/keeper.h"
#include "idempotency/kept_answer.h"
#include "idempotency/key.h"
#include "loop/fiber.h"
#include "metrics/metrics.h"
#include "store/clock.h"

#include <stdlib.h>

#define DIGEST_TEXT 65u

/* The claim of a call, in its arena. */
struct grc_claim {
    char id[DIGEST_TEXT];
    char fingerprint[DIGEST_TEXT];
    int64_t token;
    size_t headers_before; /* headers of the reply that are not the handler's */
    bool was_shielded;
};

static const struct gr_metric metrics[] = {
    {"requests_total", GR_COUNTER, "Requests with an Idempotency-Key, by result", "result"},
    GR_END,
};

static void count(const char *result)
{
    grc_metrics_plugin_add("idempotency", metrics, "requests_total", result, 1);
}

const struct grc_idempotency_settings *grc_idempotency_of(const struct grc_route *route)
{
    const struct grc_plugin_settings *settings = route->plugin->settings;

    if (!(route->row->flags & GR_ROUTE_IDEMPOTENCY_KEY) || !settings ||
        settings->idempotency.keep_ms == 0)
        return NULL;
    return &settings->idempotency;
}

/* --- the runtime --- */

static bool group_wants(const struct grc_plugin *plugin)
{
    return plugin->state == GRC_LOAD_OK && plugin->settings &&
           plugin->settings->idempotency.keep_ms > 0;
}

bool grc_idempotency_wanted(const struct grc_runtime *runtime)
{
    for (size_t i = 0; i < runtime->plugin_count; i++) {
        if (group_wants(runtime->plugins[i]))
            return true;
    }
    return false;
}

struct grc_keeper *grc_idempotency_start(struct grc_runtime *runtime, char **ret_reason)
{
    struct grc_keeper *keeper = NULL;
    size_t found = 0;

    *ret_reason = NULL;
    if (grc_records_migrate(runtime->store, ret_reason) != GR_OK)
        return NULL;
    const char **groups = calloc(runtime->plugin_count + 1, sizeof(*groups));
    for (size_t i = 0; groups && i < runtime->plugin_count; i++) {
        if (group_wants(runtime->plugins[i]))
            groups[found++] = runtime->plugins[i]->self.name;
    }
    if (groups)
        keeper = grc_keeper_new(runtime->store, groups);
    free(groups);
    return keeper;
}

/* --- who asks for what --- */

/* Adds a part with its length, so that no two lists of parts are the same bytes. */
static enum gr_err add_part(struct grc_buf *buf, gr_str part)
{
    uint64_t len = part.len;
    enum gr_err err = grc_buf_add(buf, &len, sizeof(len));

    return err == GR_OK ? grc_buf_str(buf, part) : err;
}

static enum gr_err add_pairs(struct grc_buf *buf, const struct gr_pair *pairs, size_t count)
{
    uint64_t number = count;
    enum gr_err err = grc_buf_add(buf, &number, sizeof(number));

    for (size_t i = 0; i < count && err == GR_OK; i++) {
        err = add_part(buf, pairs[i].name);
        if (err == GR_OK)
            err = add_part(buf, pairs[i].value);
    }
    return err;
}

static void digest(gr_str bytes, char ret_text[DIGEST_TEXT])
{
    unsigned char sum[32];

    grc_sha256(bytes, sum);
    grc_hex(sum, sizeof(sum), ret_text);
}

/* What the request asks for: path parameters, query and body. */
static enum gr_err write_fingerprint(const struct grc_call *call, struct grc_buf *buf,
                                     char ret_text[DIGEST_TEXT])
{
    char body[DIGEST_TEXT];

    digest(grc_buf_view(&call->body), body);
    grc_buf_clear(buf);
    enum gr_err err = add_pairs(buf, call->match.params, call->match.param_count);
    if (err == GR_OK)
        err = add_pairs(buf, call->query, call->query_count);
    if (err == GR_OK)
        err = add_part(buf, gr_str_of(body));
    if (err == GR_OK)
        digest(grc_buf_view(buf), ret_text);
    return err;
}

/*
 * The identity of the caller, part by part: two callers whose parts differ never share a record. A
 * client without an identity is told apart by the fingerprint of its request, since other such
 * clients may choose the same key.
 */
static enum gr_err add_caller(const struct grc_call *call, struct grc_buf *buf,
                              const char *fingerprint)
{
    const bool of_host = call->route->row->access == GR_ACCESS_CALLER && call->caller;
    const struct gr_account *account = &call->account;
    const bool known = call->caller_id.len > 0 || account->label.len > 0;
    const gr_str parts[] = {
        gr_str_of(of_host ? call->caller->provider : ""),
        call->caller_id,
        account->label,
        account->audience,
        gr_str_of(of_host ? "" : call->plugin->self.name),
        gr_str_of(known ? "" : fingerprint),
    };
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && err == GR_OK; i++)
        err = add_part(buf, parts[i]);
    return err;
}

static enum gr_err write_digests(const struct grc_call *call, gr_str key, struct grc_claim *claim)
{
    struct grc_buf buf;

    grc_buf_init(&buf, call->arena.max_bytes);
    enum gr_err err = write_fingerprint(call, &buf, claim->fingerprint);
    grc_buf_clear(&buf);
    if (err == GR_OK)
        err = add_caller(call, &buf, claim->fingerprint);
    if (err == GR_OK)
        err = add_part(&buf, gr_str_of(call->route->row->id));
    if (err == GR_OK)
        err = add_part(&buf, key);
    if (err == GR_OK)
        digest(grc_buf_view(&buf), claim->id);
    grc_buf_done(&buf);
    return err;
}

/* --- the answers to a repeated request --- */

enum refusal { REUSED, IN_PROGRESS, LOST, LARGE, UNAVAILABLE, FULL };

static const struct {
    enum gr_err err;
    const char *result; /* in the metrics */
    const char *type;
    unsigned retry_after_s;
    const char *message;
} refusals[] = {
    [REUSED] = {GR_ERR_UNPROCESSABLE, "reused", "idempotency_key_reused", 0,
                "this Idempotency-Key was used for another request"},
    [IN_PROGRESS] = {GR_ERR_CONFLICT, "in_progress", "idempotency_key_in_progress", 1,
                     "the first request with this Idempotency-Key is still being served"},
    [LOST] = {GR_ERR_UPSTREAM_TIMEOUT, "unknown", "idempotency_outcome_unknown", 0,
              "the first request with this Idempotency-Key may have been carried out, but its "
              "outcome is not known; it is not carried out again"},
    [LARGE] = {GR_ERR_UPSTREAM_TIMEOUT, "too_large", "idempotency_answer_not_kept", 0,
               "the first request with this Idempotency-Key was answered, but the answer was too "
               "large to be kept"},
    [UNAVAILABLE] = {GR_ERR_OVERLOAD, "unavailable", "idempotency_unavailable", 1,
                     "the store with the records of Idempotency-Keys does not answer; the request "
                     "was not carried out"},
    [FULL] = {GR_ERR_OVERLOAD, "full", "idempotency_full", 60,
              "there are too many records of Idempotency-Keys; the request was not carried out"},
};

static enum gr_err refuse(struct grc_call *call, enum refusal why)
{
    const struct gr_error error = {.err = refusals[why].err,
                                   .type = refusals[why].type,
                                   .message = refusals[why].message,
                                   .retry_after_s = refusals[why].retry_after_s};

    count(refusals[why].result);
    return grc_host_fail_with(&call->pub, &error);
}

static enum gr_err answer_again(struct grc_call *call, const struct grc_record *record)
{
    const struct grc_record_answer *answer = &record->answer;

    if (!record->same)
        return refuse(call, REUSED);
    switch (answer->state) {
    case GRC_RECORD_OPEN:
        return refuse(call, IN_PROGRESS);
    case GRC_RECORD_ANSWERED:
        if (!grc_kept_answer_give(call, answer))
            return grc_fail(call, GR_ERR_INTERNAL, "the kept answer cannot be read");
        count("replayed");
        return GR_OK;
    case GRC_RECORD_LARGE:
        return refuse(call, LARGE);
    case GRC_RECORD_LOST:
        break;
    }
    return refuse(call, LOST);
}

/* --- the claim --- */

static enum gr_err read_key(struct grc_call *call, gr_str *ret_key)
{
    gr_str value = {NULL, 0};
    size_t shown = grc_request_header_count(call->request, GRC_IDEMPOTENCY_KEY, &value);
    const char *wanted = shown > 1 ? "one" : grc_idempotency_key(&call->arena, value, ret_key);

    return wanted ? grc_fail(call, GR_ERR_BAD_REQUEST, GRC_IDEMPOTENCY_KEY ": expected %s", wanted)
                  : GR_OK;
}

static enum gr_err fail_store(struct grc_call *call, const char *id, int64_t token, enum gr_err err)
{
    if (err == GR_ERR_CANCELLED)
        return err;
    if (err == GR_ERR_STORE_DOWN) /* the record may have been made before the connection broke */
        grc_keeper_end_later(call->runtime->keeper, GRC_LATER_RELEASE, id, token, NULL);
    if (err == GR_ERR_NO_MEMORY)
        return grc_fail(call, err, "no memory for the kept answer");
    return refuse(call, UNAVAILABLE);
}

static enum gr_err ask_store(struct grc_call *call, struct grc_claim *claim, bool *ret_first,
                             struct grc_record *record)
{
    const struct grc_idempotency_settings *settings = grc_idempotency_of(call->route);
    struct grc_keeper *keeper = call->runtime->keeper;
    const struct grc_record_claim wanted = {.id = claim->id,
                                            .fingerprint = claim->fingerprint,
                                            .owner = grc_keeper_owner(keeper),
                                            .group = call->plugin->self.name,
                                            .operation = call->route->row->id,
                                            .token = claim->token,
                                            .now_ms = grc_store_now_ms(call->runtime->store, NULL),
                                            .keep_ms = settings->keep_ms};

    if (grc_keeper_count(keeper, call->plugin->self.name) >= settings->records_max)
        return refuse(call, FULL);
    /* This comes before the record is made, so that no other gateway sees a record without a beat.
     * */
    grc_keeper_begin(keeper, call->plugin->self.name);
    enum gr_err err =
        grc_record_claim(call->runtime->store, &call->arena, &wanted, ret_first, record);
    grc_keeper_claimed(keeper, call->plugin->self.name, err != GR_OK || *ret_first);
    if (err != GR_OK || !*ret_first)
        grc_keeper_end(keeper);
    return err == GR_OK ? GR_OK : fail_store(call, claim->id, claim->token, err);
}

enum gr_err grc_idempotency_claim(struct grc_call *call)
{
    gr_str key = {NULL, 0};
    struct grc_record record = {.same = false};
    bool first = false;

    if (!grc_idempotency_of(call->route) ||
        grc_request_header_count(call->request, GRC_IDEMPOTENCY_KEY, &key) == 0)
        return GR_OK;
    enum gr_err err = read_key(call, &key);
    if (err != GR_OK)
        return err;
    struct grc_claim *claim = grc_arena_alloc(&call->arena, sizeof(*claim));
    if (!claim || write_digests(call, key, claim) != GR_OK)
        return grc_fail(call, GR_ERR_NO_MEMORY, "no memory for the Idempotency-Key");
    grc_random(&claim->token, sizeof(claim->token));
    err = ask_store(call, claim, &first, &record);
    if (err != GR_OK)
        return err;
    if (!first)
        return answer_again(call, &record);
    count("first");
    claim->headers_before = call->reply->header_count;
    claim->was_shielded = grc_fiber_shield(true);
    call->claim = claim;
    return GR_OK;
}

/* --- the end --- */

/* Nothing was done, and the next attempt may succeed: with 401, when the gateway has another secret
 * for the upstream, or the right time. */
static bool may_try_again(const struct grc_call *call, bool cancelled)
{
    int status = call->reply->status;

    return !call->acted && (cancelled || status >= 500 || status == 429 || status == 401);
}

static void release(struct grc_call *call, const struct grc_claim *claim)
{
    if (grc_record_release(call->runtime->store, claim->id, claim->token) != GR_OK)
        grc_keeper_end_later(call->runtime->keeper, GRC_LATER_RELEASE, claim->id, claim->token,
                             NULL);
}

static void lose(struct grc_call *call, const struct grc_claim *claim)
{
    if (grc_record_lose(call->runtime->store, claim->id, claim->token) != GR_OK)
        grc_keeper_end_later(call->runtime->keeper, GRC_LATER_LOSE, claim->id, claim->token, NULL);
}

static void keep_answer(struct grc_call *call, const struct grc_claim *claim)
{
    size_t max = (size_t)grc_idempotency_of(call->route)->answer_max_bytes;
    struct grc_record_answer answer;

    grc_kept_answer_of(call, claim->headers_before, max, &answer);
    if (grc_record_answer(call->runtime->store, claim->id, claim->token, &answer) == GR_OK)
        return;
    grc_keeper_end_later(call->runtime->keeper, GRC_LATER_ANSWER, claim->id, claim->token, &answer);
    grc_log_fields(GR_LOG_WARN,
                   "an answer could not be kept for its Idempotency-Key yet; a caller that repeats "
                   "the request gets it when the store is back",
                   GRC_LOG_FIELDS(GRC_LT("request_id", call->request_id),
                                  GRC_LT("route", call->route->row->id)));
}

void grc_idempotency_settle(struct grc_call *call, bool cancelled)
{
    struct grc_claim *claim = call->claim;

    if (!claim)
        return;
    if (may_try_again(call, cancelled))
        release(call, claim);
    else if (cancelled)
        lose(call, claim);
    else
        keep_answer(call, claim);
    grc_keeper_end(call->runtime->keeper);
    call->claim = NULL;
    grc_fiber_shield(claim->was_shielded);
}
