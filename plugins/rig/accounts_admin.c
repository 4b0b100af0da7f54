/* Commands that manage users: `greenroom rig users …`. */
#include "rig.h"

#include <stdio.h>
#include <unistd.h>

/* columns: id, username, email, is_active, streams */
static enum gr_err print_user(void *arg, const struct gr_value *columns, size_t count)
{
    (void)arg;
    (void)count;
    (void)printf("%.*s  %-8s  %3lld  %.*s  %.*s\n", (int)columns[0].s.len, columns[0].s.ptr,
                 columns[3].i ? "active" : "inactive", (long long)columns[4].i,
                 (int)columns[1].s.len, columns[1].s.ptr, (int)columns[2].s.len, columns[2].s.ptr);
    return GR_OK;
}

static int list_users(struct gr_call *call)
{
    enum gr_err err = gr_store_query(call,
                                     "SELECT id, username, email, is_active,"
                                     " (SELECT count(*) FROM rig_streams s WHERE s.user_id = u.id)"
                                     " FROM rig_users u ORDER BY username",
                                     GR_NO_PARAMS, print_user, NULL);

    return err == GR_OK ? 0 : rig_command_failed("the store failed; the log has the reason");
}

/* A change of a user. It invalidates the user's earlier tokens. */
struct change {
    const char *username;
    int64_t active;
    const char *hash; /* new hash; NULL: the change sets active */
    bool found;
};

static enum gr_err write_change(struct gr_call *call, const struct change *change,
                                int64_t *ret_changed)
{
    const struct gr_value params[] = {gr_v_text(change->username), gr_v_int(gr_now_ms(call->host)),
                                      change->hash ? gr_v_text(change->hash)
                                                   : gr_v_int(change->active)};
    const char *sql = change->hash ? "UPDATE rig_users SET password = ?3,"
                                     " generation = generation + 1, updated_at_ms = ?2"
                                     " WHERE username = ?1"
                                   : "UPDATE rig_users SET is_active = ?3,"
                                     " generation = generation + 1, updated_at_ms = ?2"
                                     " WHERE username = ?1";

    return gr_store(call, sql, params, 3, NULL, NULL, ret_changed);
}

static enum gr_err change_user(struct gr_call *call, void *arg)
{
    struct change *change = arg;
    int64_t changed = 0;

    enum gr_err err = write_change(call, change, &changed);
    change->found = changed != 0;
    if (err == GR_OK && changed)
        err = rig_audit(call,
                        change->hash     ? "password set by operator"
                        : change->active ? "account activated by operator"
                                         : "account deactivated by operator",
                        GR_STR("operator"), gr_str_of(change->username), "ok");
    return err;
}

static int run_change(struct gr_call *call, struct change *change)
{
    enum gr_err err = gr_store_tx(call, change_user, change);

    if (err != GR_OK)
        return rig_command_failed("the store failed; the log has the reason");
    return change->found ? 0 : rig_command_failed("no user of this name");
}

/* Reads the password from standard input: arguments are visible in the list of processes. */
static int set_password(struct gr_call *call, const struct rig_options *options,
                        const char *username)
{
    char line[RIG_PASSWORD_MAX_BYTES + 2];
    char hash[RIG_HASH_SIZE];

    if (isatty(STDIN_FILENO))
        (void)fprintf(stderr, "New password for %s, then Enter: ", username);
    if (!fgets(line, (int)sizeof(line), stdin))
        return rig_command_failed("no password on standard input");
    gr_str password = {line, strcspn(line, "\r\n")};
    if (password.len < RIG_PASSWORD_MIN || password.len > RIG_PASSWORD_MAX_BYTES) {
        gr_wipe(call->host, line, sizeof(line));
        return rig_command_failed("expected a password of 8 characters to 512 bytes");
    }
    bool made = rig_hash_make(call->host, password, options->bcrypt_cost, hash);
    gr_wipe(call->host, line, sizeof(line));
    if (!made)
        return rig_command_failed("the password could not be hashed");
    struct change change = {.username = username, .hash = hash};
    return run_change(call, &change);
}

int rig_users(struct gr_call *call, const void *opts, int argc, char **argv)
{
    struct change change = {.username = argc == 3 ? argv[2] : NULL};

    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list_users(call);
    if (argc == 3 && strcmp(argv[1], "deactivate") == 0)
        return run_change(call, &change);
    if (argc == 3 && strcmp(argv[1], "activate") == 0) {
        change.active = 1;
        return run_change(call, &change);
    }
    if (argc == 3 && strcmp(argv[1], "passwd") == 0)
        return set_password(call, opts, argv[2]);
    return RIG_USAGE;
}
