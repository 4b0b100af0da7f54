/*
 * accounts: registration, login, passwords and invites of a streaming site's users. The handlers
 * are in registration.c and login.c.
 */
#include "accounts.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------------------ */
/* Tables                                                                                     */

static const struct gr_field create_rows[] = {
    GR_FIELD("username", GR_STRING, "Unique name to log in with", .flags = GR_FIELD_REQUIRED,
             .range = GR_RANGE(3, 64), .check = rig_check_text, .example = "\"marit\""),
    GR_FIELD("password", GR_STRING, "Password with at least 8 characters and at most 512 bytes",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET, .range = GR_MIN(RIG_PASSWORD_MIN),
             .check = rig_check_new_password, .example = "\"correct horse\""),
    GR_FIELD("email", GR_STRING, "E-mail address; unique, case-insensitive",
             .flags = GR_FIELD_REQUIRED, .range = GR_RANGE(3, 64), .check = rig_check_email,
             .example = "\"marit@studio.example\""),
    GR_FIELD("inviteToken", GR_STRING, "Invite for this address, when registration requires one",
             .flags = GR_FIELD_SECRET),
    GR_END,
};

static const struct gr_field login_rows[] = {
    GR_FIELD("username", GR_STRING, "Name of the account", .flags = GR_FIELD_REQUIRED,
             .range = GR_MIN(3), .check = rig_check_text),
    GR_FIELD("password", GR_STRING, "Password of the account",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET, .range = GR_MIN(RIG_PASSWORD_MIN),
             .check = rig_check_text),
    GR_END,
};

static const struct gr_field password_rows[] = {
    GR_FIELD("oldPassword", GR_STRING, "Current password",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET, .range = GR_MIN(RIG_PASSWORD_MIN),
             .check = rig_check_text),
    GR_FIELD("newPassword", GR_STRING, "New password", .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET,
             .range = GR_MIN(RIG_PASSWORD_MIN), .check = rig_check_new_password),
    GR_END,
};

static const struct gr_field remove_rows[] = {
    GR_FIELD("password", GR_STRING, "The caller's password",
             .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET, .range = GR_MIN(RIG_PASSWORD_MIN),
             .check = rig_check_text),
    GR_END,
};

static const struct gr_field invite_rows[] = {
    GR_FIELD("email", GR_STRING, "Address to invite", .flags = GR_FIELD_REQUIRED,
             .range = GR_RANGE(3, 64), .check = rig_check_email),
    GR_END,
};

static const struct gr_field verify_rows[] = {
    GR_FIELD("email", GR_STRING, "Invited address", .flags = GR_FIELD_REQUIRED,
             .check = rig_check_not_empty),
    GR_FIELD("inviteToken", GR_STRING, "The invite", .flags = GR_FIELD_REQUIRED | GR_FIELD_SECRET,
             .check = rig_check_not_empty),
    GR_END,
};

static const struct gr_route routes[] = {
    GR_POST("/accounts", "accounts.create", "Create an account", .access = GR_ACCESS_OPEN,
            .flags = GR_ROUTE_IDEMPOTENCY_KEY, RIG_BODY(create_rows), .handle = rig_accounts_create,
            .answers = RIG_ANSWER("The account", "User created",
                                  "{\"userID\":\"0b9d6c1e-3f52-4a77-9a0e-5c1f7be2d410\","
                                  "\"username\":\"marit\",\"email\":\"marit@studio.example\"}"),
            .source = RIG_SOURCE),
    GR_POST("/accounts/auth/local", "accounts.login", "Log in with name and password",
            .access = GR_ACCESS_OPEN, RIG_BODY(login_rows), .handle = rig_accounts_login,
            .data = &rig_fetches,
            .answers =
                RIG_ANSWER("A token, valid for 28 days by default", "Authentication successful",
                           "{\"username\":\"marit\",\"token\":\"aaaa.bbbb.cccc\"}"),
            .source = RIG_SOURCE),
    GR_POST("/accounts/password", "accounts.password", "Change the caller's password",
            .access = GR_ACCESS_GROUP, RIG_BODY(password_rows), .handle = rig_accounts_password,
            .data = &rig_updates, .doc = "Earlier tokens of the user are refused from then on.",
            .answers = RIG_ANSWER("Name of the account", "User password changed",
                                  "{\"username\":\"marit\"}"),
            .source = RIG_SOURCE),
    GR_POST("/accounts/logout-all", "accounts.logout_all", "Invalidate every token of the caller",
            .access = GR_ACCESS_GROUP, .handle = rig_accounts_logout_all, .data = &rig_updates,
            .answers = RIG_ANSWER("The tokens are invalid", "Logged out everywhere", "null")),
    GR_POST("/accounts/invite", "accounts.invite", "Create an invite for an address",
            .access = GR_ACCESS_GROUP, .flags = GR_ROUTE_IDEMPOTENCY_KEY, RIG_BODY(invite_rows),
            .handle = rig_accounts_invite,
            .answers =
                RIG_ANSWER("An invite, valid for 14 days by default", "Invite created",
                           "{\"email\":\"guest@studio.example\",\"token\":\"aaaa.bbbb.cccc\"}"),
            .source = RIG_SOURCE),
    GR_POST("/accounts/invite/verify", "accounts.invite_verify", "Check an invite",
            .access = GR_ACCESS_OPEN, RIG_BODY(verify_rows), .handle = rig_accounts_invite_verify,
            .data = &rig_fetches,
            .answers = RIG_ANSWER("The invite is valid", "Invite verified.",
                                  "{\"email\":\"guest@studio.example\"}"),
            .source = RIG_SOURCE),
    GR_DELETE("/accounts", "accounts.remove", "Remove the caller's account and its streams",
              .access = GR_ACCESS_GROUP, RIG_BODY(remove_rows), .handle = rig_accounts_remove,
              .answers = RIG_ANSWER("The account was removed", "User removed", "null")),
    GR_END,
};

static const struct gr_option options[] = {
    GR_OPTION(rig_options, users_key, GR_OPT_SECRET, NULL,
              "Key that signs tokens of users; unset: made at the first start",
              .env = "RIG_USERS_KEY"),
    GR_OPTION(rig_options, users_key_previous, GR_OPT_SECRET, NULL,
              "Previous key, as long as its tokens are in use"),
    GR_OPTION(rig_options, users_key_legacy, GR_OPT_SECRET, NULL,
              "Key of tokens without kid from an earlier rig; unset: the current key"),
    GR_OPTION(rig_options, audience, GR_OPT_STRING, "rig.xplex.me", "Claim aud of all tokens"),
    GR_OPTION(rig_options, token_lifetime, GR_OPT_MS, "28d", "Lifetime of a login token",
              .range = GR_MIN(MINUTE_MS)),
    GR_OPTION(rig_options, invite_lifetime, GR_OPT_MS, "14d", "Lifetime of an invite",
              .range = GR_MIN(MINUTE_MS)),
    GR_OPTION(rig_options, registration, GR_OPT_STRING, "open", "Who may create an account",
              .values = GR_LIST("open", "invite", "closed")),
    GR_OPTION(rig_options, bcrypt_cost, GR_OPT_INT, "12", "Cost of a password hash",
              .range = GR_RANGE(10, 15)),
    GR_OPTION(rig_options, hash_threads, GR_OPT_INT, "0",
              "Passwords hashed in parallel; 0: one less than there are cores",
              .range = GR_RANGE(0, 64)),
    GR_OPTION(rig_options, hash_queue, GR_OPT_INT, "32",
              "Passwords that may wait for a thread; further ones are answered 503",
              .range = GR_RANGE(0, 1000)),
    GR_OPTION(rig_options, common_passwords, GR_OPT_STRING, NULL,
              "File with passwords to refuse, one per line"),
    GR_OPTION(rig_options, login_pair_max, GR_OPT_INT, "5",
              "Failed logins in 15 minutes per name and address; 0: no limit", .range = GR_MIN(0)),
    GR_OPTION(
        rig_options, login_user_max, GR_OPT_INT, "20",
        "Failed logins in an hour per name, after which each address has one attempt in 15 minutes "
        "for this name; 0: no limit",
        .range = GR_MIN(0)),
    GR_OPTION(rig_options, login_address_max, GR_OPT_INT, "100",
              "Failed logins in an hour per address; 0: no limit", .range = GR_MIN(0)),
    GR_OPTION(rig_options, register_address_max, GR_OPT_INT, "60",
              "Registrations in an hour per address; 0: no limit", .range = GR_MIN(0)),
    GR_OPTION(rig_options, invite_user_max, GR_OPT_INT, "20",
              "Invites in an hour per user; 0: no limit", .range = GR_MIN(0)),
    GR_OPTION(rig_options, audit_keep, GR_OPT_MS, "90d", "Age at which audit rows are deleted",
              .range = GR_MIN(HOUR_MS)),
    GR_END,
};

static const struct gr_metric metrics[] = {
    {"logins_total", GR_COUNTER, "Logins by outcome", "outcome"},
    {"throttled_total", GR_COUNTER, "Requests refused because a limit of attempts was reached",
     NULL},
    GR_END,
};

/* ------------------------------------------------------------------------------------------ */
/* Lifecycle                                                                                  */

/* Deletes expired counters, revocations and audit rows. */
static enum gr_err purge(struct gr_call *call)
{
    int64_t now_ms = gr_now_ms(call->host);
    const struct gr_value now[] = {gr_v_int(now_ms)};
    const struct gr_value before[] = {gr_v_int(now_ms - rig_of(call)->options->audit_keep)};

    enum gr_err err = rig_throttle_purge(call);
    if (err == GR_OK)
        err = gr_store_exec(call, "DELETE FROM rig_revoked WHERE until_ms <= ?1", now, 1);
    if (err == GR_OK)
        err = gr_store_exec(call, "DELETE FROM rig_audit WHERE at_ms <= ?1", before, 1);
    return err;
}

static const struct gr_timer timers[] = {
    {.name = "purge", .interval_ms = 10 * MINUTE_MS, .run = purge},
    GR_END,
};

static const struct gr_command commands[] = {
    {.name = "rig users",
     .usage = "list | deactivate USER | activate USER | passwd USER",
     .summary = "List and manage rig's users; passwd reads the password from standard input",
     .run = rig_users,
     .flags = rig_no_flags},
    {.name = "rig import",
     .usage = "[postgres://USER@HOST/DATABASE]",
     .summary = "Copy the tables of an original rig into the store; may be repeated. Without an "
                "argument the URL comes from RIG_IMPORT_URL, which hides its password from other "
                "users of the host",
     .run = rig_import,
     .flags = rig_no_flags},
    GR_END,
};

static void accounts_fini(struct gr_self *self, void *state)
{
    struct rig *rig = state;

    (void)self;
    rig_hasher_free(rig->hasher);
    rig_words_free(rig->common_passwords);
    free(rig);
}

static enum gr_err accounts_init(struct gr_self *self, const void *opts, void **ret_state)
{
    const struct rig_options *given = opts;
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return GR_ERR_NO_MEMORY;
    rig->options = given;
    enum gr_err err = rig_keyring_init(self, &rig->users, "users", given->users_key,
                                       given->users_key_previous, given->users_key_legacy);
    if (err == GR_OK && given->common_passwords && *given->common_passwords) {
        rig->common_passwords = rig_words_load(self, given->common_passwords);
        err = rig->common_passwords ? GR_OK : GR_ERR_INTERNAL;
    }
    if (err == GR_OK) {
        struct rig_hasher_settings settings = {
            .threads = given->hash_threads,
            .queue_max = given->hash_queue,
            .cost = given->bcrypt_cost,
        };
        rig->hasher = rig_hasher_new(self->host, &settings);
        err = rig->hasher ? GR_OK : GR_ERR_NO_MEMORY;
    }
    if (err != GR_OK) {
        accounts_fini(self, rig);
        return err;
    }
    *ret_state = rig;
    return GR_OK;
}

static enum gr_err accounts_start(struct gr_self *self, void *state)
{
    struct rig *rig = state;

    if (rig_hasher_start(rig->hasher))
        return GR_OK;
    gr_log_self(self, GR_LOG_ERROR, "cannot start the threads that hash passwords");
    return GR_ERR_INTERNAL;
}

static void accounts_stop(struct gr_self *self, void *state)
{
    struct rig *rig = state;

    (void)self;
    rig_hasher_stop(rig->hasher);
}

static const char *const owns[] = {"/accounts", NULL};

GR_PLUGIN("accounts", .version = RIG_VERSION, .summary = "Accounts of a streaming site",
          .licence = RIG_LICENCE, .routes = routes, .options = options,
          .options_size = sizeof(struct rig_options), .migrations = rig_migrations,
          .metrics = metrics, .timers = timers, .commands = commands, .owns = owns,
          .flags = RIG_FLAGS, .render_error = rig_render_error, .error_body = rig_error_body,
          .authenticate = rig_authenticate_user, .init = accounts_init, .start = accounts_start,
          .stop = accounts_stop, .fini = accounts_fini, .migrations_name = RIG_SCHEMA)
