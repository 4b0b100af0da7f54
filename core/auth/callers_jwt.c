/* A JWT provider: its keys, and where they come from. */
#include "auth/callers_jwt.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secure.h"
#include "config/setting.h"
#include "config/source.h"
#include "upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_FILE_MAX 65536u
#define FETCH_TIMEOUT "3s"

/* Where problems are reported. */
struct sink {
    grc_report_fn *report;
    void *arg;
    const char *dir;             /* of the config */
    const struct grc_path *path; /* auth.jwt.NAME */
};

static bool say(const struct sink *sink, const char *text)
{
    return grc_source_say_main(sink->dir, sink->path, sink->report, sink->arg, "%s",
                               text ? text : "out of memory");
}

/* Reports what is wrong with a file, or a secret (file is NULL), that the member at path names. */
static bool say_key(const struct sink *sink, const struct grc_path *path, const char *file,
                    const char *reason)
{
    return grc_source_say_main(sink->dir, path, sink->report, sink->arg, "%s%s%s%s",
                               file ? "'" : "", file ? file : "", file ? "': " : "", reason);
}

/* --- keys of the config --- */

static bool add_own(struct grc_jwt_provider *provider, const struct sink *sink, size_t index)
{
    const struct grc_auth_key_settings *settings = &provider->settings->keys[index];
    const struct grc_path keys = {.up = sink->path, .name = "keys"};
    const struct grc_path element = {.up = &keys, .index = index};
    const struct grc_path path = {.up = &element, .name = settings->file ? "file" : "secret"};
    struct gr_jwt_key key = {.alg = settings->alg, .kid = settings->kid};
    const char *reason = NULL;
    size_t len = 0;
    char *text = NULL;

    if (settings->file) {
        text = grc_file_read(settings->file, KEY_FILE_MAX, &len, &reason);
        if (!text)
            return say_key(sink, &path, settings->file, reason);
        key.key = (gr_str){text, len};
    } else {
        key.key = gr_str_of(settings->secret);
    }
    struct grc_jwt_key *made = grc_jwt_key_new(&key, &reason);
    if (text)
        grc_wipe(text, len);
    free(text);
    if (!made)
        return say_key(sink, &path, settings->file, reason);
    char place[256];
    snprintf(place, sizeof(place), "auth.jwt.%s: key %zu", provider->settings->name, index);
    grc_jwt_key_warn(made, place);
    provider->own[provider->own_count++] = made;
    return true;
}

static bool read_set_file(struct grc_jwt_provider *provider, const struct sink *sink)
{
    const struct grc_path path = {.up = sink->path, .name = "jwks_file"};
    const char *file = provider->settings->jwks_file;
    const char *reason = NULL;
    size_t len = 0;
    char *text = grc_file_read(file, GRC_JWKS_BYTES_MAX, &len, &reason);

    if (text)
        provider->file_set = grc_jwks_parse((gr_str){text, len}, true, &reason);
    if (text)
        grc_wipe(text, len);
    free(text);
    return provider->file_set || say_key(sink, &path, file, reason);
}

static bool gather(struct grc_jwt_provider *provider, const struct sink *sink)
{
    const struct grc_jwt_settings *settings = provider->settings;
    bool fine = true;

    provider->own = calloc(settings->key_count + 1, sizeof(struct grc_jwt_key *));
    if (!provider->own)
        return say(sink, "out of memory");
    for (size_t i = 0; i < settings->key_count; i++)
        fine = add_own(provider, sink, i) && fine;
    if (settings->jwks_file)
        fine = read_set_file(provider, sink) && fine;
    if (!fine)
        return false;
    const struct grc_jwks *set = provider->file_set;
    size_t in_set = set ? set->count : 0;
    provider->keys = calloc(provider->own_count + in_set + 1, sizeof(const struct grc_jwt_key *));
    if (!provider->keys)
        return say(sink, "out of memory");
    for (size_t i = 0; i < provider->own_count; i++)
        provider->keys[provider->key_count++] = provider->own[i];
    for (size_t i = 0; set && i < in_set; i++)
        provider->keys[provider->key_count++] = set->keys[i];
    return true;
}

/* --- keys that are fetched --- */

/* Makes an upstream for the key set. Its time-outs are short, since a caller waits. Its name has a
 * ':', which no name in the config can have. */
static bool make_upstream(struct grc_jwt_provider *provider, const struct sink *sink,
                          struct grc_upstreams *upstreams)
{
    const struct grc_jwt_settings *settings = provider->settings;
    const char *host = strstr(settings->jwks_url, "://") + 3;
    const char *slash = strchr(host, '/');
    char *reason = NULL;

    provider->target = strdup(slash ? slash : "/");
    if (!provider->target || asprintf(&provider->upstream, "jwks:%s", settings->name) < 0) {
        provider->upstream = NULL;
        return say(sink, "out of memory");
    }
    json_t *object = json_pack(
        "{s:o, s:s, s:s, s:i, s:i, s:i, s:s*}", "url",
        json_stringn(settings->jwks_url,
                     slash ? (size_t)(slash - settings->jwks_url) : strlen(settings->jwks_url)),
        "connect_timeout", "2s", "timeout", FETCH_TIMEOUT, "retries", 1, "connections_max", 4,
        "answer_max", (int)GRC_JWKS_BYTES_MAX, "ca_file", settings->jwks_ca_file);
    struct grc_upstream_settings *made = grc_upstream_settings_parse(
        "auth.jwt", provider->upstream, object, sink->report, sink->arg);
    json_decref(object);
    if (!made)
        return false;
    if (grc_upstreams_define(upstreams, made, &reason))
        return true;
    say(sink, reason);
    free(reason);
    return false;
}

bool grc_jwt_provider_init(struct grc_jwt_provider *provider,
                           const struct grc_jwt_settings *settings, const char *dir,
                           struct grc_upstreams *upstreams, grc_report_fn *report, void *arg)
{
    const struct grc_path auth = {.name = "auth"};
    const struct grc_path jwt = {.up = &auth, .name = "jwt"};
    const struct grc_path path = {.up = &jwt, .name = settings->name};
    const struct sink sink = {.report = report, .arg = arg, .dir = dir, .path = &path};

    provider->settings = settings;
    provider->rules = (struct gr_jwt_rules){
        .issuer = settings->issuer,
        .audience = settings->audience,
        .leeway_s = (unsigned)(settings->leeway_ms / 1000),
        .need_exp = settings->need_exp,
    };
    if (!gather(provider, &sink))
        return false;
    if (!settings->jwks_url)
        return true;
    provider->source = grc_jwks_source_get(settings->jwks_url);
    if (!provider->source)
        return say(&sink, "out of memory");
    return make_upstream(provider, &sink, upstreams);
}

void grc_jwt_provider_done(struct grc_jwt_provider *provider)
{
    for (size_t i = 0; i < provider->own_count; i++)
        grc_jwt_key_free(provider->own[i]);
    free(provider->own);
    grc_jwks_unref(provider->file_set);
    free(provider->keys);
    grc_jwks_source_put(provider->source);
    free(provider->upstream);
    free(provider->target);
}

/* --- checking --- */

enum grc_jwt_fault grc_jwt_provider_check(struct grc_jwt_provider *provider, gr_str token,
                                          int64_t now_s, json_t **ret_claims)
{
    enum grc_jwt_fault fault = GRC_JWT_KEY;

    if (provider->key_count || !provider->source)
        fault = grc_jwt_verify(provider->keys, provider->key_count, &provider->rules, token, now_s,
                               ret_claims);
    /* Any other fault lies in the token, and other keys would not help. */
    if (!provider->source ||
        (fault != GRC_JWT_KEY && fault != GRC_JWT_ALGORITHM && fault != GRC_JWT_SIGNATURE))
        return fault;
    struct grc_jwks *set = grc_jwks_source_set(provider->source);
    const struct grc_jwt_key *const *keys =
        set ? (const struct grc_jwt_key *const *)set->keys : NULL;
    enum grc_jwt_fault fetched =
        grc_jwt_verify(keys, set ? set->count : 0, &provider->rules, token, now_s, ret_claims);
    grc_jwks_unref(set);
    return fetched == GRC_JWT_OK || fetched > fault ? fetched : fault;
}

bool grc_jwt_provider_empty(struct grc_jwt_provider *provider)
{
    struct grc_jwks *set = provider->source ? grc_jwks_source_set(provider->source) : NULL;

    grc_jwks_unref(set);
    return provider->source && !set;
}

struct fetch {
    struct grc_jwt_provider *provider;
    struct grc_upstreams *upstreams;
    const char *request_id;
};

static char *fetch_text(void *arg, size_t *ret_len, const char **ret_reason)
{
    struct fetch *fetch = arg;
    struct grc_arena arena;
    struct grc_exchange exchange = {
        .upstream = fetch->provider->upstream,
        .method = GR_METHOD_GET,
        .target = gr_str_of(fetch->provider->target),
        .no_credential = true,
        .idempotent = true,
        .request_id = fetch->request_id,
        .group = "auth",
        .arena = &arena,
    };
    char *text = NULL;

    grc_arena_init(&arena, 4 * GRC_JWKS_BYTES_MAX);
    grc_upstreams_run(fetch->upstreams, &exchange, 1);
    if (exchange.err != GR_OK)
        *ret_reason = "no answer";
    else if (exchange.status != 200)
        *ret_reason = "an answer other than 200";
    else
        text = malloc(exchange.answer.len + 1);
    if (text) {
        memcpy(text, exchange.answer.ptr, exchange.answer.len);
        *ret_len = exchange.answer.len;
    }
    grc_arena_done(&arena);
    return text;
}

enum grc_jwks_refresh grc_jwt_provider_refresh(struct grc_jwt_provider *provider,
                                               struct grc_upstreams *upstreams,
                                               const char *request_id, bool wait)
{
    struct fetch fetch = {.provider = provider, .upstreams = upstreams, .request_id = request_id};

    return grc_jwks_source_refresh(provider->source, grc_mono_ms(), wait, fetch_text, &fetch);
}
