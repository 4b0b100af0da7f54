#include "base/clock.h"
#include "base/json.h"
#include "call/host.h"
#include "token/jwt.h"

#define KEYS_MAX 16u

enum gr_err grc_host_jwt_sign(struct gr_call *pub, const struct gr_jwt_key *key,
                              const json_t *claims, char **ret_token)
{
    struct grc_call *call = grc_call_of(pub);
    const char *reason = "";
    struct grc_jwt_key *parsed = grc_jwt_key_new(key, &reason);

    if (!parsed)
        return grc_fail(call, GR_ERR_INTERNAL, "cannot sign: %s", reason);
    enum gr_err err = grc_jwt_sign(&call->arena, parsed, claims, NULL, ret_token);
    grc_jwt_key_free(parsed);
    return err;
}

enum gr_err grc_host_jwt_verify(struct gr_call *pub, const struct gr_jwt_key *keys, size_t count,
                                const struct gr_jwt_rules *rules, gr_str token,
                                const json_t **ret_claims)
{
    struct grc_call *call = grc_call_of(pub);
    const struct grc_jwt_key *parsed[KEYS_MAX];
    struct grc_jwt_key *owned[KEYS_MAX];
    json_t *claims = NULL;
    size_t ready = 0;

    for (size_t i = 0; i < count && ready < KEYS_MAX; i++) {
        const char *reason = "";

        owned[ready] = grc_jwt_key_new(&keys[i], &reason);
        if (owned[ready]) {
            parsed[ready] = owned[ready];
            ready++;
        }
    }
    enum grc_jwt_fault fault =
        grc_jwt_verify(parsed, ready, rules, token, grc_now_ms() / 1000, &claims);
    for (size_t i = 0; i < ready; i++)
        grc_jwt_key_free(owned[i]);
    if (fault != GRC_JWT_OK)
        return GR_ERR_UNAUTHORIZED;
    if (grc_json_defer(&call->arena, claims) != GR_OK)
        return GR_ERR_NO_MEMORY;
    *ret_claims = claims;
    return GR_OK;
}

enum gr_err grc_host_jwt_peek(struct gr_call *pub, gr_str token, const json_t **ret_header,
                              const json_t **ret_claims)
{
    struct grc_call *call = grc_call_of(pub);
    json_t *header = NULL;
    json_t *claims = NULL;

    if (!grc_jwt_peek(token, &header, &claims))
        return GR_ERR_UNAUTHORIZED;
    enum gr_err err = grc_json_defer(&call->arena, header);
    if (grc_json_defer(&call->arena, claims) != GR_OK)
        err = GR_ERR_NO_MEMORY;
    if (err != GR_OK)
        return err;
    if (ret_header)
        *ret_header = header;
    if (ret_claims)
        *ret_claims = claims;
    return GR_OK;
}

const char *grc_host_jwt_key_fault(const struct gr_jwt_key *key)
{
    const char *reason = "the key cannot be used";
    struct grc_jwt_key *parsed = grc_jwt_key_new(key, &reason);

    if (!parsed)
        return reason;
    grc_jwt_key_free(parsed);
    return NULL;
}
