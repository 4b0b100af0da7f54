#include "authz.h"

#include "ids.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

#define CELLS 1024u
#define ANSWER_TIMEOUT "5s"

static const struct gr_field record_shape[] = {
    GR_FIELD("subject_account_id", GR_STRING, "Account; its label may be *", .flags = GR_REQUIRED),
    GR_FIELD("object", GR_ARRAY, "Object; an element may be *", .flags = GR_REQUIRED,
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("action", GR_STRING, "Action, or *", .flags = GR_REQUIRED),
    GR_END,
};

const struct gr_field mg_authz_shape[] = {
    GR_FIELD("audience", GR_STRING, "Audience of the objects", .flags = GR_REQUIRED,
             .range = GR_MIN(1)),
    GR_FIELD("type", GR_STRING, "How is decided", .flags = GR_REQUIRED,
             .values = GR_LIST("none", "local", "localwhitelist", "http")),
    GR_FIELD("trusted", GR_ARRAY, "local, http: accounts that may do anything",
             .items = GR_ITEM(GR_STRING)),
    GR_FIELD("records", GR_ARRAY, "localwhitelist: what is allowed",
             .items = GR_ITEM(GR_OBJECT, .fields = record_shape)),
    GR_FIELD("uri", GR_STRING, "http: the tenant's authorization service",
             .pattern = "https?://[^?#{}]+", .when = GR_WHEN("type", "http")),
    GR_FIELD("max_retries", GR_INT, "http: attempts in all", .range = GR_RANGE(1, 10),
             .fallback = "1"),
    GR_END,
};

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* --- rules --- */

static bool account_matches(const char *pattern, gr_str account)
{
    struct mg_account have;

    if (strncmp(pattern, "*.", 2) == 0)
        return mg_account_parse(account, &have) && gr_str_eq(have.audience, gr_str_of(pattern + 2));
    return gr_str_eq(gr_str_of(pattern), account);
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

bool mg_authz_records_allow(const json_t *records, const struct mg_intent *intent)
{
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *record = json_array_get(records, i);
        const char *account = member(record, "subject_account_id");

        if (account && account_matches(account, intent->account) &&
            object_matches(json_object_get(record, "object"), intent->object) &&
            word_matches(member(record, "action"), intent->action))
            return true;
    }
    return false;
}

static bool is_trusted(const json_t *entry, gr_str account)
{
    const json_t *trusted = json_object_get(entry, "trusted");

    for (size_t i = 0; i < json_array_size(trusted); i++) {
        const char *name = json_string_value(json_array_get(trusted, i));

        if (name && account_matches(name, account))
            return true;
    }
    return false;
}

/* --- remembered answers --- */

static bool cell_key(struct gr_call *call, const char *audience, const struct mg_intent *intent,
                     unsigned char ret_key[32])
{
    /* No part can hold a line feed that would make two different questions look alike: accounts
     * come from tokens, so lengths are part of the text. */
    const char *text =
        gr_format(call, "%zu %.*s\n%zu %s\n%s\n%s\n%s", intent->account.len,
                  (int)intent->account.len, intent->account.ptr, strlen(audience), audience,
                  intent->object[0], intent->object[1] ? intent->object[1] : "", intent->action);

    if (text)
        gr_sha256(call, gr_str_of(text), ret_key);
    return text != NULL;
}

static struct mg_authz_cell *cell_of(struct mg_authz *authz, const unsigned char key[32])
{
    return &authz->cells[((unsigned)key[0] << 8 | key[1]) % CELLS];
}

static bool recall(struct gr_call *call, struct mg_authz *authz, const unsigned char key[32],
                   bool *ret_allowed)
{
    int64_t now = gr_now_ms(call);
    bool found;

    pthread_mutex_lock(&authz->lock);
    const struct mg_authz_cell *cell = cell_of(authz, key);
    found = cell->until_ms > now && memcmp(cell->key, key, 32) == 0;
    if (found)
        *ret_allowed = cell->allowed;
    pthread_mutex_unlock(&authz->lock);
    return found;
}

static void remember(struct gr_call *call, struct mg_authz *authz, const unsigned char key[32],
                     bool allowed)
{
    int64_t until = gr_now_ms(call) + authz->cache_ms;

    pthread_mutex_lock(&authz->lock);
    struct mg_authz_cell *cell = cell_of(authz, key);
    memcpy(cell->key, key, 32);
    cell->until_ms = until;
    cell->allowed = allowed;
    pthread_mutex_unlock(&authz->lock);
}

/* --- the tenant's service --- */

static char *question(struct gr_call *call, const struct mg_authz *authz,
                      const struct mg_intent *intent)
{
    struct mg_account subject;
    char *text = NULL;
    char *copy = NULL;

    if (!mg_account_parse(intent->account, &subject))
        return NULL;
    json_t *object = json_array();
    for (size_t i = 0; intent->object[i]; i++)
        json_array_append_new(object, json_string(intent->object[i]));
    json_t *body = json_pack("{s:{s:s%, s:s%}, s:{s:s, s:o}, s:s}", "subject", "namespace",
                             subject.audience.ptr, subject.audience.len, "value", subject.label.ptr,
                             subject.label.len, "object", "namespace", authz->namespace, "value",
                             object, "action", intent->action);
    text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text)
        copy = gr_copy(call, gr_str_of(text));
    free(text);
    return copy;
}

/* An answer is an array of actions, whatever its HTTP status. */
static enum mg_verdict read_answer(struct gr_call *call, gr_str text, const char *action)
{
    const json_t *answer = gr_parse_json(call, text);
    enum mg_verdict verdict = MG_DENIED;

    if (!json_is_array(answer))
        return MG_UNDECIDED;
    for (size_t i = 0; i < json_array_size(answer); i++) {
        const char *allowed = json_string_value(json_array_get(answer, i));

        if (!allowed)
            return MG_UNDECIDED;
        if (strcmp(allowed, action) == 0)
            verdict = MG_ALLOWED;
    }
    return verdict;
}

static enum mg_verdict ask(struct gr_call *call, struct mg_authz *authz,
                           const struct mg_authz_entry *entry, const char *audience,
                           const struct mg_intent *intent, mg_bearer_fn *bearer)
{
    const json_t *limit = json_object_get(entry->config, "max_retries");
    json_int_t attempts = limit ? json_integer_value(limit) : 1;
    const char *body = question(call, authz, intent);
    const char *token = bearer(call, audience);
    enum mg_verdict verdict = MG_UNDECIDED;

    if (!body || !token)
        return MG_UNDECIDED;
    const struct gr_upstream_request request = {.upstream = entry->upstream,
                                                .method = GR_METHOD_POST,
                                                .path = entry->path,
                                                .body = gr_str_of(body),
                                                .bearer = token,
                                                .timeout_ms = 5000};
    for (json_int_t i = 0; i < attempts && verdict == MG_UNDECIDED; i++) {
        struct gr_upstream_reply reply = {0};

        if (gr_upstream(call, &request, &reply, 1) == GR_OK)
            verdict = read_answer(call, reply.body, intent->action);
    }
    return verdict;
}

static enum mg_verdict ask_or_recall(struct gr_call *call, struct mg_authz *authz,
                                     const struct mg_authz_entry *entry, const char *audience,
                                     const struct mg_intent *intent, mg_bearer_fn *bearer)
{
    unsigned char key[32];
    bool allowed = false;

    if (authz->cache_ms <= 0)
        return ask(call, authz, entry, audience, intent, bearer);
    if (!cell_key(call, audience, intent, key))
        return MG_UNDECIDED;
    if (recall(call, authz, key, &allowed))
        return allowed ? MG_ALLOWED : MG_DENIED;
    enum mg_verdict verdict = ask(call, authz, entry, audience, intent, bearer);
    if (verdict != MG_UNDECIDED)
        remember(call, authz, key, verdict == MG_ALLOWED);
    return verdict;
}

enum mg_verdict mg_authz_check(struct gr_call *call, struct mg_authz *authz, const char *audience,
                               const struct mg_intent *intent, mg_bearer_fn *bearer)
{
    const struct mg_authz_entry *entry = NULL;

    for (size_t i = 0; i < authz->count && !entry; i++) {
        if (strcmp(member(authz->entries[i].config, "audience"), audience) == 0)
            entry = &authz->entries[i];
    }
    if (!entry)
        return MG_DENIED;
    const char *type = member(entry->config, "type");
    if (strcmp(type, "none") == 0)
        return MG_ALLOWED;
    if (strcmp(type, "localwhitelist") == 0) {
        const json_t *records = json_object_get(entry->config, "records");

        return mg_authz_records_allow(records, intent) ? MG_ALLOWED : MG_DENIED;
    }
    if (is_trusted(entry->config, intent->account))
        return MG_ALLOWED;
    if (strcmp(type, "http") != 0)
        return MG_DENIED;
    return ask_or_recall(call, authz, entry, audience, intent, bearer);
}

/* --- set-up --- */

/* Splits the URI into the upstream's URL and the path of the one route we call. */
static bool define_upstream(struct mg_authz_entry *entry, struct gr_self *self, size_t index)
{
    const char *uri = member(entry->config, "uri");
    const char *authority = uri ? strstr(uri, "://") : NULL;
    char name[96];

    if (!authority)
        return false;
    const char *path = strchr(authority + 3, '/');
    size_t base = path ? (size_t)(path - uri) : strlen(uri);
    snprintf(name, sizeof(name), "%s_authz_%zu", self->name, index);
    entry->upstream = strdup(name);
    entry->path = strdup(path ? path : "/");
    json_t *settings =
        json_pack("{s:s%, s:s, s:i}", "url", uri, base, "timeout", ANSWER_TIMEOUT, "retries", 0);
    bool good = entry->upstream && entry->path && settings &&
                gr_upstream_define(self, name, settings) == GR_OK;
    json_decref(settings);
    return good;
}

bool mg_authz_init(struct mg_authz *authz, struct gr_self *self, const char *namespace,
                   const json_t *config, int64_t cache_ms)
{
    size_t count = json_array_size(config);

    *authz = (struct mg_authz){.namespace = namespace, .cache_ms = cache_ms};
    pthread_mutex_init(&authz->lock, NULL);
    authz->entries = calloc(count + 1, sizeof(*authz->entries));
    authz->cells = calloc(CELLS, sizeof(*authz->cells));
    bool good = authz->entries && authz->cells;
    for (size_t i = 0; i < count && good; i++) {
        struct mg_authz_entry *entry = &authz->entries[i];
        const char *type;

        authz->count = i + 1;
        entry->config = json_array_get(config, i);
        type = member(entry->config, "type");
        if (type && strcmp(type, "http") == 0 && !define_upstream(entry, self, i)) {
            gr_log_self(self, GR_LOG_ERROR, "authz of '%s': cannot use its uri",
                        member(entry->config, "audience"));
            good = false;
        }
    }
    if (!good)
        mg_authz_done(authz);
    return good;
}

void mg_authz_done(struct mg_authz *authz)
{
    for (size_t i = 0; i < authz->count; i++) {
        free(authz->entries[i].upstream);
        free(authz->entries[i].path);
    }
    free(authz->entries);
    free(authz->cells);
    pthread_mutex_destroy(&authz->lock);
    authz->entries = NULL;
    authz->cells = NULL;
    authz->count = 0;
}
