/*
 * greenroom/host.h: the services the host offers to a plugin. Included by greenroom/plugin.h,
 * whose opening comment holds the rules on ownership, threads and errors; not for use alone.
 *
 * Services that take a struct gr_call may be used in handlers, timers and commands, by the one
 * thread that has the call. Services that take a struct gr_self may be used in init and start,
 * and, where they say so, anywhere.
 */
#pragma once

#include <greenroom/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The plugin instance, as init, start and stop see it. */
struct gr_self {
    const struct gr_host *host;
    const char *name; /* the descriptor's */
};

/* One request, or one run of a timer or command. */
struct gr_call {
    const struct gr_host *host;
    struct gr_self *self;
    void *state; /* what init made */
};

/* Who makes the tokens that are accepted, and what accounts may do: see gr_authn_new() and
 * gr_authz_new(). Opaque. */
struct gr_authn;
struct gr_authz;

/* What somebody is about to do. */
struct gr_intent {
    gr_str account;            /* who: "label.audience" */
    const char *const *object; /* what: elements such as "rooms" and an id; NULL ends them */
    const char *action;        /* "create", "read" … */
};

enum gr_verdict {
    GR_DENIED = 0,
    GR_ALLOWED,
    GR_UNDECIDED /* the authorization service did not answer as it should */
};

/* Makes the plugin's own token for the authorization service of an audience: call memory, NULL on
 * failure. */
typedef const char *gr_bearer_fn(struct gr_call *call, const char *audience);

#if defined(__GNUC__)
#define GR_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))
#else
#define GR_PRINTF(format_, first_)
#endif

/*
 * The functions behind the gr_*() wrappers below, which carry the documentation. Append only;
 * test for a later one with GR_HOST_HAS().
 */
struct gr_host {
    uint32_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    /* since 1.0 */
    void (*vlog)(const struct gr_self *self, const struct gr_call *call, enum gr_log_level level,
                 const char *format, va_list args);
    void *(*alloc)(struct gr_call *call, size_t bytes);
    char *(*vformat)(struct gr_call *call, const char *format, va_list args);
    enum gr_err (*defer)(struct gr_call *call, void (*fn)(void *), void *arg);

    const struct gr_route *(*route)(const struct gr_call *call);
    gr_str (*path)(const struct gr_call *call);
    gr_str (*param)(const struct gr_call *call, const char *name);
    bool (*query)(const struct gr_call *call, const char *name, size_t index, gr_str *ret_value);
    const struct gr_pair *(*query_all)(const struct gr_call *call, size_t *ret_count);
    gr_str (*header)(const struct gr_call *call, const char *name);
    gr_str (*bearer)(const struct gr_call *call);
    gr_str (*body)(const struct gr_call *call);
    const json_t *(*json)(const struct gr_call *call);
    gr_str (*peer)(const struct gr_call *call);
    gr_str (*request_id)(const struct gr_call *call);
    gr_str (*caller)(const struct gr_call *call);
    bool (*caller_may)(const struct gr_call *call, const char *binds, gr_str value);
    enum gr_err (*set_caller)(struct gr_call *call, gr_str id);

    enum gr_err (*reply_json)(struct gr_call *call, int status, json_t *stolen);
    enum gr_err (*reply_bytes)(struct gr_call *call, int status, const char *content_type,
                               gr_str body);
    enum gr_err (*reply_header)(struct gr_call *call, const char *name, gr_str value);
    void (*reply_cut)(struct gr_call *call, size_t after_bytes);
    enum gr_err (*vfail)(struct gr_call *call, enum gr_err err, const char *format, va_list args);
    enum gr_err (*fail_with)(struct gr_call *call, const struct gr_error *error);
    enum gr_err (*vinvalid)(struct gr_call *call, const char *where, enum gr_problem_kind kind,
                            const char *format, va_list args);
    enum gr_err (*validate)(struct gr_call *call, const struct gr_field *rule, const json_t *value);

    enum gr_err (*forward)(struct gr_call *call);
    enum gr_err (*upstream_call)(struct gr_call *call, const struct gr_upstream_request *requests,
                                 struct gr_upstream_reply *replies, size_t count);
    enum gr_err (*upstream_define)(struct gr_self *self, const char *name, const json_t *settings);
    enum gr_err (*upstream_define_url)(struct gr_self *self, const char *name, const char *url,
                                       const json_t *settings, const char **ret_path);
    char *(*segment)(struct gr_call *call, gr_str text);
    json_t *(*parse_json)(struct gr_call *call, gr_str text);
    gr_str (*json_text)(struct gr_call *call, const json_t *value);

    enum gr_err (*jwt_sign)(struct gr_call *call, const struct gr_jwt_key *key,
                            const json_t *claims, char **ret_token);
    enum gr_err (*jwt_verify)(struct gr_call *call, const struct gr_jwt_key *keys, size_t count,
                              const struct gr_jwt_rules *rules, gr_str token,
                              const json_t **ret_claims);
    enum gr_err (*credential_sign)(struct gr_call *call, const char *upstream, const json_t *claims,
                                   int64_t lifetime_s, char **ret_token);
    void (*random)(void *bytes, size_t count);
    bool (*secret_equal)(gr_str a, gr_str b);
    void (*hmac_sha256)(gr_str key, gr_str data, unsigned char ret_digest[32]);
    void (*sha256)(gr_str data, unsigned char ret_digest[32]);
    void (*hex)(const void *bytes, size_t count, char *ret_text);
    bool (*unhex)(gr_str text, void *ret_bytes, size_t count);
    void (*wipe)(void *bytes, size_t count);
    void (*uuid)(char ret_text[37]);
    int64_t (*now_ms)(void);

    enum gr_err (*store_run)(struct gr_call *call, const char *sql, const struct gr_value *params,
                             size_t count, gr_row_fn *each, void *arg, int64_t *ret_changed);
    enum gr_err (*store_tx)(struct gr_call *call, gr_tx_fn *body, void *arg);

    void (*metric_add)(const struct gr_self *self, const char *name, const char *label,
                       int64_t delta);
    void (*timer_wake)(struct gr_self *self, const char *name);
    const char *(*state_dir)(const struct gr_self *self);
    gr_str (*state_secret)(struct gr_self *self, const char *file);
    enum gr_err (*relay)(struct gr_call *call, const struct gr_upstream_request *request);

    struct gr_authn *(*authn_new)(struct gr_self *self, const json_t *config, gr_str fallback_key);
    void (*authn_free)(struct gr_authn *authn);
    enum gr_err (*authn_check)(struct gr_call *call, const struct gr_authn *authn, gr_str token,
                               gr_str *ret_account, const char **ret_reason);
    struct gr_authz *(*authz_new)(struct gr_self *self, const char *account, const json_t *rules,
                                  int64_t cache_ms, gr_bearer_fn *bearer);
    void (*authz_free)(struct gr_authz *authz);
    enum gr_verdict (*authz_check)(struct gr_call *call, struct gr_authz *authz,
                                   const char *audience, const struct gr_intent *intent);

    enum gr_err (*exclusive)(struct gr_call *call, gr_str key, int64_t wait_ms);
    void (*blocking)(bool begins);
};
#define GR_HOST_HAS(host, member)                                                                  \
    ((host)->size >= offsetof(struct gr_host, member) + sizeof((host)->member))

/* --- log and memory --- */

/* Writes one log line for this call. The host adds time, level, plugin and request id. Never log
 * secrets, tokens or bodies. */
static inline GR_PRINTF(3, 4) void gr_log(const struct gr_call *call, enum gr_log_level level,
                                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    call->host->vlog(call->self, call, level, format, args);
    va_end(args);
}

/* The same outside of a call, in init, start and stop. */
static inline GR_PRINTF(3, 4) void gr_log_self(const struct gr_self *self, enum gr_log_level level,
                                               const char *format, ...)
{
    va_list args;

    va_start(args, format);
    self->host->vlog(self, NULL, level, format, args);
    va_end(args);
}

/* Zeroed memory that lives as long as the call; NULL when the call's memory limit is reached. */
static inline void *gr_alloc(struct gr_call *call, size_t bytes)
{
    return call->host->alloc(call, bytes);
}

/* printf into call memory; NULL when the limit is reached. */
static inline GR_PRINTF(2, 3) char *gr_format(struct gr_call *call, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = call->host->vformat(call, format, args);
    va_end(args);
    return text;
}

/* A NUL-terminated copy in call memory; NULL when the limit is reached. */
static inline char *gr_copy(struct gr_call *call, gr_str s)
{
    char *copy = (char *)call->host->alloc(call, s.len + 1);

    if (copy && s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

/* Runs fn(arg) when the call ends, last registered first. On failure fn has run already. */
static inline enum gr_err gr_defer(struct gr_call *call, void (*fn)(void *), void *arg)
{
    return call->host->defer(call, fn, arg);
}

/* --- the request --- */

/* The row that matched; NULL in timers, commands and for unmatched paths. */
static inline const struct gr_route *gr_route_of(const struct gr_call *call)
{
    return call->host->route(call);
}

/* The raw path of the request target, without query. */
static inline gr_str gr_path(const struct gr_call *call)
{
    return call->host->path(call);
}

/* A path parameter, decoded; NUL-terminated; empty when the route has none of that name. */
static inline gr_str gr_param(const struct gr_call *call, const char *name)
{
    return call->host->param(call, name);
}

/* The first query parameter of that name, decoded; NUL-terminated; empty when absent. */
static inline gr_str gr_query(const struct gr_call *call, const char *name)
{
    gr_str value = {NULL, 0};

    call->host->query(call, name, 0, &value);
    return value;
}

/* The index-th query parameter of that name; false when there are not so many. */
static inline bool gr_query_at(const struct gr_call *call, const char *name, size_t index,
                               gr_str *ret_value)
{
    return call->host->query(call, name, index, ret_value);
}

/* All query parameters, decoded, in the order they came. */
static inline const struct gr_pair *gr_query_all(const struct gr_call *call, size_t *ret_count)
{
    return call->host->query_all(call, ret_count);
}

/* A request header, by name without regard to case; empty when absent. */
static inline gr_str gr_header(const struct gr_call *call, const char *name)
{
    return call->host->header(call, name);
}

/* The token of the header Authorization when its scheme is Bearer, in any case (RFC 9110, section
 * 11.1); empty without one, and when anything follows the token. */
static inline gr_str gr_bearer(const struct gr_call *call)
{
    return call->host->bearer(call);
}

/* The body, as it came. */
static inline gr_str gr_body(const struct gr_call *call)
{
    return call->host->body(call);
}

/* The parsed and validated body; NULL when the route takes none or takes it raw. Immutable. */
static inline const json_t *gr_json(const struct gr_call *call)
{
    return call->host->json(call);
}

/* The client's address as text. */
static inline gr_str gr_peer(const struct gr_call *call)
{
    return call->host->peer(call);
}

/* The request id, as it is sent back in X-Request-Id. */
static inline gr_str gr_request_id(const struct gr_call *call)
{
    return call->host->request_id(call);
}

/* Who calls: the name of the key, the subject of the token, or what set_caller said. */
static inline gr_str gr_caller(const struct gr_call *call)
{
    return call->host->caller(call);
}

/* False when the caller is bound to other values of this kind ("room", "role"). Fields with .binds
 * are checked by the host before the handler runs. */
static inline bool gr_caller_may(const struct gr_call *call, const char *binds, gr_str value)
{
    return call->host->caller_may(call, binds, value);
}

/* For .authenticate functions: names the caller, for logs and for gr_caller(). */
static inline enum gr_err gr_set_caller(struct gr_call *call, gr_str id)
{
    return call->host->set_caller(call, id);
}

/* --- the reply --- */

/* Replies with JSON. Steals the reference, also on failure. */
static inline enum gr_err gr_reply_json(struct gr_call *call, int status, json_t *stolen)
{
    return call->host->reply_json(call, status, stolen);
}

/* Replies with bytes. content_type and body must live as long as the call. */
static inline enum gr_err gr_reply(struct gr_call *call, int status, const char *content_type,
                                   gr_str body)
{
    return call->host->reply_bytes(call, status, content_type, body);
}

/* Adds a header. Refuses control characters and the headers that the host itself writes. */
static inline enum gr_err gr_reply_header(struct gr_call *call, const char *name, gr_str value)
{
    return call->host->reply_header(call, name, value);
}

/* For test doubles: closes the connection after that many bytes of the reply. */
static inline void gr_reply_cut(struct gr_call *call, size_t after_bytes)
{
    call->host->reply_cut(call, after_bytes);
}

/* Fails the call: `return gr_fail(call, GR_ERR_CONFLICT, "room '%s' is live", id);`. The message
 * goes to the client. Lower case, problem first, no full stop. */
static inline GR_PRINTF(3, 4) enum gr_err
    gr_fail(struct gr_call *call, enum gr_err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err = call->host->vfail(call, err, format, args);
    va_end(args);
    return err;
}

/* Fails the call with a status, code, type or details of the group's own. Copies what it needs. */
static inline enum gr_err gr_fail_with(struct gr_call *call, const struct gr_error *error)
{
    return call->host->fail_with(call, error);
}

/* Notes one thing wrong with the input and returns GR_ERR_INVALID. `expected` reads after
 * "expected": "a value from 1 to 5". May be called several times. */
static inline GR_PRINTF(4, 5) enum gr_err
    gr_invalid(struct gr_call *call, const char *where, enum gr_problem_kind kind,
               const char *expected, ...)
{
    va_list args;
    enum gr_err err;

    va_start(args, expected);
    err = call->host->vinvalid(call, where, kind, expected, args);
    va_end(args);
    return err;
}

/* Checks a value against a row; notes every problem. For JSON that did not come as the body. */
static inline enum gr_err gr_validate(struct gr_call *call, const struct gr_field *rule,
                                      const json_t *value)
{
    return call->host->validate(call, rule, value);
}

/* --- upstreams --- */

/* Does what the row's .forward says and replies with the upstream's answer. */
static inline enum gr_err gr_forward(struct gr_call *call)
{
    return call->host->forward(call);
}

/*
 * Calls upstreams side by side and waits for all. Returns GR_OK when every one answered (see
 * each reply's status), else the first failure in order, without failing the call itself. All
 * replies are filled in either case. Runs within the call's deadline.
 */
static inline enum gr_err gr_upstream(struct gr_call *call,
                                      const struct gr_upstream_request *requests,
                                      struct gr_upstream_reply *replies, size_t count)
{
    return call->host->upstream_call(call, requests, replies, count);
}

/*
 * Makes one call and replies with its answer as a forward row would: status, type, body,
 * Retry-After and the headers that tell of rates. A redirect and a call that failed fail the
 * request. With a timeout_ms of 0 the route's applies, as the operator may have changed it, else
 * the upstream's.
 */
static inline enum gr_err gr_relay(struct gr_call *call, const struct gr_upstream_request *request)
{
    return call->host->relay(call, request);
}

/* In init: makes an upstream of the plugin's own from settings as in the config's "upstreams". */
static inline enum gr_err gr_upstream_define(struct gr_self *self, const char *name,
                                             const json_t *settings)
{
    return self->host->upstream_define(self, name, settings);
}

/*
 * In init: makes an upstream of a whole URL, such as a webhook's target: its origin becomes the
 * upstream's "url" beside the other settings (may be NULL), its path is what requests to it give as
 * .path, and lives as long as the instance. GR_ERR_INVALID with a line in the log for what is no
 * http or https URL, and for one with user, query or fragment.
 */
static inline enum gr_err gr_upstream_define_url(struct gr_self *self, const char *name,
                                                 const char *url, const json_t *settings,
                                                 const char **ret_path)
{
    return self->host->upstream_define_url(self, name, url, settings, ret_path);
}

/* Percent-encodes text as one segment of a path (RFC 3986, section 3.3): ':', '@' and sub-delims
 * stay, '/' and '%' do not. Call memory; NULL when the limit is reached. For paths of requests to
 * upstreams, .params do it by themselves. */
static inline char *gr_segment(struct gr_call *call, gr_str text)
{
    return call->host->segment(call, text);
}

/* The value as compact JSON, members in the order they were set. Call memory, NUL-terminated; the
 * empty slice for NULL and when the limit is reached. */
static inline gr_str gr_json_text(struct gr_call *call, const json_t *value)
{
    return call->host->json_text(call, value);
}

/* Parses JSON within the depth limit; the value lives as long as the call. NULL when it is not
 * JSON, too deep, or has a key twice. */
static inline json_t *gr_parse_json(struct gr_call *call, gr_str text)
{
    return call->host->parse_json(call, text);
}

/* --- tokens and secrets --- */

/* Signs claims as they are. The token lives as long as the call. */
static inline enum gr_err gr_jwt_sign(struct gr_call *call, const struct gr_jwt_key *key,
                                      const json_t *claims, char **ret_token)
{
    return call->host->jwt_sign(call, key, claims, ret_token);
}

/* Verifies a token with the key of its kid. GR_ERR_UNAUTHORIZED when anything is wrong; the call
 * itself is not failed. Claims live as long as the call. */
static inline enum gr_err gr_jwt_verify(struct gr_call *call, const struct gr_jwt_key *keys,
                                        size_t count, const struct gr_jwt_rules *rules,
                                        gr_str token, const json_t **ret_claims)
{
    return call->host->jwt_verify(call, keys, count, rules, token, ret_claims);
}

/*
 * Signs with the credential of an upstream, whose secret the plugin never sees. For a "100ms"
 * credential the host adds access_key, version, jti, iat, nbf and exp; claims bring the rest.
 */
static inline enum gr_err gr_credential_sign(struct gr_call *call, const char *upstream,
                                             const json_t *claims, int64_t lifetime_s,
                                             char **ret_token)
{
    return call->host->credential_sign(call, upstream, claims, lifetime_s, ret_token);
}

/* The services from here to gr_now_ms() need no call: `gr_now_ms(call->host)`, in init
 * `gr_now_ms(self->host)`. Any thread. */

/* Random bytes from the system, fit for keys. */
static inline void gr_random(const struct gr_host *host, void *bytes, size_t count)
{
    host->random(bytes, count);
}

/* Compares in a time that does not depend on the content. */
static inline bool gr_secret_equal(const struct gr_host *host, gr_str a, gr_str b)
{
    return host->secret_equal(a, b);
}

/* A fresh random UUID (version 4), lower case, NUL-terminated. */
static inline void gr_uuid(const struct gr_host *host, char ret_text[37])
{
    host->uuid(ret_text);
}

/* HMAC-SHA256 (RFC 2104). */
static inline void gr_hmac_sha256(const struct gr_host *host, gr_str key, gr_str data,
                                  unsigned char ret_digest[32])
{
    host->hmac_sha256(key, data, ret_digest);
}

/* SHA-256 (FIPS 180-4). */
static inline void gr_sha256(const struct gr_host *host, gr_str data, unsigned char ret_digest[32])
{
    host->sha256(data, ret_digest);
}

/* Writes 2 * count lower-case hex digits and a NUL. */
static inline void gr_hex(const struct gr_host *host, const void *bytes, size_t count,
                          char *ret_text)
{
    host->hex(bytes, count, ret_text);
}

/* Reads exactly 2 * count hex digits, of either case. false, with ret_bytes untouched, when text is
 * anything else. */
static inline bool gr_unhex(const struct gr_host *host, gr_str text, void *ret_bytes, size_t count)
{
    return host->unhex(text, ret_bytes, count);
}

/* Overwrites memory in a way the compiler cannot drop. */
static inline void gr_wipe(const struct gr_host *host, void *bytes, size_t count)
{
    host->wipe(bytes, count);
}

/* Milliseconds since the Unix epoch. */
static inline int64_t gr_now_ms(const struct gr_host *host)
{
    return host->now_ms();
}

/* --- accounts and their rights --- */

/* The rows of one element of gr_authn_new()'s config, for an option of type GR_OPT_JSON:
 * `static const struct gr_field issuer[] = {GR_AUTHN_FIELDS, GR_END};`. */
#define GR_AUTHN_FIELDS                                                                            \
    GR_FIELD("issuer", GR_STRING, "Value of the claim iss", .flags = GR_FIELD_REQUIRED,            \
             .range = GR_MIN(1)),                                                                  \
        GR_FIELD("audience", GR_ARRAY, "Accepted claims aud, up to their first colon",             \
                 .flags = GR_FIELD_REQUIRED, .items = GR_ITEM(GR_STRING)),                         \
        GR_FIELD("algorithm", GR_STRING, "The only algorithm this issuer may use",                 \
                 .values = GR_LIST("HS256", "RS256", "ES256"), .default_doc = "\"HS256\""),        \
        GR_FIELD("key", GR_STRING, "Shared secret, or public key as PEM",                          \
                 .flags = GR_FIELD_SECRET),                                                        \
        GR_FIELD("key_file", GR_STRING, "File with the key: secret, PEM, DER or bare ES256 point")

/* The rows of one element of gr_authz_new()'s rules. */
#define GR_AUTHZ_FIELDS                                                                            \
    GR_FIELD("audience", GR_STRING, "Audience of the objects", .flags = GR_FIELD_REQUIRED,         \
             .range = GR_MIN(1)),                                                                  \
        GR_FIELD("type", GR_STRING, "How is decided", .flags = GR_FIELD_REQUIRED,                  \
                 .values = GR_LIST("none", "local", "localwhitelist", "http")),                    \
        GR_FIELD("trusted", GR_ARRAY, "local, http: accounts that may do anything",                \
                 .items = GR_ITEM(GR_STRING)),                                                     \
        GR_FIELD("records", GR_ARRAY, "localwhitelist: what is allowed",                           \
                 .items = GR_ITEM(GR_OBJECT,                                                       \
                                  .fields =                                                        \
                                      (const struct gr_field[]){GR_AUTHZ_RECORD_FIELDS, GR_END})), \
        GR_FIELD("uri", GR_STRING, "http: the tenant's authorization service",                     \
                 .pattern = "https?://[^?#{}]+", .when = GR_WHEN("type", "http")),                 \
        GR_FIELD("max_retries", GR_INT, "http: attempts in all", .range = GR_RANGE(1, 10),         \
                 .default_doc = "1")
#define GR_AUTHZ_RECORD_FIELDS                                                                     \
    GR_FIELD("subject_account_id", GR_STRING, "Account; its label may be *",                       \
             .flags = GR_FIELD_REQUIRED),                                                          \
        GR_FIELD("object", GR_ARRAY, "Object; an element may be *", .flags = GR_FIELD_REQUIRED,    \
                 .items = GR_ITEM(GR_STRING)),                                                     \
        GR_FIELD("action", GR_STRING, "Action, or *", .flags = GR_FIELD_REQUIRED)

/*
 * In init: reads who makes the tokens that are accepted, an array of GR_AUTHN_FIELDS. An issuer has
 * one key and one algorithm, whatever a token says. An HS256 issuer without key takes fallback_key
 * (may be empty). Copies everything. NULL with a line in the log when an entry or a key is wrong;
 * return GR_ERR_INVALID then. NULL or an empty array accept no token.
 */
static inline struct gr_authn *gr_authn_new(struct gr_self *self, const json_t *config,
                                            gr_str fallback_key)
{
    return self->host->authn_new(self, config, fallback_key);
}

/* In fini. NULL is fine. */
static inline void gr_authn_free(struct gr_self *self, struct gr_authn *authn)
{
    self->host->authn_free(authn);
}

/*
 * Checks a token: signature, iss, exp, and that the issuer may speak for its aud. GR_OK with the
 * account id "sub.aud", which lives as long as the call; else GR_ERR_UNAUTHORIZED with a static
 * reason fit for the client (ret_reason may be NULL). Does not fail the call. Any thread.
 */
static inline enum gr_err gr_authn_check(struct gr_call *call, const struct gr_authn *authn,
                                         gr_str token, gr_str *ret_account, const char **ret_reason)
{
    return call->host->authn_check(call, authn, token, ret_account, ret_reason);
}

/*
 * In init: reads who may do what, an array of GR_AUTHZ_FIELDS with one entry per audience. account
 * is the plugin's own, whose objects these are. Answers of services are remembered for cache_ms (0:
 * not at all). bearer signs the questions to them (NULL: they are sent without a token). Copies
 * everything. Each entry of type "http" becomes an upstream PLUGIN_authz_N, N its place in the
 * array, so that only one gr_authz of a plugin can have such. NULL with a line in the log when an
 * entry is wrong; return GR_ERR_INVALID then.
 */
static inline struct gr_authz *gr_authz_new(struct gr_self *self, const char *account,
                                            const json_t *rules, int64_t cache_ms,
                                            gr_bearer_fn *bearer)
{
    return self->host->authz_new(self, account, rules, cache_ms, bearer);
}

/* In fini. NULL is fine. */
static inline void gr_authz_free(struct gr_self *self, struct gr_authz *authz)
{
    self->host->authz_free(authz);
}

/*
 * Decides by the entry of that audience; without one, and wherever nothing allows it, GR_DENIED. An
 * "http" entry asks its service unless the answer is remembered, for at most 5 s per attempt and
 * within the call's deadline; GR_UNDECIDED when that fails. Does not fail the call. Any thread.
 */
static inline enum gr_verdict gr_authz_check(struct gr_call *call, struct gr_authz *authz,
                                             const char *audience, const struct gr_intent *intent)
{
    return call->host->authz_check(call, authz, audience, intent);
}

/* --- store --- */

/*
 * Runs one statement with bound parameters ?1, ?2 … (both engines). each may be NULL. ret_changed
 * (may be NULL) receives the number of rows written. Errors are typed (GR_ERR_STORE_*). Outside a
 * transaction a statement is one of its own.
 */
static inline enum gr_err gr_store(struct gr_call *call, const char *sql,
                                   const struct gr_value *params, size_t count, gr_row_fn *each,
                                   void *arg, int64_t *ret_changed)
{
    return call->host->store_run(call, sql, params, count, each, arg, ret_changed);
}

/* The same for a statement that gives no rows, when their number does not matter:
 * `gr_store_exec(call, "DELETE FROM t WHERE id = ?1", GR_PARAMS(gr_v_text(id)))`. */
static inline enum gr_err gr_store_exec(struct gr_call *call, const char *sql,
                                        const struct gr_value *params, size_t count)
{
    return call->host->store_run(call, sql, params, count, NULL, NULL, NULL);
}

/* The same for a query: each row goes to each(arg, …). */
static inline enum gr_err gr_store_query(struct gr_call *call, const char *sql,
                                         const struct gr_value *params, size_t count,
                                         gr_row_fn *each, void *arg)
{
    return call->host->store_run(call, sql, params, count, each, arg, NULL);
}

/* Runs body in a transaction that may write; runs it again when the store was busy. */
static inline enum gr_err gr_store_tx(struct gr_call *call, gr_tx_fn *body, void *arg)
{
    return call->host->store_tx(call, body, arg);
}

/* --- taking turns, and holding up a thread --- */

/*
 * Waits until no other call of this plugin holds the key, then holds it until the call ends:
 * `gr_exclusive(call, gr_str_of(room), 10000)`. For what must not be done twice at a time, also
 * over calls of upstreams; a mutex of the plugin's own must not be held over those, since a call
 * may go on on another thread afterwards. Other gateways on the same store do not see it. Fails the
 * call with GR_ERR_OVERLOAD when the key is not free within wait_ms, and with GR_ERR_TIMEOUT when
 * the call's own deadline comes first.
 */
static inline enum gr_err gr_exclusive(struct gr_call *call, gr_str key, int64_t wait_ms)
{
    return call->host->exclusive(call, key, wait_ms);
}

/*
 * A handler that is about to compute or to wait by itself for more than a few milliseconds says so,
 * and when it is over: other calls then go on beside it at once. Without it the host finds out by
 * itself, a little later. Host services need no announcement. Within a handler, a timer or a
 * command; no host service may be called in between. gr_blocking(call, true); … hash a password …
 *     gr_blocking(call, false);
 */
static inline void gr_blocking(struct gr_call *call, bool begins)
{
    call->host->blocking(begins);
}

/* --- metrics and timers --- */

/* Adds to one of the plugin's own metrics. Anywhere: `gr_metric_add(call->self, …)`. */
static inline void gr_metric_add(const struct gr_self *self, const char *name, const char *label,
                                 int64_t delta)
{
    self->host->metric_add(self, name, label, delta);
}

/* Makes a timer run soon. Anywhere after start. */
static inline void gr_timer_wake(struct gr_self *self, const char *name)
{
    self->host->timer_wake(self, name);
}

/* The gateway's directory for what must survive a restart and is not in the store, such as keys
 * made at the first start. Plugins share it: begin file names with the group's. Anywhere. */
static inline const char *gr_state_dir(const struct gr_self *self)
{
    return self->host->state_dir(self);
}

/*
 * In init: a secret kept in a file of the state directory (or anywhere, when file is absolute),
 * without the line end behind it. When there is no such file it is made, with 64 random hex digits;
 * of several gateways that start at the same time one makes it, and all read it whole. The file
 * must not be readable by others (mode 0600). Lives as long as the instance, NUL-terminated, wiped
 * at its end. Empty, with a line in the log, when it cannot be had.
 */
static inline gr_str gr_state_secret(struct gr_self *self, const char *file)
{
    return self->host->state_secret(self, file);
}

#ifdef __cplusplus
}
#endif
