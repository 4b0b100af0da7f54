/*
 * Bearer tokens of users and agents. Every request looks its user up in the store, so that a
 * password change, a deactivation or a revoked token takes effect at once on every gateway.
 */
#include "rig.h"

#define NO_HEADER "Invalid Authorization header. Authorization header needs Bearer token"

static enum gr_err refuse(struct gr_call *call, const char *message)
{
    return rig_fail(call, GR_ERR_UNAUTHORIZED, 401, RIG_CREDENTIALS, message);
}

/* "Bearer TOKEN" with exactly one space, as the contract requires. */
static bool bearer(const struct gr_call *call, gr_str *ret_token)
{
    *ret_token = gr_bearer(call);
    return ret_token->len && ret_token->len + 7 == gr_header(call, "Authorization").len;
}

const json_t *rig_token_claims(struct gr_call *call, const struct rig_keyring *ring,
                               const char *audience, const char *kind, gr_str token)
{
    const struct gr_jwt_rules rules = {.audience = audience, .need_exp = true};
    const json_t *claims = NULL;

    if (gr_jwt_verify(call, ring->keys, ring->count, &rules, token, &claims) != GR_OK)
        return NULL;
    const char *ist = json_string_value(json_object_get(claims, "ist"));
    return ist && strcmp(ist, kind) == 0 ? claims : NULL;
}

enum gr_err rig_token(struct gr_call *call, const struct rig_keyring *ring, const char *audience,
                      json_t *stolen_claims, int64_t lifetime_ms, char **ret_token)
{
    int64_t now_s = gr_now_ms(call->host) / 1000;
    enum gr_err err = GR_ERR_NO_MEMORY;
    char jti[RIG_UUID_SIZE];

    gr_uuid(call->host, jti);
    if (stolen_claims && json_object_set_new(stolen_claims, "aud", json_string(audience)) == 0 &&
        json_object_set_new(stolen_claims, "iat", json_integer(now_s)) == 0 &&
        json_object_set_new(stolen_claims, "exp", json_integer(now_s + lifetime_ms / 1000)) == 0 &&
        (json_object_get(stolen_claims, "jti") ||
         json_object_set_new(stolen_claims, "jti", json_string(jti)) == 0))
        err = gr_jwt_sign(call, &ring->keys[0], stolen_claims, ret_token);
    json_decref(stolen_claims);
    return err;
}

/* ------------------------------------------------------------------------------------------ */
/* Users                                                                                      */

/* columns: is_active, generation, revoked */
static enum gr_err check_user(struct gr_call *call, const char *user_id, const json_t *claims)
{
    const struct gr_value params[] = {gr_v_text(user_id), gr_v_str(rig_text(claims, "jti"))};
    struct rig_text_row row = {.call = call};
    /* A token without the claim, from before generations existed, belongs to the first one. */
    int64_t generation = json_integer_value(json_object_get(claims, "gen"));

    enum gr_err err = gr_store_query(call,
                                     "SELECT is_active, generation,"
                                     " (SELECT count(*) FROM rig_revoked WHERE jti = ?2)"
                                     " FROM rig_users WHERE id = ?1",
                                     params, 2, rig_keep_row, &row);
    if (err != GR_OK)
        return err;
    if (!row.found || !row.number[0] || row.number[1] != generation || row.number[2])
        return GR_ERR_UNAUTHORIZED;
    return GR_OK;
}

enum gr_err rig_authenticate_user(struct gr_call *call)
{
    const struct rig *rig = rig_of(call);
    char user_id[RIG_UUID_SIZE];
    gr_str token;

    if (!bearer(call, &token))
        return refuse(call, NO_HEADER);
    const json_t *claims =
        rig_token_claims(call, &rig->users, rig->options->audience, "user", token);
    if (!claims || !rig_uuid_parse(rig_text(claims, "iss"), user_id))
        return refuse(call, NULL);
    enum gr_err err = check_user(call, user_id, claims);
    if (err == GR_ERR_UNAUTHORIZED)
        return refuse(call, NULL);
    /* For a failure of the store the renderer takes the code of the operation. */
    return err == GR_OK ? gr_set_caller(call, gr_str_of(user_id)) : err;
}

/* ------------------------------------------------------------------------------------------ */
/* Agents                                                                                     */

static enum gr_err check_agent(struct gr_call *call, const json_t *claims)
{
    const struct gr_value params[] = {gr_v_str(rig_text(claims, "jti"))};
    struct rig_text_row row = {.call = call};

    enum gr_err err = gr_store_query(call, "SELECT jti FROM rig_revoked WHERE jti = ?1", params, 1,
                                     rig_keep_row, &row);
    if (err != GR_OK)
        return err;
    return row.found ? GR_ERR_UNAUTHORIZED : GR_OK;
}

enum gr_err rig_authenticate_agent(struct gr_call *call)
{
    const struct rig *rig = rig_of(call);
    gr_str token;

    /* nginx-rtmp cannot set a header, so its token is in the query of the configured URL. */
    bool given = bearer(call, &token);
    if (!given) {
        token = gr_query(call, "token");
        given = token.len != 0;
    }
    if (!given && rig_networks_have(rig->networks, gr_peer(call))) {
        gr_metric_add(call->self, "unauthenticated_total", NULL, 1);
        const char *name = gr_format(call, "address %s", gr_peer(call).ptr);
        return name ? gr_set_caller(call, gr_str_of(name)) : GR_ERR_NO_MEMORY;
    }
    if (!given)
        return refuse(call, NO_HEADER);
    const json_t *claims =
        rig_token_claims(call, &rig->agents, rig->options->audience, "agent", token);
    if (!claims || rig_text(claims, "sub").len == 0)
        return refuse(call, NULL);
    enum gr_err err = check_agent(call, claims);
    if (err == GR_ERR_UNAUTHORIZED)
        return refuse(call, NULL);
    return err == GR_OK ? gr_set_caller(call, rig_text(claims, "sub")) : err;
}
