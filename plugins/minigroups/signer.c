#include "signer.h"

#include "ids.h"
#include "secret.h"

#include <jansson.h>

#include <stdlib.h>

bool mg_signer_init(struct mg_signer *signer, struct gr_self *self,
                    const struct mg_options *options, gr_str secret)
{
    const char *path = options->id_token_key_file;

    *signer = (struct mg_signer){.key = {.alg = options->id_token_algorithm}};
    pthread_mutex_init(&signer->lock, NULL);
    if (path) {
        if (mg_read_file(path, &signer->key.key))
            return true;
        gr_log_self(self, GR_LOG_ERROR, "cannot read id_token_key_file '%s'", path);
    } else {
        char *copy = malloc(secret.len + 1);

        if (copy) {
            memcpy(copy, secret.ptr, secret.len);
            copy[secret.len] = '\0';
            signer->key.key = (gr_str){copy, secret.len};
            return true;
        }
    }
    pthread_mutex_destroy(&signer->lock);
    return false;
}

void mg_signer_done(struct mg_signer *signer, struct gr_self *self)
{
    char *bytes;

    memcpy(&bytes, &signer->key.key.ptr, sizeof(bytes));
    if (bytes)
        gr_wipe(self->host, bytes, signer->key.key.len);
    free(bytes);
    if (signer->token)
        gr_wipe(self->host, signer->token, strlen(signer->token));
    free(signer->token);
    pthread_mutex_destroy(&signer->lock);
}

/* Signs sub = our label, iss = our audience, aud as given. */
static const char *mint(struct gr_call *call, const char *audience)
{
    const struct mg_state *state = mg_state_of(call);
    int64_t now_s = gr_now_ms(call->host) / 1000;
    struct mg_account ours;
    char *token = NULL;

    if (!mg_account_parse(gr_str_of(state->options->account), &ours))
        return NULL;
    json_t *claims =
        json_pack("{s:s%, s:s, s:s%, s:I, s:I}", "iss", ours.audience.ptr, ours.audience.len, "aud",
                  audience, "sub", ours.label.ptr, ours.label.len, "iat", (json_int_t)now_s, "exp",
                  (json_int_t)(now_s + state->options->id_token_lifetime / 1000));
    if (!claims || gr_jwt_sign(call, &state->signer.key, claims, &token) != GR_OK)
        gr_log(call, GR_LOG_ERROR, "cannot sign a service token");
    json_decref(claims);
    return token;
}

const char *mg_service_token(struct gr_call *call)
{
    struct mg_state *state = mg_state_of(call);
    struct mg_signer *signer = &state->signer;
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

const char *mg_tenant_token(struct gr_call *call, const char *audience)
{
    const char *dot = strchr(mg_state_of(call)->options->account, '.');
    const char *aud = dot ? gr_format(call, "%s:%s", dot + 1, audience) : NULL;

    return aud ? mint(call, aud) : NULL;
}
