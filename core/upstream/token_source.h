/*
 * Keeps the token of a credential. All calls with the credential share it. It is renewed before it
 * expires, and when the upstream refuses it. Thread-safe.
 */
#pragma once

#include "base/arena.h"
#include "config/settings.h"

#include <stdatomic.h>

struct grc_token_source;

/* A token. Reference-counted, so that a renewal does not free it while a call uses it. */
struct grc_token {
    _Atomic unsigned refs;
    _Atomic bool proved;  /* the upstream has accepted it */
    _Atomic bool counted; /* it is in the metrics */
    bool after_refusal;   /* minted because the former one was refused */
    int64_t from_s;       /* nbf */
    int64_t renew_s;      /* when it is replaced by a new one */
    int64_t minted_ms;    /* monotonic */
    char header[];        /* "Authorization: Bearer …" */
};

/* settings is borrowed. Returns NULL with a static reason. */
struct grc_token_source *grc_token_source_new(const struct grc_credential *settings,
                                              const char **ret_reason);
void grc_token_source_free(struct grc_token_source *token_source);
const char *grc_token_source_name(const struct grc_token_source *token_source);

/* Returns the token at wall time now_s, a new one when there is none or it is old. The caller
 * releases it with grc_token_unref(). NULL without memory. */
struct grc_token *grc_token_source_token(struct grc_token_source *token_source, int64_t now_s);
void grc_token_unref(struct grc_token *token); /* NULL is fine */

/*
 * Called when the upstream has refused this token with 401. Returns true when there is a newer
 * token, so that the call may be repeated. One token is minted for all calls that were refused at
 * the same time. When a token that was minted after a refusal is refused too, and was never
 * accepted, the next one is minted after ten seconds at the earliest: the secret is probably wrong.
 */
bool grc_token_source_refused(struct grc_token_source *token_source, const struct grc_token *token,
                              int64_t now_s);
/* Notes that the upstream has accepted the token. */
static inline void grc_token_proved(struct grc_token *token)
{
    if (!atomic_load_explicit(&token->proved, memory_order_relaxed))
        atomic_store_explicit(&token->proved, true, memory_order_relaxed);
}
/* The number of tokens minted so far. */
unsigned grc_token_source_minted(const struct grc_token_source *token_source);

/* See grc_upstreams_sign(). GR_ERR_INTERNAL when this kind of credential cannot sign. */
enum gr_err grc_token_source_sign(struct grc_token_source *token_source, struct grc_arena *arena,
                                  const json_t *claims, int64_t lifetime_s, int64_t now_s,
                                  char **ret_token);
