#include "authz.h"

#include "base/ids.h"
#include "base/json.h"

#include <jansson.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CELLS 1024u
#define ATTEMPTS_MAX 10
#define ANSWER_TIMEOUT "5s"
#define ANSWER_TIMEOUT_MS 5000

/* A cached answer. Of two questions with the same cell, the later one replaces the other. */
struct cell {
    unsigned char key[32];
    int64_t until_ms;
    enum mini_verdict verdict;
};

/* The entry of an audience. */
struct entry {
    const json_t *config; /* borrowed from mini_authz.rules */
    const char *audience;
    const char *type;
    struct mini_authz_service service; /* type "http" */
};

struct mini_authz {
    char *account; /* the account that owns the objects */
    json_t *rules;
    int64_t cache_ms;
    mini_bearer_fn *bearer;
    struct entry *entries;
    size_t count;
    pthread_mutex_t lock; /* guards cells */
    struct cell *cells;   /* NULL: nothing is cached */
};

/* --- rules --- */

/* A pattern of the config is an account id; its label may be "*". */
static bool account_matches(const char *pattern, const struct gr_account *account)
{
    struct gr_account known;

    if (!mini_account_parse(gr_str_of(pattern), &known) || account->label.len == 0)
        return false;
    return (gr_str_eq(known.label, GR_STR("*")) || gr_str_eq(known.label, account->label)) &&
           gr_str_eq(known.audience, account->audience);
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

bool mini_authz_records_allow(const json_t *records, const struct mini_intent *intent)
{
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *record = json_array_get(records, i);
        const char *account = mini_json_member(record, "subject_account_id");

        if (account && account_matches(account, &intent->account) &&
            object_matches(json_object_get(record, "object"), intent->object) &&
            word_matches(mini_json_member(record, "action"), intent->action))
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

enum mini_verdict mini_authz_decide(const struct mini_authz *authz, const char *audience,
                                    const struct mini_intent *intent,
                                    const struct mini_authz_service **ret_service)
{
    const struct entry *entry = NULL;

    for (size_t i = 0; i < authz->count && !entry; i++) {
        if (strcmp(authz->entries[i].audience, audience) == 0)
            entry = &authz->entries[i];
    }
    if (!entry)
        return MINI_DENIED;
    if (strcmp(entry->type, "none") == 0)
        return MINI_ALLOWED;
    if (strcmp(entry->type, "localwhitelist") == 0) {
        const json_t *records = json_object_get(entry->config, "records");

        return mini_authz_records_allow(records, intent) ? MINI_ALLOWED : MINI_DENIED;
    }
    if (is_trusted(entry->config, &intent->account))
        return MINI_ALLOWED;
    if (strcmp(entry->type, "http") != 0)
        return MINI_DENIED;
    *ret_service = &entry->service;
    return MINI_UNDECIDED;
}

/* --- cached answers --- */

/* The parts come from tokens and requests. As JSON, two different questions never have the same
 * text, whatever characters a client puts into a part. */
bool mini_authz_key(struct gr_call *call, const struct mini_authz *authz, const char *audience,
                    const struct mini_intent *intent, unsigned char ret_key[32])
{
    const struct gr_account *account = &intent->account;

    if (!authz->cells)
        return false;
    json_t *parts =
        json_pack("[s%, s%, s, s]", account->label.ptr, account->label.len, account->audience.ptr,
                  account->audience.len, audience, intent->action);
    for (size_t i = 0; intent->object[i]; i++)
        json_array_append_new(parts, json_string(intent->object[i]));
    const gr_str text = gr_json_text(call, parts);
    json_decref(parts);
    if (text.len)
        gr_sha256(call->host, text, ret_key);
    return text.len > 0;
}

static struct cell *cell_of(struct mini_authz *authz, const unsigned char key[32])
{
    return &authz->cells[((unsigned)key[0] << 8 | key[1]) % CELLS];
}

enum mini_verdict mini_authz_recall(struct mini_authz *authz, const unsigned char key[32],
                                    int64_t now_ms)
{
    enum mini_verdict verdict = MINI_UNDECIDED;

    pthread_mutex_lock(&authz->lock);
    const struct cell *cell = cell_of(authz, key);
    if (cell->until_ms > now_ms && memcmp(cell->key, key, 32) == 0)
        verdict = cell->verdict;
    pthread_mutex_unlock(&authz->lock);
    return verdict;
}

void mini_authz_remember(struct mini_authz *authz, const unsigned char key[32],
                         enum mini_verdict verdict, int64_t now_ms)
{
    if (verdict == MINI_UNDECIDED)
        return;
    pthread_mutex_lock(&authz->lock);
    struct cell *cell = cell_of(authz, key);
    memcpy(cell->key, key, 32);
    cell->until_ms = now_ms + authz->cache_ms;
    cell->verdict = verdict;
    pthread_mutex_unlock(&authz->lock);
}

/* --- questions and answers of services --- */

gr_str mini_authz_question(struct gr_call *call, const struct mini_authz *authz,
                           const struct mini_intent *intent)
{
    const gr_str label = intent->account.label;
    const gr_str audience = intent->account.audience;

    if (label.len == 0 || audience.len == 0)
        return (gr_str){NULL, 0};
    json_t *object = json_array();
    for (size_t i = 0; intent->object[i]; i++)
        json_array_append_new(object, json_string(intent->object[i]));
    json_t *body =
        json_pack("{s:{s:s%, s:s%}, s:{s:s, s:o}, s:s}", "subject", "namespace", audience.ptr,
                  audience.len, "value", label.ptr, label.len, "object", "namespace",
                  authz->account, "value", object, "action", intent->action);
    const gr_str text = gr_json_text(call, body);

    json_decref(body);
    return text;
}

static enum mini_verdict read_actions(const json_t *answer, const char *action)
{
    enum mini_verdict verdict = MINI_DENIED;

    if (!json_is_array(answer))
        return MINI_UNDECIDED;
    for (size_t i = 0; i < json_array_size(answer); i++) {
        const char *allowed = json_string_value(json_array_get(answer, i));

        if (!allowed)
            return MINI_UNDECIDED;
        if (strcmp(allowed, action) == 0)
            verdict = MINI_ALLOWED;
    }
    return verdict;
}

enum mini_verdict mini_authz_answer(struct gr_call *call, gr_str text, const char *action)
{
    return read_actions(gr_parse_json(call, text), action);
}

static enum mini_verdict ask(struct gr_call *call, const struct mini_authz *authz,
                             const struct mini_authz_service *service, const char *audience,
                             const struct mini_intent *intent)
{
    const gr_str body = mini_authz_question(call, authz, intent);
    const char *token = authz->bearer && body.len ? authz->bearer(call, audience) : NULL;
    enum mini_verdict verdict = MINI_UNDECIDED;

    if (body.len == 0 || (authz->bearer && !token))
        return MINI_UNDECIDED;
    const struct gr_upstream_request request = {.upstream = service->upstream,
                                                .method = GR_METHOD_POST,
                                                .path = service->path,
                                                .body = body,
                                                .bearer = token,
                                                .timeout_ms = ANSWER_TIMEOUT_MS};
    for (unsigned i = 0; i < service->attempts && verdict == MINI_UNDECIDED; i++) {
        struct gr_upstream_reply reply = {0};

        if (gr_upstream(call, &request, &reply, 1) == GR_OK)
            verdict = mini_authz_answer(call, reply.body, intent->action);
    }
    return verdict;
}

enum mini_verdict mini_authz_check(struct gr_call *call, struct mini_authz *authz,
                                   const char *audience, const struct mini_intent *intent)
{
    const struct mini_authz_service *service = NULL;
    enum mini_verdict verdict = mini_authz_decide(authz, audience, intent, &service);
    unsigned char key[32];

    if (!service)
        return verdict;
    if (!mini_authz_key(call, authz, audience, intent, key))
        return ask(call, authz, service, audience, intent);
    verdict = mini_authz_recall(authz, key, gr_now_ms(call->host));
    if (verdict != MINI_UNDECIDED)
        return verdict;
    verdict = ask(call, authz, service, audience, intent);
    mini_authz_remember(authz, key, verdict, gr_now_ms(call->host));
    return verdict;
}

/* --- set-up --- */

/* Splits the URI into the URL of the upstream and the path to call. */
static bool make_service(struct entry *entry, struct gr_self *self, size_t index)
{
    struct mini_authz_service *service = &entry->service;
    const char *uri = mini_json_member(entry->config, "uri");
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
    if (asprintf(&service->upstream, "%s_authz_%zu", self->name, index) < 0)
        service->upstream = NULL;
    json_t *settings =
        json_pack("{s:s%, s:s, s:i}", "url", uri, base, "timeout", ANSWER_TIMEOUT, "retries", 0);
    bool good = service->upstream && service->path && settings &&
                gr_upstream_define(self, service->upstream, settings) == GR_OK;
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

static bool read_entry(struct entry *entry, struct gr_self *self, size_t index)
{
    entry->audience = mini_json_member(entry->config, "audience");
    entry->type = mini_json_member(entry->config, "type");
    if (!entry->audience || !known_type(entry->type)) {
        gr_log_self(self, GR_LOG_ERROR,
                    "authz: an entry needs an audience and a type: none, local, localwhitelist or "
                    "http");
        return false;
    }
    if (strcmp(entry->type, "http") != 0 || make_service(entry, self, index))
        return true;
    gr_log_self(self, GR_LOG_ERROR, "authz of '%s': cannot use its uri", entry->audience);
    return false;
}

struct mini_authz *mini_authz_new(struct gr_self *self, const char *account, const json_t *rules,
                                  int64_t cache_ms, mini_bearer_fn *bearer)
{
    size_t count = json_array_size(rules);
    struct mini_authz *authz = calloc(1, sizeof(*authz));

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
        good = read_entry(entry, self, i);
        authz->count = i + 1;
    }
    if (good)
        return authz;
    mini_authz_free(authz);
    return NULL;
}

void mini_authz_free(struct mini_authz *authz)
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
