/* The service table, and the small services. */
#include "call/host.h"

#include "base/address.h"
#include "base/bearer.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "base/secret_file.h"
#include "base/secure.h"
#include "base/uri.h"
#include "call/exclusive.h"
#include "call/timers.h"
#include "loop/turn.h"
#include "metrics/metrics.h"

static void vlog(const struct gr_self *self, const struct gr_call *pub, enum gr_log_level level,
                 const char *format, va_list args) __attribute__((format(printf, 4, 0)));
static void vlog(const struct gr_self *self, const struct gr_call *pub, enum gr_log_level level,
                 const char *format, va_list args)
{
    const struct grc_call *call = (const struct grc_call *)pub;
    const struct grc_log_field end = {.kind = GRC_LOG_END};
    struct grc_buf message;

    if (level > grc_log_level())
        return;
    bool traced = call && call->traceparent[0];
    gr_str trace_id = traced ? grc_context_trace_id(call->traceparent) : (gr_str){NULL, 0};
    gr_str span_id = traced ? grc_context_span_id(call->traceparent) : (gr_str){NULL, 0};
    grc_buf_init(&message, 8192);
    if (grc_buf_vformat(&message, format, args) == GR_OK)
        grc_log_fields(level, message.ptr,
                       GRC_LOG_FIELDS(GRC_LT("plugin", self ? self->name : "core"),
                                      GRC_LT("request_id", call ? call->request_id : ""),
                                      traced ? GRC_LS("trace_id", trace_id) : end,
                                      GRC_LS("span_id", span_id)));
    grc_buf_done(&message);
}

static void *alloc(struct gr_call *pub, size_t bytes)
{
    return grc_arena_alloc(&grc_call_of(pub)->arena, bytes);
}

static char *vformat(struct gr_call *pub, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static char *vformat(struct gr_call *pub, const char *format, va_list args)
{
    return grc_arena_vformat(&grc_call_of(pub)->arena, format, args);
}

static enum gr_err defer(struct gr_call *pub, void (*fn)(void *), void *arg)
{
    return grc_arena_defer(&grc_call_of(pub)->arena, fn, arg);
}

static const struct grc_call *view(const struct gr_call *pub)
{
    return (const struct grc_call *)pub;
}

static const struct gr_route *route(const struct gr_call *pub)
{
    return view(pub)->route ? view(pub)->route->row : NULL;
}

static gr_str path(const struct gr_call *pub)
{
    return view(pub)->request ? view(pub)->request->path : (gr_str){NULL, 0};
}

static gr_str param(const struct gr_call *pub, const char *name)
{
    const struct grc_match *match = &view(pub)->match;

    for (size_t i = 0; i < match->param_count; i++) {
        if (gr_str_eq(match->params[i].name, gr_str_of(name)))
            return match->params[i].value;
    }
    return (gr_str){NULL, 0};
}

static bool query(const struct gr_call *pub, const char *name, size_t index, gr_str *ret_value)
{
    const struct grc_call *call = view(pub);

    for (size_t i = 0; i < call->query_count; i++) {
        if (!gr_str_eq(call->query[i].name, gr_str_of(name)))
            continue;
        if (index-- == 0) {
            *ret_value = call->query[i].value;
            return true;
        }
    }
    return false;
}

static const struct gr_pair *query_all(const struct gr_call *pub, size_t *ret_count)
{
    *ret_count = view(pub)->query_count;
    return view(pub)->query;
}

static gr_str header(const struct gr_call *pub, const char *name)
{
    return view(pub)->request ? grc_request_header(view(pub)->request, name) : (gr_str){NULL, 0};
}

static gr_str bearer(const struct gr_call *pub)
{
    return grc_bearer_token(header(pub, "Authorization"));
}

static gr_str body(const struct gr_call *pub)
{
    return grc_buf_view(&view(pub)->body);
}

static const json_t *json(const struct gr_call *pub)
{
    return view(pub)->json;
}

static bool body_is_json(const struct gr_call *pub)
{
    return grc_field_json_type(header(pub, "Content-Type"));
}

static gr_str peer(const struct gr_call *pub)
{
    return view(pub)->request ? gr_str_of(view(pub)->request->peer) : (gr_str){NULL, 0};
}

static gr_str peer_key(struct gr_call *pub)
{
    char *text = grc_arena_alloc(&grc_call_of(pub)->arena, GRC_ADDRESS_KEY_SIZE);

    return text ? grc_address_key(peer(pub), text) : (gr_str){NULL, 0};
}

static gr_str request_id(const struct gr_call *pub)
{
    return gr_str_of(view(pub)->request_id);
}

static gr_str caller(const struct gr_call *pub)
{
    return view(pub)->caller_id;
}

static bool caller_may(const struct gr_call *pub, const char *binds, gr_str value)
{
    return grc_call_may(view(pub), binds, value);
}

static enum gr_err set_caller(struct gr_call *pub, gr_str id)
{
    struct grc_call *call = grc_call_of(pub);
    char *copy = grc_arena_copy(&call->arena, id);

    if (!copy)
        return GR_ERR_NO_MEMORY;
    call->caller_id = (gr_str){copy, id.len};
    return GR_OK;
}

static enum gr_err set_caller_account(struct gr_call *pub, const struct gr_account *account)
{
    struct grc_call *call = grc_call_of(pub);
    char *text =
        grc_arena_format(&call->arena, "%.*s.%.*s", (int)account->label.len, account->label.ptr,
                         (int)account->audience.len, account->audience.ptr);

    if (!text)
        return GR_ERR_NO_MEMORY;
    call->caller_id = gr_str_of(text);
    /* The parts are slices of the text, which lives as long as the call. */
    call->account.label = (gr_str){text, account->label.len};
    call->account.audience = (gr_str){text + account->label.len + 1, account->audience.len};
    return GR_OK;
}

static struct gr_account caller_account(const struct gr_call *pub)
{
    return view(pub)->account;
}

static enum gr_err validate(struct gr_call *pub, const struct gr_field *row, const json_t *value)
{
    struct grc_call *call = grc_call_of(pub);
    char *reason = NULL;
    struct grc_schema *compiled = grc_schema_value(row, sizeof(*row), &reason);

    if (!compiled) {
        grc_error("%s: field row: %s", call->plugin ? call->plugin->self.name : "core",
                  reason ? reason : "out of memory");
        free(reason);
        return GR_ERR_INTERNAL;
    }
    enum gr_err err = grc_schema_check_json(compiled, pub, value, &call->problems);
    grc_schema_free(compiled);
    return err;
}

struct parsed {
    json_t *value;
    size_t bytes;
};

static void drop_parsed(void *arg)
{
    const struct parsed *parsed = arg;

    grc_json_drop(parsed->value, parsed->bytes);
}

static json_t *parse_json(struct gr_call *pub, gr_str text)
{
    struct grc_call *call = grc_call_of(pub);
    struct parsed *parsed = grc_arena_alloc(&call->arena, sizeof(*parsed));

    if (!parsed ||
        grc_json_parse_within(text, GRC_JSON_DEPTH_MAX, grc_arena_left(&call->arena),
                              &parsed->value, &parsed->bytes, NULL) != GR_OK ||
        grc_arena_defer(&call->arena, drop_parsed, parsed) != GR_OK)
        return NULL;
    return grc_arena_charge(&call->arena, parsed->bytes) ? parsed->value : NULL;
}

static gr_str json_text(struct gr_call *pub, const json_t *value)
{
    struct grc_buf text;
    gr_str copy = {NULL, 0};

    grc_buf_init(&text, grc_call_of(pub)->arena.max_bytes);
    if (grc_json_write(&text, value) == GR_OK) {
        copy.ptr = grc_arena_copy(&grc_call_of(pub)->arena, grc_buf_view(&text));
        copy.len = copy.ptr ? text.len : 0;
    }
    grc_buf_done(&text);
    return copy;
}

static char *segment(struct gr_call *pub, gr_str text)
{
    struct grc_buf encoded;
    char *copy = NULL;

    grc_buf_init(&encoded, grc_call_of(pub)->arena.max_bytes);
    if (grc_segment_encode(&encoded, text) == GR_OK)
        copy = grc_arena_copy(&grc_call_of(pub)->arena, grc_buf_view(&encoded));
    grc_buf_done(&encoded);
    return copy;
}

static void metric_add(const struct gr_self *self, const char *name, const char *label,
                       int64_t delta)
{
    const struct grc_plugin *plugin = (const struct grc_plugin *)self;

    grc_metrics_plugin_add(self->name, plugin->desc->metrics, name, label, delta);
}

static void timer_wake(struct gr_self *self, const char *name)
{
    grc_plugin_timers_wake((struct grc_plugin *)self, name);
}

static const char *state_dir(const struct gr_self *self)
{
    const struct grc_plugin *plugin = (const struct grc_plugin *)self;

    return plugin->runtime->settings->state_dir;
}

static gr_str state_secret(struct gr_self *self, const char *file)
{
    struct grc_plugin *plugin = (struct grc_plugin *)self;
    const char *dir = state_dir(self);
    const char *reason = "out of memory";
    gr_str secret = {NULL, 0};
    bool made = false;
    char *path = file[0] == '/' ? strdup(file) : grc_path_join(dir ? dir : ".", file);
    char *text = path ? grc_secret_file(path, &made, &reason) : NULL;

    if (text) {
        secret.ptr = grc_keep_copy(&plugin->keep, gr_str_of(text));
        secret.len = secret.ptr ? strlen(text) : 0;
        grc_wipe_free(text);
    }
    if (!secret.ptr)
        grc_error("%s: the secret file '%s' cannot be used: %s", self->name, path ? path : file,
                  reason);
    else if (made)
        grc_info("%s: made a new secret in '%s'", self->name, path);
    free(path);
    return secret;
}

/* --- taking turns --- */

struct held {
    const char *owner;
    gr_str key;
};

static void let_go(void *arg)
{
    const struct held *held = arg;

    grc_exclusive_leave(held->owner, held->key);
}

static enum gr_err exclusive(struct gr_call *pub, gr_str key, int64_t wait_ms)
{
    struct grc_call *call = grc_call_of(pub);
    struct held *held = grc_arena_alloc(&call->arena, sizeof(*held));
    char *copy = grc_arena_copy(&call->arena, key);
    int64_t until_ms = grc_mono_ms() + wait_ms;
    bool own = call->deadline_ms && call->deadline_ms < until_ms;
    bool is_new = false;

    if (!held || !copy)
        return grc_fail(call, GR_ERR_NO_MEMORY, "no memory to wait for '%s'", copy ? copy : "");
    *held = (struct held){pub->self->name, {copy, key.len}};
    enum gr_err err = grc_exclusive_enter(held->owner, held->key, call,
                                          own ? call->deadline_ms : until_ms, &is_new);
    if (err == GR_ERR_TIMEOUT)
        err = own ? GR_ERR_TIMEOUT : GR_ERR_OVERLOAD;
    if (err != GR_OK)
        return grc_fail(call, err, "another request is working on the same thing");
    return is_new ? defer(pub, let_go, held) : GR_OK;
}

static void blocking(bool begins)
{
    if (begins)
        grc_block_begin();
    else
        grc_block_end();
}

const struct gr_host grc_host = {
    .size = sizeof(struct gr_host),
    .abi_major = GR_ABI_MAJOR,
    .abi_minor = GR_ABI_MINOR,
    .vlog = vlog,
    .alloc = alloc,
    .vformat = vformat,
    .defer = defer,
    .route = route,
    .path = path,
    .param = param,
    .query = query,
    .query_all = query_all,
    .header = header,
    .bearer = bearer,
    .body = body,
    .json = json,
    .peer = peer,
    .peer_key = peer_key,
    .body_is_json = body_is_json,
    .request_id = request_id,
    .caller = caller,
    .caller_may = caller_may,
    .set_caller = set_caller,
    .reply_json = grc_host_reply_json,
    .reply_bytes = grc_host_reply_bytes,
    .reply_header = grc_host_reply_header,
    .reply_cut = grc_host_reply_cut,
    .vfail = grc_host_vfail,
    .fail_with = grc_host_fail_with,
    .vinvalid = grc_host_vinvalid,
    .validate = validate,
    .forward = grc_host_forward,
    .upstream_call = grc_host_upstream_call,
    .upstream_define = grc_host_upstream_define,
    .upstream_define_url = grc_host_upstream_define_url,
    .segment = segment,
    .parse_json = parse_json,
    .json_text = json_text,
    .jwt_sign = grc_host_jwt_sign,
    .jwt_verify = grc_host_jwt_verify,
    .jwt_peek = grc_host_jwt_peek,
    .jwt_key_fault = grc_host_jwt_key_fault,
    .credential_sign = grc_host_credential_sign,
    .random = grc_random,
    .secret_equal = grc_secret_equal,
    .hmac_sha256 = grc_hmac_sha256,
    .sha256 = grc_sha256,
    .hex = grc_hex,
    .unhex = grc_unhex,
    .wipe = grc_wipe,
    .uuid = grc_uuid,
    .now_ms = grc_now_ms,
    .time_ms = grc_rfc3339_parse,
    .store_run = grc_host_store_run,
    .store_now_ms = grc_host_store_now_ms,
    .store_tx = grc_host_store_tx,
    .metric_add = metric_add,
    .timer_wake = timer_wake,
    .state_dir = state_dir,
    .state_secret = state_secret,
    .relay = grc_host_relay,
    .exclusive = exclusive,
    .blocking = blocking,
    .set_caller_account = set_caller_account,
    .caller_account = caller_account,
};
