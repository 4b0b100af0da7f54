/* Authentication with the two types of token of 100ms. */
#include "auth.h"
#include "routes.h"

#define APP_TOKEN_LIFETIME_S 86400

enum gr_err sb_check_token(struct gr_call *call, gr_str token, const char *type,
                           const json_t **ret_claims)
{
    const struct gr_jwt_rules rules = {.need_exp = true};
    struct sandbox *sb = call->state;
    const json_t *claims;
    enum gr_err err = gr_jwt_verify(call, &sb->key, 1, &rules, token, &claims);

    if (err != GR_OK)
        return sb_error(call, 401, "Token validation error", "signature or lifetime is wrong");
    if (!sb_is(claims, "access_key", gr_str_of(sb->options->access_key)))
        return sb_error(call, 401, "Token validation error", "access_key is not known");
    if (!sb_is(claims, "type", gr_str_of(type)))
        return sb_error(call, 401, "Token validation error",
                        "token is not of the type wanted here");
    if (sb_int(claims, "version") != 2)
        return sb_error(call, 401, "Token validation error", "version is not 2");
    if (!*sb_text(claims, "jti"))
        return sb_error(call, 401, "Token validation error", "jti is missing");
    *ret_claims = claims;
    return GR_OK;
}

static enum gr_err bearer(struct gr_call *call, gr_str *ret_token)
{
    *ret_token = gr_bearer(call);
    if (ret_token->len == 0)
        return sb_error(call, 401, "Authentication error", "a bearer token is missing");
    return GR_OK;
}

enum gr_err sb_bearer_claims(struct gr_call *call, const char *type, const json_t **ret_claims)
{
    gr_str token = {NULL, 0};
    enum gr_err err = bearer(call, &token);

    return err == GR_OK ? sb_check_token(call, token, type, ret_claims) : err;
}

enum gr_err sb_authenticate(struct gr_call *call)
{
    const struct sb_endpoint *endpoint = sb_endpoint_of(call);
    const char *wanted = endpoint && endpoint->token ? endpoint->token : "management";
    const json_t *claims = NULL;
    enum gr_err err = sb_bearer_claims(call, wanted, &claims);

    return err == GR_OK ? gr_set_caller(call, gr_str_of(sb_text(claims, "type"))) : err;
}

enum gr_err sb_new_app_token(struct gr_call *call, const char *room_id, const char *role,
                             const char *user_id, char **ret_token)
{
    struct sandbox *sb = call->state;
    json_int_t now = gr_now_ms(call->host) / 1000;
    enum gr_err err;
    char jti[37];
    json_t *claims;

    gr_uuid(call->host, jti);
    claims =
        json_pack("{ss ss si ss sI sI sI ss ss ss*}", "access_key", sb->options->access_key, "type",
                  "app", "version", 2, "jti", jti, "iat", now, "nbf", now, "exp",
                  now + APP_TOKEN_LIFETIME_S, "room_id", room_id, "role", role, "user_id", user_id);
    if (!claims)
        return GR_ERR_NO_MEMORY;
    err = gr_jwt_sign(call, &sb->key, claims, ret_token);
    json_decref(claims);
    return err;
}
