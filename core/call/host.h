/* The functions behind struct gr_host, by the file they are in. greenroom/host.h documents them. */
#pragma once

#include "call/call.h"

/* error.c */
enum gr_err grc_host_vfail(struct gr_call *pub, enum gr_err err, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
enum gr_err grc_host_fail_with(struct gr_call *pub, const struct gr_error *error);
enum gr_err grc_host_vinvalid(struct gr_call *pub, const char *where, enum gr_problem_kind kind,
                              const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

/* reply.c */
enum gr_err grc_host_reply_json(struct gr_call *pub, int status, json_t *stolen);
enum gr_err grc_host_reply_bytes(struct gr_call *pub, int status, const char *content_type,
                                 gr_str body);
enum gr_err grc_host_reply_header(struct gr_call *pub, const char *name, gr_str value);
void grc_host_reply_cut(struct gr_call *pub, size_t after_bytes);

/* forward.c */
/* Adds a header of an upstream's answer to the reply if there is room, unless a client would take
 * it for a rate-limit header of the gateway. */
void grc_reply_pass(struct grc_call *call, const struct gr_pair *header);
enum gr_err grc_host_forward(struct gr_call *pub);
enum gr_err grc_host_relay(struct gr_call *pub, const struct gr_upstream_request *request);

/* outgoing.c */
enum gr_err grc_host_upstream_call(struct gr_call *pub, const struct gr_upstream_request *requests,
                                   struct gr_upstream_reply *replies, size_t count);
enum gr_err grc_host_upstream_define(struct gr_self *self, const char *name,
                                     const json_t *settings);
enum gr_err grc_host_upstream_define_url(struct gr_self *self, const char *name, const char *url,
                                         const json_t *settings, const char **ret_path);
enum gr_err grc_host_credential_sign(struct gr_call *pub, const char *upstream,
                                     const json_t *claims, int64_t lifetime_s, char **ret_token);
/* Builds an encoded target, in the arena: the pattern with its {names} replaced by params, then the
 * query. When a name is missing or a value is not one safe segment, it fails the call and returns
 * NULL. */
const char *grc_target(struct grc_call *call, const char *pattern, const struct gr_pair *params,
                       size_t param_count, const struct gr_pair *query, size_t query_count);
/* Fills in what all exchanges of a call share: ids, deadline, arena, cancellation. */
void grc_exchange_of(struct grc_call *call, struct grc_exchange *exchange);
/* Makes an exchange of a handler's request. Fails the call when it cannot. */
enum gr_err grc_exchange_build(struct grc_call *call, const struct gr_upstream_request *request,
                               struct grc_exchange *exchange);
/* Notes an exchange that has run, for the access log. */
void grc_exchange_note(struct grc_call *call, const struct grc_exchange *exchange);

/* tokens.c */
enum gr_err grc_host_jwt_sign(struct gr_call *pub, const struct gr_jwt_key *key,
                              const json_t *claims, char **ret_token);
enum gr_err grc_host_jwt_verify(struct gr_call *pub, const struct gr_jwt_key *keys, size_t count,
                                const struct gr_jwt_rules *rules, gr_str token,
                                const json_t **ret_claims);

/* access.c */
enum gr_err grc_host_jwt_peek(struct gr_call *pub, gr_str token, const json_t **ret_header,
                              const json_t **ret_claims);
const char *grc_host_jwt_key_fault(const struct gr_jwt_key *key);

/* data.c */
int64_t grc_host_store_now_ms(struct gr_call *pub);
enum gr_err grc_host_store_run(struct gr_call *pub, const char *sql, const struct gr_value *params,
                               size_t count, gr_row_fn *each, void *arg, int64_t *ret_changed);
enum gr_err grc_host_store_tx(struct gr_call *pub, gr_tx_fn *body, void *arg);
