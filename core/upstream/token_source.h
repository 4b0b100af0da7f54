/*
 * Keeps the token of one credential. It is minted once, shared by all calls that use the
 * credential, and renewed before it expires and when the upstream refuses it. Thread-safe.
 */
#pragma once

#include "base/arena.h"
#include "config/settings.h"

#include <stdatomic.h>

struct grc_token_source;

/* A token in use. Its references are counted, so that a renewal never frees it while a call uses
 * it. */
struct grc_token {
    _Atomic unsigned refs;
    _Atomic bool proved;  /* the upstream has accepted it */
    _Atomic bool counted; /* it is in the metrics */
    bool after_refusal;   /* minted because its predecessor was refused */
    int64_t from_s;       /* nbf */
    int64_t renew_s;      /* from then on a new one is minted */
    int64_t minted_ms;    /* monotonic */
    char header[];        /* "Authorization: Bearer …" */
};

/* settings is borrowed. NULL with a static reason. */
struct grc_token_source *grc_token_source_new(const struct grc_credential *settings,
                                              const char **ret_reason);
void grc_token_source_free(struct grc_token_source *token_source);
const char *grc_token_source_name(const struct grc_token_source *token_source);

/* The current token at wall time now_s, minted when there is none or it is old. Release it with
 * grc_token_unref(). NULL without memory. */
struct grc_token *grc_token_source_token(struct grc_token_source *token_source, int64_t now_s);
void grc_token_unref(struct grc_token *token); /* NULL is fine */

/*
 * The upstream refused this token with 401. true: a newer one is there, the call may be repeated.
 * However many calls were refused at a time, one token is minted. A token that was itself minted
 * after a refusal and never accepted is not followed by another for ten seconds: then the secret
 * is wrong, not the token.
 */
bool grc_token_source_refused(struct grc_token_source *token_source, const struct grc_token *token,
                              int64_t now_s);
/* The upstream accepted it. */
static inline void grc_token_proved(struct grc_token *token)
{
    if (!atomic_load_explicit(&token->proved, memory_order_relaxed))
        atomic_store_explicit(&token->proved, true, memory_order_relaxed);
}
/* Tokens minted so far. */
unsigned grc_token_source_minted(const struct grc_token_source *token_source);

/* See grc_upstreams_sign(). GR_ERR_INTERNAL when this kind of credential cannot sign. */
enum gr_err grc_token_source_sign(struct grc_token_source *token_source, struct grc_arena *arena,
                                  const json_t *claims, int64_t lifetime_s, int64_t now_s,
                                  char **ret_token);
