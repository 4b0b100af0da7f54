#include "signer.h"

#include "base/ids.h"
#include "base/key_file.h"
#include "base/state.h"

#include <jansson.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct mini_signer {
    struct gr_jwt_key key;
    char *key_bytes;      /* content of the key file; NULL: the key is the shared secret */
    pthread_mutex_t lock; /* protects the members below */
    char *token;
    int64_t renew_ms;
};

struct mini_signer *mini_signer_new(struct gr_self *self, const struct mini_options *options,
                                    gr_str secret)
{
    const char *path = options->id_token_key_file;
    struct mini_signer *signer = calloc(1, sizeof(*signer));

    if (!signer)
        return NULL;
    signer->key = (struct gr_jwt_key){.alg = options->id_token_algorithm, .key = secret};
    pthread_mutex_init(&signer->lock, NULL);
    if (path) {
        signer->key_bytes = mini_key_file_read(path, &signer->key.key.len);
        signer->key.key.ptr = signer->key_bytes;
    }
    const char *fault =
        path && !signer->key_bytes ? strerror(errno) : gr_jwt_key_fault(self->host, &signer->key);
    if (!fault)
        return signer;
    gr_log_self(self, GR_LOG_ERROR, "%s: cannot sign tokens with %s: %s",
                path ? path : "the secret", signer->key.alg, fault);
    mini_signer_free(self, signer);
    return NULL;
}

void mini_signer_free(struct gr_self *self, struct mini_signer *signer)
{
    if (!signer)
        return;
    if (signer->key_bytes)
        gr_wipe(self->host, signer->key_bytes, signer->key.key.len);
    free(signer->key_bytes);
    if (signer->token)
        gr_wipe(self->host, signer->token, strlen(signer->token));
    free(signer->token);
    pthread_mutex_destroy(&signer->lock);
    free(signer);
}

/* Signs a token of the gateway's account for an audience. */
static const char *mint(struct gr_call *call, const char *audience)
{
    const struct mini_state *state = mini_state_of(call);
    int64_t now_s = gr_now_ms(call->host) / 1000;
    struct gr_account ours;
    char *token = NULL;

    if (!mini_account_parse(gr_str_of(state->options->account), &ours))
        return NULL;
    json_t *claims =
        json_pack("{s:s%, s:s, s:s%, s:I, s:I}", "iss", ours.audience.ptr, ours.audience.len, "aud",
                  audience, "sub", ours.label.ptr, ours.label.len, "iat", (json_int_t)now_s, "exp",
                  (json_int_t)(now_s + state->options->id_token_lifetime / 1000));
    if (!claims || gr_jwt_sign(call, &state->signer->key, claims, &token) != GR_OK)
        gr_log(call, GR_LOG_ERROR, "cannot sign a service token");
    json_decref(claims);
    return token;
}

const char *mini_service_token(struct gr_call *call)
{
    struct mini_state *state = mini_state_of(call);
    struct mini_signer *signer = state->signer;
    int64_t now = gr_now_ms(call->host);
    const char *token = NULL;

    pthread_mutex_lock(&signer->lock);
    if (signer->token && now < signer->renew_ms)
        token = gr_copy(call, gr_str_of(signer->token));
    pthread_mutex_unlock(&signer->lock);
    if (token)
        return token;

    const char *dot = strchr(state->options->account, '.');
    token = dot ? mint(call, dot + 1) : NULL;
    char *kept = token ? strdup(token) : NULL;
    if (!kept)
        return token;
    pthread_mutex_lock(&signer->lock);
    char *old = signer->token;
    signer->token = kept;
    signer->renew_ms = now + state->options->id_token_lifetime / 2;
    pthread_mutex_unlock(&signer->lock);
    free(old);
    return token;
}

const char *mini_tenant_token(struct gr_call *call, const char *audience)
{
    const char *dot = strchr(mini_state_of(call)->options->account, '.');
    const char *aud = dot ? gr_format(call, "%s:%s", dot + 1, audience) : NULL;

    return aud ? mint(call, aud) : NULL;
}
