/* greenroom keys: makes, lists and revokes API keys. */
#include "auth/keys.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secure.h"
#include "cmd/cmd.h"
#include "config/env.h"
#include "config/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DEFAULT_FILE "keys.json"

/* The flags of the command line. */
struct words {
    struct grc_texts scopes;
    struct grc_texts rooms;
    struct grc_texts roles;
    const char *expires;
    const char *keep;
    bool json;
    const char *who;
};

/* Adds a duration to now. Complains and returns false if it is malformed. */
static bool moment_of(const char *flag, const char *text, int64_t now_ms, int64_t *ret_ms)
{
    int64_t ms;

    if (!text)
        return true;
    if (!grc_duration_parse(text, &ms) || ms > INT64_C(100) * 366 * 86400000) {
        grc_complain("%s: expected a duration such as \"90d\", found \"%s\"", flag, text);
        return false;
    }
    *ret_ms = now_ms + ms;
    return true;
}

/* --- the key file --- */

/* malloc'ed; NULL after complaining. */
static char *path_of(const struct grc_settings *settings)
{
    char *path = settings->auth.keys_file ? strdup(settings->auth.keys_file) : NULL;

    if (!settings->auth.keys_file && asprintf(&path, "%s/" DEFAULT_FILE, settings->state_dir) < 0)
        path = NULL;
    if (!path)
        grc_complain("out of memory");
    return path;
}

static int failed(char *reason)
{
    grc_complain("keys: %s", reason ? reason : "out of memory");
    free(reason);
    return GRC_EXIT_FAILED;
}

/* --- changes --- */

/* Prints a new key, and only the key, to standard output, and saves it only then: a key whose text
 * was lost, because standard output is closed or full, must not be valid. */
static int show(char text[GRC_KEY_TEXT_MAX], const struct grc_settings *settings,
                struct grc_key_file *file)
{
    char *reason = NULL;

    puts(text);
    grc_wipe(text, GRC_KEY_TEXT_MAX);
    grc_complain("this is the only time the key is shown: keep it safe");
    if (!settings->auth.keys_file)
        grc_complain("the config has no \"auth\": {\"keys\": {}}, so keys are not used yet");
    if (grc_print_done(GRC_EXIT_OK) != GRC_EXIT_OK)
        return GRC_EXIT_FAILED;
    return grc_key_file_save(file, &reason) ? GRC_EXIT_OK : failed(reason);
}

static int add(const struct grc_settings *settings, struct grc_key_file *file,
               const struct words *words)
{
    struct grc_key_wish wish = {.name = words->who,
                                .scopes = words->scopes.list,
                                .rooms = words->rooms.list,
                                .roles = words->roles.list};
    char text[GRC_KEY_TEXT_MAX];
    char *reason = NULL;
    int64_t now_ms = grc_now_ms();

    if (!moment_of("--expires", words->expires, now_ms, &wish.expires_ms))
        return GRC_EXIT_USAGE;
    if (!grc_key_file_add(file, &wish, now_ms, text, &reason))
        return failed(reason);
    return show(text, settings, file);
}

static int rotate(const struct grc_settings *settings, struct grc_key_file *file,
                  const struct words *words)
{
    char text[GRC_KEY_TEXT_MAX];
    char *reason = NULL;
    int64_t now_ms = grc_now_ms();
    int64_t until_ms = now_ms;

    if (!moment_of("--keep", words->keep ? words->keep : "24h", now_ms, &until_ms))
        return GRC_EXIT_USAGE;
    if (!grc_key_file_rotate(file, words->who, until_ms - now_ms, now_ms, text, &reason))
        return failed(reason);
    return show(text, settings, file);
}

static int revoke(const struct grc_settings *settings, struct grc_key_file *file,
                  const struct words *words)
{
    size_t count = grc_key_file_revoke(file, words->who, grc_now_ms());
    char *reason = NULL;

    (void)settings;
    if (count == 0) {
        grc_complain("keys: no valid key has the name or id '%s'", words->who);
        return GRC_EXIT_FAILED;
    }
    if (!grc_key_file_save(file, &reason))
        return failed(reason);
    printf("%zu revoked\n", count);
    return grc_print_done(GRC_EXIT_OK);
}

static int prune(const struct grc_settings *settings, struct grc_key_file *file,
                 const struct words *words)
{
    size_t count = grc_key_file_prune(file, grc_now_ms());
    char *reason = NULL;

    (void)settings;
    (void)words;
    if (count && !grc_key_file_save(file, &reason))
        return failed(reason);
    printf("%zu forgotten\n", count);
    return grc_print_done(GRC_EXIT_OK);
}

/* --- the list --- */

static json_t *list_json(const char *const *list)
{
    json_t *array = json_array();

    for (; list && *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

static json_t *time_json(int64_t ms)
{
    char text[25];

    if (!ms)
        return json_null();
    grc_time_format(ms, text);
    return json_string(text);
}

static const char *state_of(const struct grc_api_key *key, int64_t now_ms)
{
    if (key->revoked_ms)
        return "revoked";
    return key->expires_ms && key->expires_ms <= now_ms ? "expired" : "works";
}

static json_t *key_json(struct grc_api_key *key, int64_t now_ms)
{
    json_t *bindings = json_object();

    for (const struct grc_binding *at = key->caller.bindings; at && at->kind; at++)
        json_object_set_new(bindings, at->kind, list_json(at->values));
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "name", key->caller.id.ptr, "id",
                     key->id, "state", state_of(key, now_ms), "scopes",
                     list_json(key->caller.scopes), "bindings", bindings, "created",
                     time_json(key->created_ms), "expires", time_json(key->expires_ms), "revoked",
                     time_json(key->revoked_ms), "used", time_json(atomic_load(&key->used_ms)));
}

static int print_json(struct grc_key_set *set, int64_t now_ms)
{
    json_t *list = json_array();

    for (size_t i = 0; i < grc_key_set_count(set); i++)
        json_array_append_new(list, key_json(grc_key_set_at(set, i), now_ms));
    return grc_print_json(list);
}

static const char *cell_time(struct grc_arena *arena, int64_t ms)
{
    char text[25];

    if (!ms)
        return NULL;
    grc_time_format(ms, text);
    return grc_arena_copy(arena, (gr_str){text, 16}); /* to the minute */
}

static const char *cell_bindings(struct grc_arena *arena, const struct grc_binding *binding)
{
    const char *text = NULL;

    for (; binding && binding->kind; binding++) {
        for (const char *const *value = binding->values; *value; value++)
            text = grc_arena_format(arena, "%s%s%s=%s", text ? text : "", text ? " " : "",
                                    binding->kind, *value);
    }
    return text;
}

static const char *cell_scopes(struct grc_arena *arena, const char *const *scopes)
{
    const char *text = NULL;

    for (; *scopes; scopes++)
        text = grc_arena_format(arena, "%s%s%s", text ? text : "", text ? " " : "", *scopes);
    return text;
}

static int print_table(struct grc_key_set *set, int64_t now_ms)
{
    static const char *const head[] = {"NAME",     "ID",      "STATE",   "SCOPES",
                                       "BOUND TO", "CREATED", "EXPIRES", "LAST USED"};
    struct grc_table table = {.columns = 8};
    struct grc_arena arena;
    bool made = grc_table_add(&table, head);

    grc_arena_init(&arena, (size_t)64 << 20);
    for (size_t i = 0; made && i < grc_key_set_count(set); i++) {
        struct grc_api_key *key = grc_key_set_at(set, i);
        const char *const cells[] = {
            key->caller.id.ptr,
            key->id,
            state_of(key, now_ms),
            cell_scopes(&arena, key->caller.scopes),
            cell_bindings(&arena, key->caller.bindings),
            cell_time(&arena, key->created_ms),
            cell_time(&arena, key->expires_ms),
            cell_time(&arena, atomic_load(&key->used_ms)),
        };

        made = grc_table_add(&table, cells);
    }
    if (made)
        grc_table_print(&table);
    else
        grc_complain("out of memory");
    grc_table_done(&table);
    grc_arena_done(&arena);
    return grc_print_done(made ? GRC_EXIT_OK : GRC_EXIT_FAILED);
}

static int list(const struct grc_settings *settings, struct grc_key_file *file,
                const struct words *words)
{
    char *text = json_dumps(file->root, JSON_COMPACT);
    char *reason = NULL;
    struct grc_key_set *set = text ? grc_key_set_parse(gr_str_of(text), &reason) : NULL;
    int status;

    (void)settings;
    free(text);
    if (!set)
        return failed(reason);
    grc_key_set_read_use(set, file->path);
    status = words->json ? print_json(set, grc_now_ms()) : print_table(set, grc_now_ms());
    grc_key_set_unref(set);
    return status;
}

/* --- dispatch --- */

typedef int action_fn(const struct grc_settings *settings, struct grc_key_file *file,
                      const struct words *words);

static int act(const struct grc_settings *settings, action_fn *action, const struct words *words)
{
    char *path = path_of(settings);
    struct grc_key_file file;
    char *reason = NULL;
    int status;

    if (!path)
        return GRC_EXIT_FAILED;
    /* The gateway makes this directory when it starts, but keys may be made before that. */
    (void)mkdir(settings->state_dir, 0700);
    if (grc_key_file_open(&file, path, &reason)) {
        status = action(settings, &file, words);
        grc_key_file_close(&file);
    } else {
        status = failed(reason);
    }
    free(path);
    return status;
}

static int run(const struct grc_cli *cli, const void *args, const char *who, action_fn *action)
{
    struct words words = *(const struct words *)args;
    struct grc_settings *settings;
    int status;

    words.who = who;
    grc_log_plain_set(true);
    grc_log_level_set(GR_LOG_WARN);
    grc_env_lenient_set(true);
    settings = grc_settings_load(cli->config_dir, grc_cli_report, NULL);
    if (!settings)
        return GRC_EXIT_CONFIG;
    status = act(settings, action, &words);
    /* After the key file was closed, since loading the groups takes time and other processes would
     * have to wait for the file. */
    if (status == GRC_EXIT_OK && action == add)
        grc_routes_warn_unknown_scopes(cli, words.scopes.list);
    grc_settings_free(settings);
    return status;
}

#define ACTION(action_)                                                                            \
    static int run_##action_(const struct grc_cli *cli, const void *args, int count, char **words) \
    {                                                                                              \
        return run(cli, args, count > 0 ? words[0] : NULL, action_);                               \
    }
ACTION(add)
ACTION(list)
ACTION(prune)
ACTION(revoke)
ACTION(rotate)

static const struct grc_flag list_flags[] = {
    GRC_SWITCH(words, "--json", json, "As JSON"),
    GRC_FLAG_END,
};
static const struct grc_flag add_flags[] = {
    GRC_TEXTS(words, "--scope", scopes, "SCOPE",
              "What the key may do, such as rooms:read or 'rooms:*'; required"),
    GRC_TEXTS(words, "--room", rooms, "ID", "The only rooms that the key may use"),
    GRC_TEXTS(words, "--role", roles, "ROLE", "The only roles that the key may use"),
    GRC_TEXT(words, "--expires", expires, "TIME", "How long the key is valid, such as 90d"),
    GRC_FLAG_END,
};
static const struct grc_flag rotate_flags[] = {
    GRC_TEXT(words, "--keep", keep, "TIME", "How long the old key stays valid; 24h by default"),
    GRC_FLAG_END,
};

static const struct grc_command actions[] = {
    {.name = "list",
     .summary = "List the keys, without their secrets",
     .flags = list_flags,
     .args_size = sizeof(struct words),
     .run = run_list,
     .usual = true},
    {.name = "add",
     .words = "NAME",
     .summary = "Make a key and print it; it cannot be printed again",
     .flags = add_flags,
     .args_size = sizeof(struct words),
     .words_min = 1,
     .words_max = 1,
     .run = run_add},
    {.name = "revoke",
     .words = "NAME|ID",
     .names = "keys list",
     .names_column = 1,
     .summary = "Make a key invalid at once",
     .args_size = sizeof(struct words),
     .words_min = 1,
     .words_max = 1,
     .run = run_revoke},
    {.name = "rotate",
     .words = "NAME|ID",
     .names = "keys list",
     .names_column = 1,
     .summary = "Replace a key with a new one, and print it",
     .flags = rotate_flags,
     .args_size = sizeof(struct words),
     .words_min = 1,
     .words_max = 1,
     .run = run_rotate},
    {.name = "prune",
     .summary = "Delete keys that are revoked or expired",
     .args_size = sizeof(struct words),
     .run = run_prune},
    {.name = NULL},
};

const struct grc_command grc_command_keys = {
    .name = "keys",
    .summary = "Manage API keys; a running gateway notices changes",
    .subs = actions,
};
