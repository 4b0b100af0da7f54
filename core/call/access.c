/* The services for accounts and their rights: see auth/authn.h and auth/authz.h. */
#include "auth/authn.h"
#include "auth/authz.h"
#include "base/clock.h"
#include "call/host.h"

#define ANSWER_TIMEOUT_MS 5000

struct gr_authn *grc_host_authn_new(struct gr_self *self, const json_t *config, gr_str fallback_key)
{
    return grc_authn_new(self->name, config, fallback_key);
}

void grc_host_authn_free(struct gr_authn *authn)
{
    grc_authn_free(authn);
}

enum gr_err grc_host_authn_check(struct gr_call *pub, const struct gr_authn *authn, gr_str token,
                                 struct gr_account *ret_account, const char **ret_reason)
{
    return grc_authn_check(authn, &grc_call_of(pub)->arena, token, grc_now_ms() / 1000, ret_account,
                           ret_reason);
}

enum gr_err grc_host_set_caller_account(struct gr_call *pub, const struct gr_account *account)
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

struct gr_account grc_host_caller_account(const struct gr_call *pub)
{
    return ((const struct grc_call *)pub)->account;
}

static bool define(void *arg, const char *name, const json_t *settings)
{
    return grc_host_upstream_define(arg, name, settings) == GR_OK;
}

struct gr_authz *grc_host_authz_new(struct gr_self *self, const char *account, const json_t *rules,
                                    int64_t cache_ms, gr_bearer_fn *bearer)
{
    return grc_authz_new(self->name, account, rules, cache_ms, bearer, define, self);
}

void grc_host_authz_free(struct gr_authz *authz)
{
    grc_authz_free(authz);
}

static enum gr_verdict ask(struct gr_call *pub, const struct gr_authz *authz,
                           const struct grc_authz_service *service, const char *audience,
                           const struct gr_intent *intent)
{
    gr_bearer_fn *bearer = grc_authz_bearer(authz);
    const char *body = grc_authz_question(authz, &grc_call_of(pub)->arena, intent);
    const char *token = bearer && body ? bearer(pub, audience) : NULL;
    enum gr_verdict verdict = GR_UNDECIDED;

    if (!body || (bearer && !token))
        return GR_UNDECIDED;
    const struct gr_upstream_request request = {.upstream = service->upstream,
                                                .method = GR_METHOD_POST,
                                                .path = service->path,
                                                .body = gr_str_of(body),
                                                .bearer = token,
                                                .timeout_ms = ANSWER_TIMEOUT_MS};
    for (unsigned i = 0; i < service->attempts && verdict == GR_UNDECIDED; i++) {
        struct gr_upstream_reply reply = {0};

        if (grc_host_upstream_call(pub, &request, &reply, 1) == GR_OK)
            verdict = grc_authz_answer(reply.body, intent->action);
    }
    return verdict;
}

enum gr_verdict grc_host_authz_check(struct gr_call *pub, struct gr_authz *authz,
                                     const char *audience, const struct gr_intent *intent)
{
    const struct grc_authz_service *service = NULL;
    enum gr_verdict verdict = grc_authz_decide(authz, audience, intent, &service);
    unsigned char key[32];

    if (!service)
        return verdict;
    if (!grc_authz_key(authz, audience, intent, key))
        return ask(pub, authz, service, audience, intent);
    verdict = grc_authz_recall(authz, key, grc_now_ms());
    if (verdict != GR_UNDECIDED)
        return verdict;
    verdict = ask(pub, authz, service, audience, intent);
    grc_authz_remember(authz, key, verdict, grc_now_ms());
    return verdict;
}
