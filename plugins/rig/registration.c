/* Registration and invites. */
#include "accounts.h"

#define CREATE_MESSAGE "Cannot create user account."
#define INVITE_MESSAGE "Error verifying invite token"

/* ------------------------------------------------------------------------------------------ */
/* Passwords in a request                                                                     */

struct secret {
    const struct gr_host *host;
    gr_str text;
};

static void wipe_secret(void *arg)
{
    struct secret *secret = arg;

    /* The memory belongs to the host, which does not read the body after the handler. */
    gr_wipe(secret->host, (void *)(uintptr_t)secret->text.ptr, secret->text.len);
}

/* Wipes a text of the request when the call ends, so that no password outlives its request. */
static enum gr_err wipe_at_end(struct gr_call *call, gr_str secret)
{
    struct secret *kept = gr_alloc(call, sizeof(*kept));

    if (!kept)
        return GR_ERR_NO_MEMORY;
    *kept = (struct secret){call->host, secret};
    return secret.len ? gr_defer(call, wipe_secret, kept) : GR_OK;
}

enum gr_err rig_take_password(struct gr_call *call, const char *name, gr_str *ret_password)
{
    *ret_password = rig_text(gr_json(call), name);
    enum gr_err err = wipe_at_end(call, *ret_password);
    return err == GR_OK ? wipe_at_end(call, gr_body(call)) : err;
}

enum gr_err rig_fail_throttle(struct gr_call *call, enum gr_err err, int64_t wait_ms,
                              enum rig_code code, const char *message)
{
    if (err == GR_ERR_RATE) {
        gr_metric_add(call->self, "throttled_total", NULL, 1);
        return rig_fail_rate(call, wait_ms);
    }
    return rig_fail_store(call, err, code, message);
}

/* ------------------------------------------------------------------------------------------ */
/* POST /accounts/                                                                            */

struct registration {
    char id[RIG_UUID_SIZE];
    gr_str username;
    gr_str email;
    const char *email_key;
    const char *hash;
    const json_t *invite; /* claims of the invite; NULL: not required */
};

/* Marks an invite as used. Returns GR_ERR_CONFLICT when it was used before. */
static enum gr_err use_invite(struct gr_call *call, const json_t *invite)
{
    int64_t until_ms = json_integer_value(json_object_get(invite, "exp")) * 1000;
    const struct gr_value params[] = {gr_v_str(rig_text(invite, "jti")), gr_v_int(until_ms)};
    int64_t changed = 0;

    enum gr_err err = gr_store(call,
                               "INSERT INTO rig_revoked (jti, until_ms) VALUES (?1, ?2)"
                               " ON CONFLICT (jti) DO NOTHING",
                               params, 2, NULL, NULL, &changed);
    return err == GR_OK && changed == 0 ? GR_ERR_CONFLICT : err;
}

static enum gr_err insert_user(struct gr_call *call, void *arg)
{
    const struct registration *user = arg;
    int64_t now_ms = gr_now_ms(call->host);
    const struct gr_value params[] = {gr_v_text(user->id),   gr_v_str(user->username),
                                      gr_v_str(user->email), gr_v_text(user->email_key),
                                      gr_v_text(user->hash), gr_v_int(now_ms)};

    enum gr_err err = user->invite ? use_invite(call, user->invite) : GR_OK;
    if (err == GR_OK)
        err = gr_store_exec(
            call,
            "INSERT INTO rig_users (id, username, email, email_key, password, is_active,"
            " generation, created_at_ms, updated_at_ms)"
            " VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, ?6, ?6)",
            params, 6);
    if (err == GR_OK)
        err = rig_audit(call, "account created", gr_str_of(user->id), user->username, "ok");
    return err;
}

/* Checks whether the config allows this registration, and its invite when one is required. */
static enum gr_err check_registration(struct gr_call *call, struct registration *user)
{
    const struct rig *rig = rig_of(call);
    gr_str token = rig_text(gr_json(call), "inviteToken");

    if (strcmp(rig->options->registration, "closed") == 0)
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_CREATE, CREATE_MESSAGE);
    if (strcmp(rig->options->registration, "invite") != 0)
        return GR_OK;
    if (token.len == 0)
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_INVALID, INVITE_MESSAGE);
    user->invite = rig_token_claims(call, &rig->users, rig->options->audience, "invite", token);
    if (!user->invite || rig_text(user->invite, "jti").len == 0 ||
        !gr_str_eq(rig_text(user->invite, "sub"), user->email))
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_INVALID, INVITE_MESSAGE);
    return GR_OK;
}

enum gr_err rig_accounts_create(struct gr_call *call)
{
    const struct rig *rig = rig_of(call);
    const json_t *body = gr_json(call);
    struct registration user = {.username = rig_text(body, "username"),
                                .email = rig_text(body, "email")};
    const struct rig_limit limit = {"register", gr_peer_key(call),
                                    rig->options->register_address_max, HOUR_MS};
    int64_t wait_ms = 0;
    gr_str password;

    enum gr_err err = rig_take_password(call, "password", &password);
    if (err == GR_OK)
        err = check_registration(call, &user);
    if (err != GR_OK)
        return err;
    err = rig_throttle_take(call, &limit, 1, &wait_ms);
    if (err != GR_OK)
        return rig_fail_throttle(call, err, wait_ms, RIG_CREATE, CREATE_MESSAGE);
    char *hash = gr_alloc(call, RIG_HASH_SIZE);
    user.email_key = rig_lower(call, user.email);
    if (!hash || !user.email_key)
        return GR_ERR_NO_MEMORY;
    /* Hashed before the insert, so that a name that is taken takes the same time. */
    err = rig_hasher_make(rig->hasher, password, hash);
    if (err != GR_OK)
        return err;
    user.hash = hash;
    gr_uuid(call->host, user.id);
    err = gr_store_tx(call, insert_user, &user);
    if (err == GR_ERR_CONFLICT)
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_INVALID, INVITE_MESSAGE);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_CREATE, CREATE_MESSAGE);
    return rig_reply(call, "User created",
                     json_pack("{s:s, s:s%, s:s%}", "userID", user.id, "username",
                               user.username.ptr, user.username.len, "email", user.email.ptr,
                               user.email.len));
}

/* ------------------------------------------------------------------------------------------ */
/* Invites                                                                                    */

enum gr_err rig_accounts_invite(struct gr_call *call)
{
    const struct rig *rig = rig_of(call);
    gr_str email = rig_text(gr_json(call), "email");
    const struct rig_limit limit = {"invite", gr_caller(call), rig->options->invite_user_max,
                                    HOUR_MS};
    struct rig_text_row row = {.call = call};
    int64_t wait_ms = 0;
    char *token = NULL;

    enum gr_err err = rig_throttle_take(call, &limit, 1, &wait_ms);
    if (err != GR_OK)
        return rig_fail_throttle(call, err, wait_ms, RIG_CREATE, NULL);
    const struct gr_value params[] = {gr_v_text(rig_lower(call, email))};
    err = gr_store_query(call, "SELECT id FROM rig_users WHERE email_key = ?1", params, 1,
                         rig_keep_row, &row);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_CREATE, NULL);
    if (row.found)
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_CREATE, "Email is already registered");
    json_t *claims = json_pack("{s:s, s:s%, s:s%}", "ist", "invite", "iss", gr_caller(call).ptr,
                               gr_caller(call).len, "sub", email.ptr, email.len);
    err = rig_token(call, &rig->users, rig->options->audience, claims,
                    rig->options->invite_lifetime, &token);
    if (err != GR_OK)
        return rig_fail(call, GR_ERR_INTERNAL, 500, RIG_CREATE, "Unable to create invite");
    return rig_reply(call, "Invite created",
                     json_pack("{s:s%, s:s}", "email", email.ptr, email.len, "token", token));
}

enum gr_err rig_accounts_invite_verify(struct gr_call *call)
{
    const struct rig *rig = rig_of(call);
    gr_str email = rig_text(gr_json(call), "email");
    const struct rig_limit limit = {"invite-verify", gr_peer_key(call),
                                    rig->options->login_address_max, HOUR_MS};
    int64_t wait_ms = 0;

    enum gr_err err = rig_throttle_take(call, &limit, 1, &wait_ms);
    if (err != GR_OK)
        return rig_fail_throttle(call, err, wait_ms, RIG_FETCH, NULL);
    const json_t *claims = rig_token_claims(call, &rig->users, rig->options->audience, "invite",
                                            rig_text(gr_json(call), "inviteToken"));
    if (!claims || !gr_str_eq(rig_text(claims, "sub"), email))
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_INVALID, INVITE_MESSAGE);
    err = rig_throttle_give(call, &limit, false);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_FETCH, NULL);
    return rig_reply(call, "Invite verified.", json_pack("{s:s%}", "email", email.ptr, email.len));
}
