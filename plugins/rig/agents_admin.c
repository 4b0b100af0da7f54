/* Commands that manage tokens of agents: `greenroom token agent`, `greenroom rig tokens`. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

struct wanted {
    const char *name;
    int64_t lifetime_ms;
};

static bool read_arguments(int argc, char **argv, struct wanted *wanted)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        char *end = NULL;
        if (!value)
            return false;
        if (strcmp(argv[i], "--name") == 0 || strcmp(argv[i], "--subject") == 0) {
            wanted->name = value;
        } else if (strcmp(argv[i], "--days") == 0) {
            long days = strtol(value, &end, 10);
            if (end == value || *end || days < 1 || days > 36500)
                return false;
            wanted->lifetime_ms = days * DAY_MS;
        } else {
            return false;
        }
    }
    return wanted->name && *wanted->name;
}

/* Stores the token's id, so that it can be listed and revoked. */
static enum gr_err note_token(struct gr_call *call, const char *jti, const struct wanted *wanted)
{
    int64_t now_ms = gr_store_now_ms(call);
    const struct gr_value params[] = {gr_v_text(jti), gr_v_text(wanted->name), gr_v_int(now_ms),
                                      gr_v_int(now_ms + wanted->lifetime_ms)};

    return gr_store_exec(call,
                         "INSERT INTO rig_agent_tokens (jti, name, issued_at_ms, expires_at_ms)"
                         " VALUES (?1, ?2, ?3, ?4)",
                         params, 4);
}

int rig_agent_token(struct gr_call *call, const void *opts, int argc, char **argv)
{
    const struct rig_options *options = opts;
    struct wanted wanted = {.lifetime_ms = options->agent_token_lifetime};
    struct rig_keyring ring;
    char jti[RIG_UUID_SIZE];
    char *token = NULL;

    if (!read_arguments(argc, argv, &wanted))
        return RIG_USAGE;
    if (rig_keyring_init(call->self, &ring, "agents", options->agents_key,
                         options->agents_key_previous, NULL) != GR_OK)
        return rig_command_failed("no key to sign with");
    gr_uuid(call->host, jti);
    enum gr_err err = note_token(call, jti, &wanted);
    if (err == GR_OK)
        err = rig_token(call, &ring, options->audience,
                        json_pack("{s:s, s:s, s:s, s:s}", "ist", "agent", "iss", "greenroom", "sub",
                                  wanted.name, "jti", jti),
                        wanted.lifetime_ms, &token);
    if (err != GR_OK)
        return rig_command_failed("the token could not be made; the log has the reason");
    (void)printf("%s\n", token);
    return 0;
}

static void print_day(int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[16] = "?";

    if (gmtime_r(&seconds, &parts))
        (void)strftime(text, sizeof(text), "%Y-%m-%d", &parts);
    (void)printf("%s  ", text);
}

/* columns: jti, name, issued, expires, revoked */
static enum gr_err print_token(void *arg, const struct gr_value *columns, size_t count)
{
    (void)arg;
    (void)count;
    (void)printf("%.*s  ", (int)columns[0].s.len, columns[0].s.ptr);
    print_day(columns[2].i);
    print_day(columns[3].i);
    (void)printf("%-8s %.*s\n", columns[4].i ? "revoked" : "valid", (int)columns[1].s.len,
                 columns[1].s.ptr);
    return GR_OK;
}

static int list_tokens(struct gr_call *call)
{
    enum gr_err err = gr_store_query(call,
                                     "SELECT jti, name, issued_at_ms, expires_at_ms,"
                                     " (SELECT count(*) FROM rig_revoked r WHERE r.jti = t.jti)"
                                     " FROM rig_agent_tokens t ORDER BY issued_at_ms",
                                     GR_NO_PARAMS, print_token, NULL);

    return err == GR_OK ? 0 : rig_command_failed("the store failed; the log has the reason");
}

static int revoke_token(struct gr_call *call, const char *jti)
{
    const struct gr_value params[] = {gr_v_text(jti)};
    int64_t changed = 0;

    enum gr_err err = gr_store(call,
                               "INSERT INTO rig_revoked (jti, until_ms)"
                               " SELECT jti, expires_at_ms FROM rig_agent_tokens WHERE jti = ?1"
                               " ON CONFLICT (jti) DO NOTHING",
                               params, 1, NULL, NULL, &changed);
    if (err != GR_OK)
        return rig_command_failed("the store failed; the log has the reason");
    return changed ? 0 : rig_command_failed("no such token, or it is revoked already");
}

int rig_agent_tokens(struct gr_call *call, const void *opts, int argc, char **argv)
{
    (void)opts;
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list_tokens(call);
    if (argc == 3 && strcmp(argv[1], "revoke") == 0)
        return revoke_token(call, argv[2]);
    return RIG_USAGE;
}
