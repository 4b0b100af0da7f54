#include "auth/authz.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secure.h"

#include <pthread.h>
#include <stdlib.h>

#define CELLS 1024u
#define KEY_TEXT_MAX 65536u
#define DEPTH_MAX 8
#define ATTEMPTS_MAX 10
#define ANSWER_TIMEOUT "5s"

/* A cached answer. Of two questions with the same cell, the later one replaces the other. */
struct cell {
    unsigned char key[32];
    int64_t until_ms;
    enum gr_verdict verdict;
};

/* The entry of an audience. */
struct entry {
    const json_t *config; /* borrowed from gr_authz.rules */
    const char *audience;
    const char *type;
    struct grc_authz_service service; /* type "http" */
};

struct gr_authz {
    char *account; /* the account that owns the objects */
    json_t *rules;
    int64_t cache_ms;
    gr_bearer_fn *bearer;
    struct entry *entries;
    size_t count;
    pthread_mutex_t lock; /* guards cells */
    struct cell *cells;   /* NULL: nothing is cached */
};

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* --- rules --- */

/* A pattern of the config is "label.audience", split at its first dot; the label may be "*". */
static bool account_matches(const char *pattern, const struct gr_account *account)
{
    size_t len = strcspn(pattern, ".");
    const gr_str label = {pattern, len};

    if (len == 0 || !pattern[len] || !pattern[len + 1] || account->label.len == 0)
        return false;
    return (gr_str_eq(label, GR_STR("*")) || gr_str_eq(label, account->label)) &&
           gr_str_eq(gr_str_of(pattern + len + 1), account->audience);
}

static bool word_matches(const char *pattern, const char *word)
{
    return pattern && (strcmp(pattern, "*") == 0 || strcmp(pattern, word) == 0);
}

static bool object_matches(const json_t *pattern, const char *const *object)
{
    size_t i = 0;

    for (; object[i]; i++) {
        if (!word_matches(json_string_value(json_array_get(pattern, i)), object[i]))
            return false;
    }
    return json_array_size(pattern) == i;
}

bool grc_authz_records_allow(const json_t *records, const struct gr_intent *intent)
{
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *record = json_array_get(records, i);
        const char *account = member(record, "subject_account_id");

        if (account && account_matches(account, &intent->account) &&
            object_matches(json_object_get(record, "object"), intent->object) &&
            word_matches(member(record, "action"), intent->action))
            return true;
    }
    return false;
}

static bool is_trusted(const json_t *entry, const struct gr_account *account)
{
    const json_t *trusted = json_object_get(entry, "trusted");

    for (size_t i = 0; i < json_array_size(trusted); i++) {
        const char *name = json_string_value(json_array_get(trusted, i));

        if (name && account_matches(name, account))
            return true;
    }
    return false;
}

enum gr_verdict grc_authz_decide(const struct gr_authz *authz, const char *audience,
                                 const struct gr_intent *intent,
                                 const struct grc_authz_service **ret_service)
{
    const struct entry *entry = NULL;

    for (size_t i = 0; i < authz->count && !entry; i++) {
        if (strcmp(authz->entries[i].audience, audience) == 0)
            entry = &authz->entries[i];
    }
    if (!entry)
        return GR_DENIED;
    if (strcmp(entry->type, "none") == 0)
        return GR_ALLOWED;
    if (strcmp(entry->type, "localwhitelist") == 0) {
        const json_t *records = json_object_get(entry->config, "records");

        return grc_authz_records_allow(records, intent) ? GR_ALLOWED : GR_DENIED;
    }
    if (is_trusted(entry->config, &intent->account))
        return GR_ALLOWED;
    if (strcmp(entry->type, "http") != 0)
        return GR_DENIED;
    *ret_service = &entry->service;
    return GR_UNDECIDED;
}

/* --- cached answers --- */

/* Adds a part with its length. Parts come from tokens and requests, and without the lengths a
 * client could make two different questions have the same text. */
static enum gr_err add_part(struct grc_buf *buf, gr_str part)
{
    return grc_buf_format(buf, "%zu %.*s\n", part.len, (int)part.len, part.len ? part.ptr : "");
}

bool grc_authz_key(const struct gr_authz *authz, const char *audience,
                   const struct gr_intent *intent, unsigned char ret_key[32])
{
    struct grc_buf buf;

    if (!authz->cells)
        return false;
    grc_buf_init(&buf, KEY_TEXT_MAX);
    enum gr_err err = add_part(&buf, intent->account.label);
    if (err == GR_OK)
        err = add_part(&buf, intent->account.audience);
    if (err == GR_OK)
        err = add_part(&buf, gr_str_of(audience));
    if (err == GR_OK)
        err = add_part(&buf, gr_str_of(intent->action));
    for (size_t i = 0; intent->object[i] && err == GR_OK; i++)
        err = add_part(&buf, gr_str_of(intent->object[i]));
    if (err == GR_OK)
        grc_sha256(grc_buf_view(&buf), ret_key);
    grc_buf_done(&buf);
    return err == GR_OK;
}

static struct cell *cell_of(struct gr_authz *authz, const unsigned char key[32])
{
    return &authz->cells[((unsigned)key[0] << 8 | key[1]) % CELLS];
}

enum gr_verdict grc_authz_recall(struct gr_authz *authz, const unsigned char key[32],
                                 int64_t now_ms)
{
    enum gr_verdict verdict = GR_UNDECIDED;

    pthread_mutex_lock(&authz->lock);
    const struct cell *cell = cell_of(authz, key);
    if (cell->until_ms > now_ms && memcmp(cell->key, key, 32) == 0)
        verdict = cell->verdict;
    pthread_mutex_unlock(&authz->lock);
    return verdict;
}

void grc_authz_remember(struct gr_authz *authz, const unsigned char key[32],
                        enum gr_verdict verdict, int64_t now_ms)
{
    if (verdict == GR_UNDECIDED)
        return;
    pthread_mutex_lock(&authz->lock);
    struct cell *cell = cell_of(authz, key);
    memcpy(cell->key, key, 32);
    cell->until_ms = now_ms + authz->cache_ms;
    cell->verdict = verdict;
    pthread_mutex_unlock(&authz->lock);
}

/* --- questions and answers of services --- */

gr_bearer_fn *grc_authz_bearer(const struct gr_authz *authz)
{
    return authz->bearer;
}

const char *grc_authz_question(const struct gr_authz *authz, struct grc_arena *arena,
                               const struct gr_intent *intent)
{
    const gr_str label = intent->account.label;
    const gr_str audience = intent->account.audience;
    char *copy = NULL;

    if (label.len == 0 || audience.len == 0)
        return NULL;
    json_t *object = json_array();
    for (size_t i = 0; intent->object[i]; i++)
        json_array_append_new(object, json_string(intent->object[i]));
    json_t *body =
        json_pack("{s:{s:s%, s:s%}, s:{s:s, s:o}, s:s}", "subject", "namespace", audience.ptr,
                  audience.len, "value", label.ptr, label.len, "object", "namespace",
                  authz->account, "value", object, "action", intent->action);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text)
        copy = grc_arena_copy(arena, gr_str_of(text));
    free(text);
    return copy;
}

static enum gr_verdict read_actions(const json_t *answer, const char *action)
{
    enum gr_verdict verdict = GR_DENIED;

    if (!json_is_array(answer))
        return GR_UNDECIDED;
    for (size_t i = 0; i < json_array_size(answer); i++) {
        const char *allowed = json_string_value(json_array_get(answer, i));

        if (!allowed)
            return GR_UNDECIDED;
        if (strcmp(allowed, action) == 0)
            verdict = GR_ALLOWED;
    }
    return verdict;
}

enum gr_verdict grc_authz_answer(gr_str text, const char *action)
{
    json_t *answer = grc_json_parse(text, DEPTH_MAX, NULL);
    enum gr_verdict verdict = read_actions(answer, action);

    json_decref(answer);
    return verdict;
}

/* --- set-up --- */

/* Splits the URI into the URL of the upstream and the path to call. */
static bool make_service(struct entry *entry, const char *owner, size_t index,
                         grc_authz_define_fn *define, void *arg)
{
    struct grc_authz_service *service = &entry->service;
    const char *uri = member(entry->config, "uri");
    const char *authority = uri ? strstr(uri, "://") : NULL;
    json_int_t attempts = json_integer_value(json_object_get(entry->config, "max_retries"));

    if (!authority || strpbrk(authority, "{}?#"))
        return false;
    const char *path = strchr(authority + 3, '/');
    size_t base = path ? (size_t)(path - uri) : strlen(uri);
    service->attempts = attempts < 1              ? 1
                        : attempts > ATTEMPTS_MAX ? ATTEMPTS_MAX
                                                  : (unsigned)attempts;
    service->path = strdup(path ? path : "/");
    if (asprintf(&service->upstream, "%s_authz_%zu", owner, index) < 0)
        service->upstream = NULL;
    json_t *settings =
        json_pack("{s:s%, s:s, s:i}", "url", uri, base, "timeout", ANSWER_TIMEOUT, "retries", 0);
    bool good =
        service->upstream && service->path && settings && define(arg, service->upstream, settings);
    json_decref(settings);
    return good;
}

static bool known_type(const char *type)
{
    static const char *const types[] = {"none", "local", "localwhitelist", "http", NULL};
    size_t i = 0;

    while (type && types[i] && strcmp(types[i], type) != 0)
        i++;
    return type && types[i];
}

static bool read_entry(struct entry *entry, const char *owner, size_t index,
                       grc_authz_define_fn *define, void *arg)
{
    entry->audience = member(entry->config, "audience");
    entry->type = member(entry->config, "type");
    if (!entry->audience || !known_type(entry->type)) {
        grc_error("%s: authz: an entry needs an audience and a type: none, local, localwhitelist "
                  "or http",
                  owner);
        return false;
    }
    if (strcmp(entry->type, "http") != 0 || make_service(entry, owner, index, define, arg))
        return true;
    grc_error("%s: authz of '%s': cannot use its uri", owner, entry->audience);
    return false;
}

struct gr_authz *grc_authz_new(const char *owner, const char *account, const json_t *rules,
                               int64_t cache_ms, gr_bearer_fn *bearer, grc_authz_define_fn *define,
                               void *arg)
{
    size_t count = json_array_size(rules);
    struct gr_authz *authz = calloc(1, sizeof(*authz));

    if (!authz)
        return NULL;
    pthread_mutex_init(&authz->lock, NULL);
    authz->account = strdup(account);
    authz->rules = json_deep_copy(rules);
    authz->cache_ms = cache_ms;
    authz->bearer = bearer;
    authz->entries = calloc(count + 1, sizeof(*authz->entries));
    authz->cells = cache_ms > 0 ? calloc(CELLS, sizeof(*authz->cells)) : NULL;
    bool good = authz->account && (authz->rules || !rules) && authz->entries &&
                (authz->cells || cache_ms <= 0);
    for (size_t i = 0; i < count && good; i++) {
        struct entry *entry = &authz->entries[i];

        entry->config = json_array_get(authz->rules, i);
        good = read_entry(entry, owner, i, define, arg);
        authz->count = i + 1;
    }
    if (good)
        return authz;
    grc_authz_free(authz);
    return NULL;
}

void grc_authz_free(struct gr_authz *authz)
{
    if (!authz)
        return;
    for (size_t i = 0; i < authz->count; i++) {
        free(authz->entries[i].service.upstream);
        free(authz->entries[i].service.path);
    }
    free(authz->entries);
    free(authz->cells);
    json_decref(authz->rules);
    free(authz->account);
    pthread_mutex_destroy(&authz->lock);
    free(authz);
}
