/* greenroom keys: makes, lists and revokes API keys. */
#include "auth/keys_store.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/secure.h"
#include "cmd/cmd.h"
#include "cmd/complete_store.h"
#include "cmd/keys_print.h"
#include "config/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
    if (!grc_duration_parse(text, &ms) || grc_duration_lacks_unit(text) ||
        ms > INT64_C(100) * 366 * 86400000) {
        grc_complain("%s: expected a duration such as \"90d\", found \"%s\"", flag, text);
        return false;
    }
    *ret_ms = now_ms + ms;
    return true;
}

/* --- where the keys are --- */

/* malloc'ed; NULL after complaining. */
static char *path_of(const struct grc_settings *settings)
{
    char *path = settings->auth.keys_file ? strdup(settings->auth.keys_file)
                                          : grc_format("%s/" DEFAULT_FILE, settings->state_dir);

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

/* NULL with a malloc'ed reason. */
static struct grc_store *open_store(const struct grc_settings *settings, bool read_only,
                                    char **ret_reason)
{
    struct grc_store *store = NULL;

    if (!settings->store)
        grc_refuse(ret_reason, "the config names no \"store\"");
    else
        store = read_only ? grc_store_open_read_only(settings->store, ret_reason)
                          : grc_store_open(settings->store, ret_reason);
    if (!store || read_only || grc_keys_store_migrate(store, ret_reason) == GR_OK)
        return store;
    grc_store_close(store);
    return NULL;
}

/* --- changes --- */

/* A change of the keys, and its results. */
struct change {
    const struct words *words;
    int64_t now_ms;
    int64_t until_ms; /* of add: 0 or the end of the new key; of rotate: the end of the old one */
    const json_t *moved; /* the document of the file, for move */
    char text[GRC_KEY_TEXT_MAX];
    size_t count;
    size_t there;
    bool unchanged;
};

/* Prints a new key, and only the key, to standard output. */
static bool show(const struct grc_settings *settings, const struct change *change,
                 char **ret_reason)
{
    puts(change->text);
    grc_complain("this is the only time the key is shown: keep it safe");
    if (!settings->auth.keys_file)
        grc_complain("the config has no \"auth\": {\"keys\": {}}, so keys are not used yet");
    return grc_print_done(GRC_EXIT_OK) == GRC_EXIT_OK ||
           grc_refuse(ret_reason, "the new key could not be shown, so it is not valid");
}

/* A new key is shown before the file is saved: a key whose text was lost, because standard output
 * is closed or full, must not be valid. */
static bool change_file(const struct grc_settings *settings, grc_key_edit_fn *edit,
                        struct change *change, char **ret_reason)
{
    char *path = path_of(settings);
    struct grc_key_file file;
    bool done = false;

    if (path && grc_key_file_open(&file, path, ret_reason)) {
        done = edit(file.root, change, ret_reason) &&
               (!change->text[0] || show(settings, change, ret_reason)) &&
               (change->unchanged || grc_key_file_save(&file, ret_reason));
        grc_key_file_close(&file);
    }
    free(path);
    return done;
}

static bool edit_withdraw(json_t *document, void *arg, char **ret_reason)
{
    const struct change *change = arg;
    char id[GRC_KEY_ID_LEN + 1] = "";

    (void)ret_reason;
    memcpy(id, change->text + strlen(GRC_KEY_PREFIX), GRC_KEY_ID_LEN);
    return grc_key_document_revoke(document, id, change->now_ms) > 0;
}

/* The transaction may run more than once and make another key each time, so a key is shown only
 * after the transaction, and revoked if it cannot be shown. */
static bool change_store(const struct grc_settings *settings, grc_key_edit_fn *edit,
                         struct change *change, char **ret_reason)
{
    struct grc_store *store = open_store(settings, grc_completes(), ret_reason);
    bool done = store && grc_keys_store_edit(store, edit, change, ret_reason);
    char *more = NULL;

    if (done && change->text[0] && !show(settings, change, ret_reason)) {
        done = false;
        (void)grc_keys_store_edit(store, edit_withdraw, change, &more);
        free(more);
    }
    grc_store_close(store);
    return done;
}

/* Returns an exit status, after complaining when it is not GRC_EXIT_OK. */
static int apply(const struct grc_settings *settings, grc_key_edit_fn *edit, struct change *change)
{
    char *reason = NULL;
    bool done = settings->auth.keys_in_store ? change_store(settings, edit, change, &reason)
                                             : change_file(settings, edit, change, &reason);

    grc_wipe(change->text, sizeof(change->text));
    return done ? GRC_EXIT_OK : failed(reason);
}

static struct change change_of(const struct words *words)
{
    return (struct change){.words = words, .now_ms = grc_now_ms()};
}

static struct grc_key_wish wish_of(const struct words *words, int64_t until_ms)
{
    return (struct grc_key_wish){.name = words->who,
                                 .scopes = words->scopes.list,
                                 .rooms = words->rooms.list,
                                 .roles = words->roles.list,
                                 .expires_ms = until_ms};
}

static bool edit_add(json_t *document, void *arg, char **ret_reason)
{
    struct change *change = arg;
    const struct grc_key_wish wish = wish_of(change->words, change->until_ms);

    return grc_key_document_add(document, &wish, change->now_ms, change->text, ret_reason);
}

static int add(const struct grc_settings *settings, const struct words *words)
{
    struct change change = change_of(words);

    if (!moment_of("--expires", words->expires, change.now_ms, &change.until_ms))
        return GRC_EXIT_USAGE;
    if (change.until_ms == change.now_ms) {
        grc_complain("--expires: a key that has expired already is of no use");
        return GRC_EXIT_USAGE;
    }
    return apply(settings, edit_add, &change);
}

static bool edit_rotate(json_t *document, void *arg, char **ret_reason)
{
    struct change *change = arg;

    return grc_key_document_rotate(document, change->words->who, change->until_ms - change->now_ms,
                                   change->now_ms, change->text, ret_reason);
}

static int rotate(const struct grc_settings *settings, const struct words *words)
{
    struct change change = change_of(words);

    if (!moment_of("--keep", words->keep ? words->keep : "24h", change.now_ms, &change.until_ms))
        return GRC_EXIT_USAGE;
    return apply(settings, edit_rotate, &change);
}

static bool edit_revoke(json_t *document, void *arg, char **ret_reason)
{
    struct change *change = arg;
    const char *who = change->words->who;

    change->count = grc_key_document_revoke(document, who, change->now_ms);
    return change->count > 0 || grc_refuse(ret_reason, "no valid key has the name or id '%s'", who);
}

static int revoke(const struct grc_settings *settings, const struct words *words)
{
    struct change change = change_of(words);
    int status = apply(settings, edit_revoke, &change);

    if (status == GRC_EXIT_OK)
        printf("%zu revoked\n", change.count);
    return grc_print_done(status);
}

static bool edit_prune(json_t *document, void *arg, char **ret_reason)
{
    struct change *change = arg;

    (void)ret_reason;
    change->count = grc_key_document_prune(document, change->now_ms);
    change->unchanged = change->count == 0;
    return true;
}

static int prune(const struct grc_settings *settings, const struct words *words)
{
    struct change change = change_of(words);
    int status = apply(settings, edit_prune, &change);

    if (status == GRC_EXIT_OK)
        printf("%zu forgotten\n", change.count);
    return grc_print_done(status);
}

/* --- from the file into the store --- */

static bool edit_take(json_t *document, void *arg, char **ret_reason)
{
    struct change *change = arg;

    return grc_key_document_take(document, change->moved, change->now_ms, &change->count,
                                 &change->there, ret_reason);
}

static int move(const struct grc_settings *settings, const struct words *words)
{
    struct change change = change_of(words);
    char *path = path_of(settings);
    char *reason = NULL;
    struct grc_key_file file;
    bool done = false;

    if (path && grc_key_file_open(&file, path, &reason)) {
        change.moved = file.root;
        done = change_store(settings, edit_take, &change, &reason);
        grc_key_file_close(&file);
    }
    if (done) {
        printf("%zu moved, %zu %s there already\n", change.count, change.there,
               change.there == 1 ? "was" : "were");
        if (!settings->auth.keys_in_store)
            grc_complain("set \"auth\": {\"keys\": {\"store\": true}} and reload the gateways");
        grc_complain("'%s' is not needed by gateways that read the store", path);
    }
    free(path);
    return done ? grc_print_done(GRC_EXIT_OK) : failed(reason);
}

/* --- the list --- */

static struct grc_key_set *read_file(const struct grc_settings *settings, char **ret_reason)
{
    char *path = path_of(settings);
    struct grc_key_set *set = NULL;
    struct grc_key_file file;

    if (path && grc_key_file_open(&file, path, ret_reason)) {
        char *text = json_dumps(file.root, JSON_COMPACT);

        set = text ? grc_key_set_parse(gr_str_of(text), ret_reason) : NULL;
        free(text);
        grc_key_file_close(&file);
    }
    if (set)
        grc_key_set_read_use(set, path);
    free(path);
    return set;
}

/* Changes nothing in the store, and makes none. */
static struct grc_key_set *read_store(const struct grc_settings *settings, char **ret_reason)
{
    struct grc_store *store = open_store(settings, true, ret_reason);
    struct grc_key_set *set = NULL;

    if (store && grc_keys_store_is_made(store))
        set = grc_keys_store_load(store, ret_reason);
    else if (store)
        grc_refuse(ret_reason, "the store has no keys yet: the first `greenroom keys add`, or the "
                               "start of a gateway, makes their table");
    grc_store_close(store);
    return set;
}

static int list(const struct grc_settings *settings, const struct words *words)
{
    char *reason = NULL;
    struct grc_key_set *set =
        settings->auth.keys_in_store ? read_store(settings, &reason) : read_file(settings, &reason);

    if (!set)
        return failed(reason);
    int status = grc_keys_print(set, words->json, grc_now_ms());
    grc_key_set_unref(set);
    return status;
}

/* --- dispatch --- */

typedef int action_fn(const struct grc_settings *settings, const struct words *words);

/* The gateway makes this directory when it starts, but keys may be made before that. Returns false
 * after complaining when the file of the keys would be in it. */
static bool make_state_directory(const struct grc_settings *settings)
{
    const char *dir = settings->state_dir;
    const char *file = settings->auth.keys_file;

    if (grc_directory_make(dir) || settings->auth.keys_in_store ||
        (file && strncmp(file, dir, strlen(dir)) != 0))
        return true;
    grc_complain("keys: state_directory: %s: %s", dir, strerror(errno));
    return false;
}

static int run(const struct grc_cli *cli, const void *args, const char *who, action_fn *action)
{
    struct words words = *(const struct words *)args;
    struct grc_settings *settings;
    int status;

    words.who = who;
    grc_cli_quiet(GR_LOG_WARN, true);
    settings = grc_settings_load(cli->config_dir, grc_cli_report, NULL);
    if (!settings)
        return GRC_EXIT_CONFIG;
    if (grc_completes() || make_state_directory(settings))
        status = action(settings, &words);
    else
        status = GRC_EXIT_FAILED;
    /* After the keys were written, since loading the groups takes time and other processes would
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
ACTION(list)
ACTION(move)
ACTION(prune)
ACTION(revoke)
ACTION(rotate)

static int run_add(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct words given = *(const struct words *)args;
    char *reason = NULL;

    (void)count;
    given.who = words[0];
    const struct grc_key_wish wish = wish_of(&given, 0);
    if (grc_key_wish_valid(&wish, &reason))
        return run(cli, args, words[0], add);
    grc_usage_error(cli, reason ? reason : "out of memory");
    free(reason);
    return GRC_EXIT_USAGE;
}

static const struct grc_flag list_flags[] = {
    GRC_SWITCH(words, "--json", json, "As JSON"),
    GRC_FLAG_END,
};
static const struct grc_flag add_flags[] = {
    GRC_TEXTS(words, "--scope", scopes, "SCOPE",
              "What the key may do, such as rooms:read or 'rooms:*'; required",
              .choices = &grc_choices_scopes),
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
     .run = run_add},
    {.name = "revoke",
     .words = "NAME|ID",
     .choices = {&grc_choices_keys},
     .summary = "Make a key invalid at once",
     .args_size = sizeof(struct words),
     .run = run_revoke},
    {.name = "rotate",
     .words = "NAME|ID",
     .choices = {&grc_choices_keys},
     .summary = "Replace a key with a new one, and print it",
     .flags = rotate_flags,
     .args_size = sizeof(struct words),
     .run = run_rotate},
    {.name = "prune",
     .summary = "Delete keys that are revoked or expired",
     .args_size = sizeof(struct words),
     .run = run_prune},
    {.name = "move",
     .summary = "Move the keys of the file into the store",
     .args_size = sizeof(struct words),
     .run = run_move},
    {.name = NULL},
};

const struct grc_command grc_command_keys = {
    .name = "keys",
    .summary = "Manage API keys; a running gateway notices changes",
    .subs = actions,
};
