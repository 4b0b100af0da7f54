/*
 * greenroom/host.h: the services of the host for plugins. Include greenroom/plugin.h instead, whose
 * first comment has the rules on ownership, threads and errors.
 *
 * Services that take a struct gr_call may be used in handlers, timers and commands, by the thread
 * that has the call. Services that take a struct gr_self may be used in init and start, and
 * elsewhere if their comment says so.
 */
#pragma once

#include <greenroom/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The plugin instance, for init, start and stop. */
struct gr_self {
    const struct gr_host *host;
    const char *name; /* the descriptor's */
};

/* One request, or one run of a timer or command. */
struct gr_call {
    const struct gr_host *host;
    struct gr_self *self;
    void *state; /* made by init */
};

/*
 * The account of a token: its claims sub and aud. Compare them as a pair, never as the text
 * "label.audience": an issuer that is only trusted for one audience could otherwise choose a label
 * such that the text equals an account of another audience.
 */
struct gr_account {
    gr_str label;
    gr_str audience;
};

#if defined(__GNUC__)
#define GR_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))
#else
#define GR_PRINTF(format_, first_)
#endif

/*
 * The functions behind the gr_*() wrappers below, which have the documentation. Append only; test
 * for newer functions with GR_HOST_HAS().
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
    enum gr_err (*jwt_peek)(struct gr_call *call, gr_str token, const json_t **ret_header,
                            const json_t **ret_claims);
    const char *(*jwt_key_fault)(const struct gr_jwt_key *key);
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

    enum gr_err (*exclusive)(struct gr_call *call, gr_str key, int64_t wait_ms);
    void (*blocking)(bool begins);
    enum gr_err (*set_caller_account)(struct gr_call *call, const struct gr_account *account);
    struct gr_account (*caller_account)(const struct gr_call *call);
    gr_str (*peer_key)(struct gr_call *call);
    bool (*body_is_json)(const struct gr_call *call);
    bool (*time_ms)(gr_str text, int64_t *ret_ms);
    int64_t (*store_now_ms)(struct gr_call *call);
};
#define GR_HOST_HAS(host, member)                                                                  \
    ((host)->size >= offsetof(struct gr_host, member) + sizeof((host)->member))

/* --- log and memory --- */

/* Writes a log line for this call. The host adds time, level, plugin and request id. Never log
 * secrets, tokens or bodies. */
static inline GR_PRINTF(3, 4) void gr_log(const struct gr_call *call, enum gr_log_level level,
                                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    call->host->vlog(call->self, call, level, format, args);
    va_end(args);
}

/* The same without a call, in init, start and stop. */
static inline GR_PRINTF(3, 4) void gr_log_self(const struct gr_self *self, enum gr_log_level level,
                                               const char *format, ...)
{
    va_list args;

    va_start(args, format);
    self->host->vlog(self, NULL, level, format, args);
    va_end(args);
}

/* Zeroed memory that lives as long as the call; NULL if the call's memory limit is reached. */
static inline void *gr_alloc(struct gr_call *call, size_t bytes)
{
    return call->host->alloc(call, bytes);
}

/* Formats like printf, in call memory; NULL if the limit is reached. */
static inline GR_PRINTF(2, 3) char *gr_format(struct gr_call *call, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = call->host->vformat(call, format, args);
    va_end(args);
    return text;
}

/* A NUL-terminated copy in call memory; NULL if the limit is reached. */
static inline char *gr_copy(struct gr_call *call, gr_str s)
{
    char *copy = (char *)call->host->alloc(call, s.len + 1);

    if (copy && s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

/* Runs fn(arg) when the call ends, in reverse order of registration. On failure runs it at once. */
static inline enum gr_err gr_defer(struct gr_call *call, void (*fn)(void *), void *arg)
{
    return call->host->defer(call, fn, arg);
}

/* --- the request --- */

/* The row of the request; NULL in timers, in commands and for unmatched paths. */
static inline const struct gr_route *gr_route_of(const struct gr_call *call)
{
    return call->host->route(call);
}

/* The path of the request target, not decoded. */
static inline gr_str gr_path(const struct gr_call *call)
{
    return call->host->path(call);
}

/* A path parameter, decoded and NUL-terminated; empty if the route has none of that name. */
static inline gr_str gr_param(const struct gr_call *call, const char *name)
{
    return call->host->param(call, name);
}

/* The first query parameter of that name, decoded and NUL-terminated; empty if absent. */
static inline gr_str gr_query(const struct gr_call *call, const char *name)
{
    gr_str value = {NULL, 0};

    call->host->query(call, name, 0, &value);
    return value;
}

/* The query parameter of that name with this index; false if there are fewer. */
static inline bool gr_query_at(const struct gr_call *call, const char *name, size_t index,
                               gr_str *ret_value)
{
    return call->host->query(call, name, index, ret_value);
}

/* All query parameters, decoded, in the order of the request. */
static inline const struct gr_pair *gr_query_all(const struct gr_call *call, size_t *ret_count)
{
    return call->host->query_all(call, ret_count);
}

/* A request header, by its name in any case; empty if absent. */
static inline gr_str gr_header(const struct gr_call *call, const char *name)
{
    return call->host->header(call, name);
}

/* The token of an Authorization header with the scheme Bearer, in any case (RFC 9110, section
 * 11.1); empty without one, or if anything follows the token. */
static inline gr_str gr_bearer(const struct gr_call *call)
{
    return call->host->bearer(call);
}

/* The body, as received. */
static inline gr_str gr_body(const struct gr_call *call)
{
    return call->host->body(call);
}

/* True when the request's Content-Type is application/json or application/…+json. For routes with
 * GR_ROUTE_ANY_CONTENT_TYPE or GR_ROUTE_RAW_BODY; for others the host has checked it. */
static inline bool gr_body_is_json(const struct gr_call *call)
{
    return call->host->body_is_json(call);
}

/* The parsed and validated body; NULL if the route has none or GR_ROUTE_RAW_BODY. Immutable. */
static inline const json_t *gr_json(const struct gr_call *call)
{
    return call->host->json(call);
}

/* The client's address as text. */
static inline gr_str gr_peer(const struct gr_call *call)
{
    return call->host->peer(call);
}

/* The key of the client's address for limits, like those of the host: the whole address for IPv4,
 * the /64 network for IPv6. Call memory, NUL-terminated; empty if the memory limit is reached. */
static inline gr_str gr_peer_key(struct gr_call *call)
{
    return call->host->peer_key(call);
}

/* The request id, which is also sent as X-Request-Id. */
static inline gr_str gr_request_id(const struct gr_call *call)
{
    return call->host->request_id(call);
}

/* The caller: the name of its key, the subject of its token, or the id of gr_set_caller(). */
static inline gr_str gr_caller(const struct gr_call *call)
{
    return call->host->caller(call);
}

/* False if the caller is bound to other values of this kind ("room", "role"). The host checks
 * fields with .binds before the handler runs. */
static inline bool gr_caller_may(const struct gr_call *call, const char *binds, gr_str value)
{
    return call->host->caller_may(call, binds, value);
}

/* For .authenticate functions: sets the caller, for logs and for gr_caller(). */
static inline enum gr_err gr_set_caller(struct gr_call *call, gr_str id)
{
    return call->host->set_caller(call, id);
}

/* The same for an account, of which the parts are claims of a verified token: gr_caller() is then
 * "label.audience", for logs and keys in the store, and gr_caller_account() is the pair, for all
 * comparisons. */
static inline enum gr_err gr_set_caller_account(struct gr_call *call,
                                                const struct gr_account *account)
{
    return call->host->set_caller_account(call, account);
}

/* The account of gr_set_caller_account(); two empty parts without one. */
static inline struct gr_account gr_caller_account(const struct gr_call *call)
{
    return call->host->caller_account(call);
}

/* --- the reply --- */

/* Replies with JSON. Steals the reference. */
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

/* Adds a header. Refuses control characters and the headers that the host writes. */
static inline enum gr_err gr_reply_header(struct gr_call *call, const char *name, gr_str value)
{
    return call->host->reply_header(call, name, value);
}

/* For test doubles: closes the connection after this many bytes of the reply. */
static inline void gr_reply_cut(struct gr_call *call, size_t after_bytes)
{
    call->host->reply_cut(call, after_bytes);
}

/* Fails the call: `return gr_fail(call, GR_ERR_CONFLICT, "room '%s' is live", id);`. The message is
 * for the client: lower case, the problem first, no full stop. */
static inline GR_PRINTF(3, 4) enum gr_err
    gr_fail(struct gr_call *call, enum gr_err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    err = call->host->vfail(call, err, format, args);
    va_end(args);
    return err;
}

/* Fails the call with a status, code, type or details that the group defines. Copies the error. */
static inline enum gr_err gr_fail_with(struct gr_call *call, const struct gr_error *error)
{
    return call->host->fail_with(call, error);
}

/* Records a problem of the input and returns GR_ERR_INVALID. `expected` is put after the word
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

/* Checks a value against a row and records every problem. For JSON other than the body. */
static inline enum gr_err gr_validate(struct gr_call *call, const struct gr_field *rule,
                                      const json_t *value)
{
    return call->host->validate(call, rule, value);
}

/* --- upstreams --- */

/* Forwards the request by the row's .forward and replies with the upstream's answer. */
static inline enum gr_err gr_forward(struct gr_call *call)
{
    return call->host->forward(call);
}

/*
 * Calls upstreams at the same time and waits for all. Returns GR_OK if all have answered (see each
 * reply's status), else the first failure in order, without failing the call. All replies are
 * filled in either case. Ends at the call's deadline.
 */
static inline enum gr_err gr_upstream(struct gr_call *call,
                                      const struct gr_upstream_request *requests,
                                      struct gr_upstream_reply *replies, size_t count)
{
    return call->host->upstream_call(call, requests, replies, count);
}

/*
 * Makes one call and replies with its answer like a forward row: status, type, body, Retry-After
 * and the headers about rate limits. A redirect or a failed call fails the request. With a
 * timeout_ms of 0 the route's timeout applies, which the operator may have changed, else the
 * upstream's.
 */
static inline enum gr_err gr_relay(struct gr_call *call, const struct gr_upstream_request *request)
{
    return call->host->relay(call, request);
}

/* In init: defines an upstream of the plugin, with settings like those in the config's "upstreams".
 */
static inline enum gr_err gr_upstream_define(struct gr_self *self, const char *name,
                                             const json_t *settings)
{
    return self->host->upstream_define(self, name, settings);
}

/*
 * In init: defines an upstream for a whole URL, such as the target of a webhook. The origin becomes
 * the upstream's "url", in addition to settings (may be NULL). *ret_path gets the path, for .path
 * of requests; it lives as long as the instance. Returns GR_ERR_INVALID after logging it if the URL
 * is not http or https, or has a user, query or fragment.
 */
static inline enum gr_err gr_upstream_define_url(struct gr_self *self, const char *name,
                                                 const char *url, const json_t *settings,
                                                 const char **ret_path)
{
    return self->host->upstream_define_url(self, name, url, settings, ret_path);
}

/* Percent-encodes text as one segment of a path (RFC 3986, section 3.3), including '/' and '%', but
 * not ':', '@' and sub-delims. Call memory; NULL if the limit is reached. Values in .params of a
 * request to an upstream are encoded by the host. */
static inline char *gr_segment(struct gr_call *call, gr_str text)
{
    return call->host->segment(call, text);
}

/* The value as compact JSON, with members in the order they were set. Call memory, NUL-terminated;
 * empty for NULL or if the limit is reached. */
static inline gr_str gr_json_text(struct gr_call *call, const json_t *value)
{
    return call->host->json_text(call, value);
}

/* Parses JSON; the value lives as long as the call. NULL if it is not JSON, nested too deeply, or
 * has a key twice. */
static inline json_t *gr_parse_json(struct gr_call *call, gr_str text)
{
    return call->host->parse_json(call, text);
}

/* --- tokens and secrets --- */

/* Signs claims without adding any. The token lives as long as the call. */
static inline enum gr_err gr_jwt_sign(struct gr_call *call, const struct gr_jwt_key *key,
                                      const json_t *claims, char **ret_token)
{
    return call->host->jwt_sign(call, key, claims, ret_token);
}

/* Verifies a token with the key of its kid. Returns GR_ERR_UNAUTHORIZED if anything is wrong,
 * without failing the call. Claims live as long as the call. */
static inline enum gr_err gr_jwt_verify(struct gr_call *call, const struct gr_jwt_key *keys,
                                        size_t count, const struct gr_jwt_rules *rules,
                                        gr_str token, const json_t **ret_claims)
{
    return call->host->jwt_verify(call, keys, count, rules, token, ret_claims);
}

/*
 * Reads the header and the claims of a token without verifying anything, in order to choose the key
 * and the rules for gr_jwt_verify(), for example by the claim iss. Nothing else may be decided by
 * them. Both are objects and live as long as the call; either pointer may be NULL. Returns
 * GR_ERR_UNAUTHORIZED if the token is malformed or over 8 KiB, without failing the call.
 */
static inline enum gr_err gr_jwt_peek(struct gr_call *call, gr_str token, const json_t **ret_header,
                                      const json_t **ret_claims)
{
    return call->host->jwt_peek(call, token, ret_header, ret_claims);
}

/* Tells why a key cannot be used, for example because it is too short for its algorithm; NULL if it
 * can. For init: a wrong key is found before the first call. */
static inline const char *gr_jwt_key_fault(const struct gr_host *host, const struct gr_jwt_key *key)
{
    return host->jwt_key_fault(key);
}

/*
 * Signs with the credential of an upstream, without revealing its secret to the plugin. For a
 * "100ms" credential the host adds access_key, version, jti, iat, nbf and exp to the claims.
 */
static inline enum gr_err gr_credential_sign(struct gr_call *call, const char *upstream,
                                             const json_t *claims, int64_t lifetime_s,
                                             char **ret_token)
{
    return call->host->credential_sign(call, upstream, claims, lifetime_s, ret_token);
}

/* The services from here to gr_now_ms() only need the host: `gr_now_ms(call->host)`, or in init
 * `gr_now_ms(self->host)`. They may be used on any thread. */

/* Cryptographically secure random bytes. */
static inline void gr_random(const struct gr_host *host, void *bytes, size_t count)
{
    host->random(bytes, count);
}

/* Compares in constant time. */
static inline bool gr_secret_equal(const struct gr_host *host, gr_str a, gr_str b)
{
    return host->secret_equal(a, b);
}

/* A new random UUID (version 4), lower case, NUL-terminated. */
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

/* Reads exactly 2 * count hex digits, of either case. Otherwise returns false, and ret_bytes is
 * unchanged. */
static inline bool gr_unhex(const struct gr_host *host, gr_str text, void *ret_bytes, size_t count)
{
    return host->unhex(text, ret_bytes, count);
}

/* Overwrites memory; the compiler cannot remove the call. */
static inline void gr_wipe(const struct gr_host *host, void *bytes, size_t count)
{
    host->wipe(bytes, count);
}

/* Milliseconds since the Unix epoch. */
static inline int64_t gr_now_ms(const struct gr_host *host)
{
    return host->now_ms();
}

/* Reads an RFC 3339 timestamp with zone, as GR_TIME takes it, into milliseconds since the Unix
 * epoch; further digits of the fraction are cut off. False when it is malformed. */
static inline bool gr_time_ms(const struct gr_host *host, gr_str text, int64_t *ret_ms)
{
    return host->time_ms(text, ret_ms);
}

/* --- store --- */

/*
 * Runs one statement with bound parameters ?1, ?2 … (for both engines). each gets the rows, and may
 * be NULL. *ret_changed gets the number of rows written; ret_changed may be NULL. Errors are
 * GR_ERR_STORE_*. Outside of gr_store_tx() each statement is its own transaction.
 */
static inline enum gr_err gr_store(struct gr_call *call, const char *sql,
                                   const struct gr_value *params, size_t count, gr_row_fn *each,
                                   void *arg, int64_t *ret_changed)
{
    return call->host->store_run(call, sql, params, count, each, arg, ret_changed);
}

/* The same for a statement without result rows, if the number of rows written does not matter:
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

/* The store's clock: milliseconds since the Unix epoch. Use it for times that are stored and that
 * another gateway on the store compares with the present, since machines have different clocks.
 * With a store on this machine, and without a store, it is the same as gr_now_ms(). */
static inline int64_t gr_store_now_ms(struct gr_call *call)
{
    return call->host->store_now_ms(call);
}

/* Runs body in a transaction that may write; runs it again if the store was busy. */
static inline enum gr_err gr_store_tx(struct gr_call *call, gr_tx_fn *body, void *arg)
{
    return call->host->store_tx(call, body, arg);
}

/* --- mutual exclusion and blocking --- */

/*
 * Waits until no other call of this plugin holds the key, then holds it until the call ends:
 * `gr_exclusive(call, gr_str_of(room), 10000)`. Unlike a mutex, it may be held across calls of
 * upstreams, after which a call may run on another thread. It does not exclude other gateways on
 * the same store. Fails the call with GR_ERR_OVERLOAD if the key is not free within wait_ms, and
 * with GR_ERR_TIMEOUT if the call's deadline comes first.
 */
static inline enum gr_err gr_exclusive(struct gr_call *call, gr_str key, int64_t wait_ms)
{
    return call->host->exclusive(call, key, wait_ms);
}

/*
 * Announces that a handler, timer or command is about to compute or block for more than a few
 * milliseconds (true), or has finished (false), so that other calls can run at once. Without it the
 * host notices by itself, a little later, and from then on expects it of that handler. No host
 * service may be called in between; host services that wait need no announcement. gr_blocking(call,
 * true); … hash a password … gr_blocking(call, false);
 */
static inline void gr_blocking(struct gr_call *call, bool begins)
{
    call->host->blocking(begins);
}

/* --- metrics and timers --- */

/* Adds to a metric of the plugin. Anywhere: `gr_metric_add(call->self, …)`. */
static inline void gr_metric_add(const struct gr_self *self, const char *name, const char *label,
                                 int64_t delta)
{
    self->host->metric_add(self, name, label, delta);
}

/* Makes a timer run soon. Anywhere, once start was called. */
static inline void gr_timer_wake(struct gr_self *self, const char *name)
{
    self->host->timer_wake(self, name);
}

/* The gateway's directory for files that must survive a restart, such as keys made at the first
 * start. All plugins share it: begin file names with the name of the group. Anywhere. */
static inline const char *gr_state_dir(const struct gr_self *self)
{
    return self->host->state_dir(self);
}

/*
 * In init and in commands: reads a secret from a file, which is relative to the state directory,
 * without the line end. If the file does not exist, it is made with 64 random hex digits; gateways
 * that start at the same time all get the same secret. The file must not be readable by other users
 * (mode 0600). The secret is NUL-terminated, lives as long as the instance, and is wiped at its
 * end. On failure logs it and returns the empty slice.
 */
static inline gr_str gr_state_secret(struct gr_self *self, const char *file)
{
    return self->host->state_secret(self, file);
}

#ifdef __cplusplus
}
#endif
