/* Login, changes of the password, and removal of the account. */
#include "accounts.h"

#define PASSWORD_MESSAGE "Cannot update user password"

/* ------------------------------------------------------------------------------------------ */
/* POST /accounts/auth/local                                                                  */

struct account {
    const char *id;
    const char *username;
    const char *hash; /* NULL: no password, or no such account */
    bool active;
    int64_t generation;
};

static enum gr_err read_account(struct gr_call *call, const char *sql, gr_str key,
                                struct account *ret)
{
    const struct gr_value params[] = {gr_v_str(key)};
    struct rig_text_row row = {.call = call};

    enum gr_err err = gr_store_query(call, sql, params, 1, rig_keep_row, &row);
    if (err == GR_OK)
        *ret = (struct account){row.text[0], row.text[1], row.text[2], row.number[3] != 0,
                                row.number[4]};
    return err;
}

#define ACCOUNT_COLUMNS "SELECT id, username, password, is_active, generation FROM rig_users"

static enum gr_err account_named(struct gr_call *call, gr_str username, struct account *ret)
{
    return read_account(call, ACCOUNT_COLUMNS " WHERE username = ?1", username, ret);
}

static enum gr_err account_of_caller(struct gr_call *call, struct account *ret)
{
    return read_account(call, ACCOUNT_COLUMNS " WHERE id = ?1", gr_caller(call), ret);
}

/* Replaces a hash that is weaker than the config wants, unless the password was changed meanwhile.
 * A failure is not an error: the old hash stays valid. */
static void upgrade_hash(struct gr_call *call, const struct account *account, gr_str password)
{
    const struct rig *rig = rig_of(call);
    char *hash = gr_alloc(call, RIG_HASH_SIZE);

    if (!rig_hash_stale(account->hash, password, rig->options->bcrypt_cost))
        return;
    if (!hash || rig_hasher_make(rig->hasher, password, hash) != GR_OK)
        return;
    const struct gr_value params[] = {gr_v_text(hash), gr_v_text(account->id),
                                      gr_v_text(account->hash)};
    if (gr_store_exec(call, "UPDATE rig_users SET password = ?1 WHERE id = ?2 AND password = ?3",
                      params, 3) != GR_OK)
        gr_log(call, GR_LOG_WARN, "a password hash could not be renewed; ignoring");
}

static enum gr_err login_reply(struct gr_call *call, const struct account *account)
{
    const struct rig *rig = rig_of(call);
    char *token = NULL;

    enum gr_err err =
        rig_token(call, &rig->users, rig->options->audience,
                  json_pack("{s:s, s:s, s:s, s:I}", "ist", "user", "iss", account->id, "sub",
                            account->username, "gen", (json_int_t)account->generation),
                  rig->options->token_lifetime, &token);
    if (err != GR_OK)
        return err;
    return rig_reply(call, "Authentication successful",
                     json_pack("{s:s, s:s}", "username", account->username, "token", token));
}

/* The limits against which a login attempt is counted. */
enum { BY_NAME, BY_PAIR, BY_ADDRESS, LOGIN_LIMITS };

/* Returns false without memory. */
static bool login_limits(struct gr_call *call, gr_str username,
                         struct rig_limit limits[LOGIN_LIMITS])
{
    const struct rig_options *options = rig_of(call)->options;
    gr_str address = gr_peer_key(call);
    char *pair = gr_alloc(call, username.len + address.len + 2);
    /* The limit per name needs a counter per address as well: see take_attempt(). */
    int64_t pair_max =
        options->login_user_max && !options->login_pair_max ? INT64_MAX : options->login_pair_max;

    if (!pair)
        return false;
    /* A username contains no NUL, so a NUL separates name and address unambiguously. */
    memcpy(pair, username.ptr, username.len);
    if (address.len)
        memcpy(pair + username.len + 1, address.ptr, address.len);
    limits[BY_NAME] = (struct rig_limit){"login-user", username, options->login_user_max, HOUR_MS};
    limits[BY_PAIR] = (struct rig_limit){
        "login-pair", {pair, username.len + address.len + 1}, pair_max, PAIR_WINDOW_MS};
    limits[BY_ADDRESS] =
        (struct rig_limit){"login-address", address, options->login_address_max, HOUR_MS};
    return true;
}

/* An attempt is counted before the password is verified; this undoes the count. */
static void give_back(struct gr_call *call, const struct rig_limit limits[LOGIN_LIMITS],
                      bool success)
{
    enum gr_err err = GR_OK;

    for (size_t i = 0; i < LOGIN_LIMITS && err == GR_OK; i++)
        err = rig_throttle_give(call, &limits[i], success && i == BY_PAIR);
    if (err != GR_OK)
        gr_log(call, GR_LOG_WARN, "a login counter could not be lowered; ignoring");
}

/*
 * Counts an attempt. After too many failures for a name the account is not locked, because any
 * client could then lock its owner out. Instead each address has one attempt for this name per
 * window: the owner gets in with the right password, and an attacker needs one address per guess.
 */
static enum gr_err take_attempt(struct gr_call *call, struct rig_limit limits[LOGIN_LIMITS],
                                int64_t *ret_wait_ms)
{
    enum gr_err err = rig_throttle_take(call, &limits[BY_NAME], 1, ret_wait_ms);

    if (err == GR_ERR_RATE) {
        limits[BY_NAME].max = 0; /* it was not counted, so give_back() must skip it */
        limits[BY_PAIR].max = 1;
    } else if (err != GR_OK) {
        return err;
    }
    err = rig_throttle_take(call, &limits[BY_PAIR], LOGIN_LIMITS - BY_PAIR, ret_wait_ms);
    if (err != GR_OK)
        (void)rig_throttle_give(call, &limits[BY_NAME], false);
    return err;
}

enum gr_err rig_accounts_login(struct gr_call *call)
{
    const struct rig *rig = rig_of(call);
    gr_str username = rig_text(gr_json(call), "username");
    struct account account = {.id = NULL};
    struct rig_limit limits[LOGIN_LIMITS];
    int64_t wait_ms = 0;
    bool right = false;
    gr_str password;

    enum gr_err err = rig_take_password(call, "password", &password);
    if (err != GR_OK)
        return err;
    if (!login_limits(call, username, limits))
        return GR_ERR_NO_MEMORY;
    err = take_attempt(call, limits, &wait_ms);
    if (err != GR_OK)
        return rig_fail_throttle(call, err, wait_ms, RIG_FETCH, NULL);
    err = account_named(call, username, &account);
    if (err == GR_OK)
        err = rig_hasher_verify(rig->hasher, password, account.hash, &right);
    if (err != GR_OK) {
        give_back(call, limits, false);
        return rig_fail_store(call, err, RIG_FETCH, NULL);
    }
    right = right && account.active;
    gr_metric_add(call->self, "logins_total", right ? "ok" : "refused", 1);
    err = rig_audit(call, "login", gr_str_of(account.id), username, right ? "ok" : "refused");
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_FETCH, NULL);
    if (!right)
        return rig_fail(call, GR_ERR_UNAUTHORIZED, 401, RIG_CREDENTIALS, NULL);
    give_back(call, limits, true);
    upgrade_hash(call, &account, password);
    return login_reply(call, &account);
}

/* ------------------------------------------------------------------------------------------ */
/* POST /accounts/password                                                                    */

/* Verifies the caller's password, with a limit per user. Returns GR_ERR_FORBIDDEN for a wrong
 * password; other errors have failed the call. */
static enum gr_err verify_caller(struct gr_call *call, gr_str password, const char *message,
                                 struct account *ret_account)
{
    const struct rig *rig = rig_of(call);
    const struct rig_limit limit = {"password", gr_caller(call), rig->options->login_pair_max,
                                    PAIR_WINDOW_MS};
    int64_t wait_ms = 0;
    bool right = false;

    enum gr_err err = rig_throttle_take(call, &limit, 1, &wait_ms);
    if (err != GR_OK)
        return rig_fail_throttle(call, err, wait_ms, RIG_UPDATE, message);
    err = account_of_caller(call, ret_account);
    if (err == GR_OK)
        err = rig_hasher_verify(rig->hasher, password, ret_account->hash, &right);
    if (err != GR_OK) {
        (void)rig_throttle_give(call, &limit, false);
        return rig_fail_store(call, err, RIG_UPDATE, message);
    }
    if (!right)
        return GR_ERR_FORBIDDEN;
    err = rig_throttle_give(call, &limit, true);
    return err == GR_OK ? GR_OK : rig_fail_store(call, err, RIG_UPDATE, message);
}

struct new_password {
    const struct account *account;
    const char *hash;
};

static enum gr_err update_password(struct gr_call *call, void *arg)
{
    const struct new_password *change = arg;
    const struct account *account = change->account;
    const struct gr_value params[] = {gr_v_text(change->hash), gr_v_int(gr_now_ms(call->host)),
                                      gr_v_text(account->id), gr_v_text(account->hash)};
    int64_t changed = 0;

    enum gr_err err = gr_store(call,
                               "UPDATE rig_users SET password = ?1, updated_at_ms = ?2,"
                               " generation = generation + 1 WHERE id = ?3 AND password = ?4",
                               params, 4, NULL, NULL, &changed);
    if (err == GR_OK && changed == 0)
        return GR_ERR_FORBIDDEN;
    if (err == GR_OK)
        err = rig_audit(call, "password changed", gr_str_of(account->id),
                        gr_str_of(account->username), "ok");
    return err;
}

enum gr_err rig_accounts_password(struct gr_call *call)
{
    const struct rig *rig = rig_of(call);
    struct account account = {.id = NULL};
    gr_str old_password;
    gr_str new_password;

    enum gr_err err = rig_take_password(call, "oldPassword", &old_password);
    if (err == GR_OK)
        err = rig_take_password(call, "newPassword", &new_password);
    if (err != GR_OK)
        return err;
    err = verify_caller(call, old_password, PASSWORD_MESSAGE, &account);
    if (err == GR_OK) {
        char *hash = gr_alloc(call, RIG_HASH_SIZE);
        const struct new_password change = {&account, hash};
        if (!hash)
            return GR_ERR_NO_MEMORY;
        err = rig_hasher_make(rig->hasher, new_password, hash);
        if (err == GR_OK)
            err = gr_store_tx(call, update_password, (void *)(uintptr_t)&change);
    }
    if (err == GR_ERR_FORBIDDEN)
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_UPDATE, PASSWORD_MESSAGE);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_UPDATE, PASSWORD_MESSAGE);
    return rig_reply(call, "User password changed",
                     json_pack("{s:s}", "username", account.username));
}

/* ------------------------------------------------------------------------------------------ */
/* POST /accounts/logout-all, DELETE /accounts/                                               */

enum gr_err rig_accounts_logout_all(struct gr_call *call)
{
    const struct gr_value params[] = {gr_v_str(gr_caller(call))};

    enum gr_err err = gr_store_exec(
        call, "UPDATE rig_users SET generation = generation + 1 WHERE id = ?1", params, 1);
    if (err == GR_OK)
        err = rig_audit(call, "logged out everywhere", gr_caller(call), gr_caller(call), "ok");
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_UPDATE, NULL);
    return rig_reply(call, "Logged out everywhere", NULL);
}

/* Returns GR_ERR_CONFLICT when one of the user's streams is live. */
static enum gr_err remove_user(struct gr_call *call, void *arg)
{
    static const char *const removals[] = {
        ("DELETE FROM rig_destinations WHERE stream_id IN"
         " (SELECT id FROM rig_streams WHERE user_id = ?1)"),
        "DELETE FROM rig_streams WHERE user_id = ?1",
        "DELETE FROM rig_users WHERE id = ?1",
    };
    const char *id = arg;
    const struct gr_value params[] = {gr_v_text(id), gr_v_int(gr_now_ms(call->host))};
    struct rig_text_row row = {.call = call};

    enum gr_err err = gr_store_query(call,
                                     "SELECT count(*) FROM rig_streams"
                                     " WHERE user_id = ?1 AND live_until_ms > ?2",
                                     params, 2, rig_keep_row, &row);
    if (err == GR_OK && row.number[0])
        return GR_ERR_CONFLICT;
    for (size_t i = 0; i < sizeof(removals) / sizeof(removals[0]) && err == GR_OK; i++)
        err = gr_store_exec(call, removals[i], params, 1);
    if (err == GR_OK)
        err = rig_audit(call, "account removed", gr_str_of(id), gr_str_of(id), "ok");
    return err;
}

enum gr_err rig_accounts_remove(struct gr_call *call)
{
    struct account account = {.id = NULL};
    gr_str password;

    enum gr_err err = rig_take_password(call, "password", &password);
    if (err == GR_OK)
        err = verify_caller(call, password, NULL, &account);
    if (err == GR_OK)
        err = gr_store_tx(call, remove_user, (void *)(uintptr_t)account.id);
    if (err == GR_ERR_FORBIDDEN)
        return rig_fail(call, GR_ERR_INVALID, 400, RIG_UPDATE, NULL);
    if (err == GR_ERR_CONFLICT)
        return rig_fail(call, GR_ERR_CONFLICT, 409, RIG_IN_USE, NULL);
    if (err != GR_OK)
        return rig_fail_store(call, err, RIG_UPDATE, NULL);
    return rig_reply(call, "User removed", NULL);
}
