/* The rows of "auth". */
#include "base/log.h"
#include "base/scope.h"
#include "config/ca_file.h"
#include "config/settings_rows.h"

#include <stdio.h>

/* --- lists of scopes --- */

#define SCOPES_SCHEMA "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
#define SCOPES_EXPECTED "a list of scopes such as [\"rooms:read\", \"polls:*\"] or [\"*\"]"

static bool is_scope(const struct grc_setting *key, const char *text)
{
    (void)key;
    return grc_scope_valid(gr_str_of(text));
}

static void read_scopes(struct grc_reader *reader, const struct grc_path *path,
                        const struct grc_setting *key, const json_t *value, void *base)
{
    static const struct grc_list_item scope = {
        .good = is_scope,
        .expected = "a scope such as \"rooms:read\", \"rooms:*\" or \"*\"",
    };

    grc_reader_list(reader, path, key, &scope, value, base);
}

/* Reads {"claim value": ["scope", …]} into scopes and scope_count of a struct grc_jwt_settings. */
static void read_scope_map(struct grc_reader *reader, const struct grc_path *path,
                           const struct grc_setting *key, const json_t *value, void *base)
{
    static const struct grc_setting list = {
        .name = "scopes",
        .expected = SCOPES_EXPECTED,
        .offset = offsetof(struct grc_auth_scopes, scopes),
    };
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    struct grc_jwt_settings *jwt = base;
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return;
    }
    jwt->scopes =
        grc_keep_alloc(reader->keep, (json_object_size(value) + 1) * sizeof(*jwt->scopes));
    json_object_foreach(object, name, member) {
        const struct grc_path here = {.up = path, .name = name};
        struct grc_auth_scopes *one = jwt->scopes ? &jwt->scopes[jwt->scope_count] : NULL;
        const char *kept = grc_keep_copy(reader->keep, gr_str_of(name));

        if (!one || !kept) {
            grc_reader_problem(reader, &here, "out of memory");
            return;
        }
        one->value = kept;
        read_scopes(reader, &here, &list, member, one);
        jwt->scope_count += one->scopes != NULL;
    }
}

/* --- JWT providers --- */

static const struct grc_setting jwt_key_keys[] = {
    GRC_SETTING(grc_auth_key_settings, "kid", kid, GRC_SETTING_STRING, NULL,
                "The key's id, as tokens name it in their header", .optional = true,
                .range = GR_RANGE(1, 256)),
    GRC_SETTING(grc_auth_key_settings, "alg", alg, GRC_SETTING_STRING, NULL, "The key's algorithm",
                .values = GR_LIST("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256",
                                  "ES384", "ES512")),
    GRC_FILE_SETTING(grc_auth_key_settings, "file", file, "Public key: PEM or DER"),
    GRC_SETTING(grc_auth_key_settings, "secret", secret, GRC_SETTING_SECRET, NULL,
                "Secret of an HS key", .optional = true),
    GRC_SETTING_END,
};

static void read_jwt_key(struct grc_reader *reader, const struct grc_path *path,
                         const json_t *value, struct grc_auth_key_settings *ret_key)
{
    bool file = json_is_string(json_object_get(value, "file"));
    const json_t *secret = json_object_get(value, "secret");
    size_t before = reader->problems;

    grc_setting_rows_read(reader, path, jwt_key_keys, value, ret_key);
    if (reader->problems == before && file == (secret && !json_is_null(secret)))
        grc_reader_problem(reader, path, "expected either \"file\" or \"secret\"");
}

static void read_jwt_keys(struct grc_reader *reader, const struct grc_path *path,
                          const struct grc_setting *key, const json_t *value, void *base)
{
    struct grc_jwt_settings *jwt = base;
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        grc_reader_expected(reader, path, key, NULL, value);
        return;
    }
    jwt->keys = grc_keep_alloc(reader->keep, (json_array_size(value) + 1) * sizeof(*jwt->keys));
    if (!jwt->keys) {
        grc_reader_problem(reader, path, "out of memory");
        return;
    }
    json_array_foreach(value, i, item) {
        const struct grc_path here = {.up = path, .index = i};

        read_jwt_key(reader, &here, item, &jwt->keys[jwt->key_count++]);
    }
}

/* Refuses http except on this machine: over a network, an attacker on the way could send other
 * keys. */
static const char *jwks_url_convert(struct grc_reader *reader, const char *text)
{
    static const char *const near[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    bool fine = strncmp(text, "https://", 8) == 0;
    size_t i;

    for (i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
        size_t len = strlen(near[i]);

        fine = fine || (strncmp(text, near[i], len) == 0 && strchr(":/", text[len]));
    }
    return fine ? grc_url_convert(reader, text) : NULL;
}

static const struct grc_setting jwt_keys[] = {
    GRC_SETTING(grc_jwt_settings, "issuer", issuer, GRC_SETTING_STRING, NULL, "What `iss` must be",
                .optional = true, .range = GR_MIN(1)),
    GRC_SETTING(grc_jwt_settings, "audience", audience, GRC_SETTING_STRING, NULL,
                "What `aud` must be or hold", .optional = true, .range = GR_MIN(1)),
    GRC_SETTING(grc_jwt_settings, "leeway", leeway_ms, GRC_SETTING_MS, "30s",
                "How far clocks may be apart", .range = GR_RANGE(0, SECONDS(600))),
    GRC_SETTING(grc_jwt_settings, "exp_required", need_exp, GRC_SETTING_BOOL, "true",
                "Refuse tokens that never expire"),
    {.name = "keys",
     .type = GRC_SETTING_CUSTOM,
     .fallback = "[]",
     .doc = "Keys: a list of {\"kid\", \"alg\", \"file\" or \"secret\"}",
     .expected = "a list of keys",
     .read = read_jwt_keys,
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"kid\":{"
               "\"type\":\"string\"},\"alg\":{\"enum\":[\"HS256\",\"HS384\",\"HS512\",\"RS256\","
               "\"RS384\",\"RS512\",\"ES256\",\"ES384\",\"ES512\"]},\"file\":{\"type\":"
               "\"string\"},\"secret\":{\"type\":[\"string\",\"object\"]}},\"required\":[\"alg\"],"
               "\"additionalProperties\":false}}"},
    GRC_FILE_SETTING(grc_jwt_settings, "jwks_file", jwks_file, "File with a JSON Web Key Set"),
    GRC_SETTING(grc_jwt_settings, "jwks_url", jwks_url, GRC_SETTING_STRING, NULL,
                "Where the issuer publishes its JSON Web Key Set", .optional = true,
                .convert = jwks_url_convert,
                .expected = "an https URL without query (http only on this machine)"),
    GRC_CA_FILE_SETTING(grc_jwt_settings, "jwks_ca_file", jwks_ca_file, "for jwks_url "),
    GRC_SETTING(
        grc_jwt_settings, "jwks_refresh", jwks_refresh_ms, GRC_SETTING_MS, "15m",
        "Time after which a key set is fetched again; an unknown kid makes that happen earlier, at "
        "most every 30s",
        .range = GR_RANGE(SECONDS(30), HOURS(24))),
    GRC_SETTING(grc_jwt_settings, "scope_claim", scope_claim, GRC_SETTING_STRING, "scope",
                "Claim with the scopes: a string of words, or a list", .range = GR_MIN(1)),
    {.name = "scopes",
     .type = GRC_SETTING_CUSTOM,
     .fallback = "{}",
     .doc = "Scopes for each value of scope_claim; when empty, the values are scopes themselves",
     .expected = "an object with a list of scopes for each value",
     .read = read_scope_map,
     .schema = "{\"type\":\"object\",\"additionalProperties\":" SCOPES_SCHEMA "}"},
    GRC_SETTING(grc_jwt_settings, "rooms_claim", rooms_claim, GRC_SETTING_STRING, NULL,
                "Claim with the rooms a token is bound to; \"*\" in it is any room",
                .optional = true, .range = GR_MIN(1)),
    GRC_SETTING(grc_jwt_settings, "roles_claim", roles_claim, GRC_SETTING_STRING, NULL,
                "Claim with the roles a token is bound to; \"*\" in it is any role",
                .optional = true, .range = GR_MIN(1)),
    GRC_SETTING(grc_jwt_settings, "subject_claim", subject_claim, GRC_SETTING_STRING, "sub",
                "Claim that names the caller", .range = GR_MIN(1)),
    GRC_SETTING_END,
};

/* --- auth --- */

static const struct grc_setting keys_keys[] = {
    GRC_SETTING(grc_auth_settings, "file", keys_file, GRC_SETTING_STRING, "keys.json",
                "Where `greenroom keys` keeps hashes of the keys; a relative file is in "
                "state_directory",
                .range = GR_MIN(1)),
    GRC_SETTING(grc_auth_settings, "store", keys_in_store, GRC_SETTING_BOOL, "false",
                "Whether the hashes are in the \"store\" instead, for all gateways on it; "
                "`greenroom keys move` moves those of the file"),
    GRC_SETTING(
        grc_auth_settings, "on_failure", keys_known, GRC_SETTING_FLAG, "closed",
        "What happens to requests with a key while the store does not answer: they get 503, "
        "or the keys that were read last stay valid",
        .values = GR_LIST("closed", "known")),
    GRC_SETTING_END,
};

static const struct grc_setting none_keys[] = {
    {.name = "scopes",
     .type = GRC_SETTING_CUSTOM,
     .fallback = "[\"*\"]",
     .offset = offsetof(struct grc_auth_settings, none_scopes),
     .doc = "What callers without a credential may do",
     .expected = SCOPES_EXPECTED,
     .read = read_scopes,
     .schema = SCOPES_SCHEMA},
    GRC_SETTING_END,
};

static const struct grc_setting throttle_keys[] = {
    GRC_SETTING(grc_auth_settings, "failures", throttle_failures, GRC_SETTING_INT, "30",
                "Wrong credentials that an address may show within the window before it gets 429; "
                "0: any number",
                .range = GR_RANGE(0, 1000000)),
    GRC_SETTING(grc_auth_settings, "window", throttle_window_ms, GRC_SETTING_MS, "1m",
                "Time over which wrong credentials are counted",
                .range = GR_RANGE(SECONDS(1), HOURS(24))),
    GRC_SETTING_END,
};

static const struct grc_map jwt_map = {
    .element_size = sizeof(struct grc_jwt_settings),
    .count_offset = offsetof(struct grc_auth_settings, jwt_count),
    .name_offset = offsetof(struct grc_jwt_settings, name),
};

const struct grc_setting grc_auth_rows[] = {
    GRC_PART_SETTING("keys", "API keys, made with `greenroom keys`", keys_keys, .optional = true),
    GRC_SETTING(grc_auth_settings, "jwt", jwt, GRC_SETTING_MAP, "{}",
                "Issuers of JSON Web Tokens, by a name of your choice", .keys = jwt_keys,
                .map = &jwt_map),
    GRC_PART_SETTING("none", "Callers without a credential", none_keys, .optional = true),
    GRC_PART_SETTING("throttle", "Throttling of addresses that guess credentials", throttle_keys),
    GRC_SETTING_END,
};

/* --- checks that involve several keys --- */

static void check_jwt(struct grc_reader *reader, const struct grc_jwt_settings *jwt)
{
    const struct grc_path auth = {.name = "auth"};
    const struct grc_path up = {.up = &auth, .name = "jwt"};
    const struct grc_path here = {.up = &up, .name = jwt->name};

    if (jwt->jwks_file && jwt->jwks_url)
        grc_reader_problem(reader, &here, "expected one of \"jwks_file\" and \"jwks_url\"");
    if (jwt->key_count == 0 && !jwt->jwks_file && !jwt->jwks_url)
        grc_reader_problem(reader, &here,
                           "no keys: expected \"keys\", \"jwks_file\" or \"jwks_url\"");
    if (jwt->jwks_url && !jwt->audience)
        grc_warn(
            "auth.jwt.%s: without \"audience\", tokens that the issuer made for other services "
            "are accepted",
            jwt->name);
}

void grc_auth_check(struct grc_reader *reader, const struct grc_settings *settings)
{
    const struct grc_path auth = {.name = "auth"};
    const struct grc_path keys = {.up = &auth, .name = "keys"};
    const struct grc_path on_failure = {.up = &keys, .name = "on_failure"};
    size_t i;

    if (reader->problems > 0)
        return; /* a key that could not be read would be reported as missing */
    if (settings->auth.keys_known && !settings->auth.keys_in_store)
        grc_reader_problem(reader, &on_failure,
                           "is only for keys in the store: set \"store\": true, or leave this out");
    for (i = 0; i < settings->auth.jwt_count; i++)
        check_jwt(reader, &settings->auth.jwt[i]);
}

void grc_auth_settle(struct grc_reader *reader, struct grc_settings *settings)
{
    const char *file = settings->auth.keys_file;

    if (file && file[0] != '/' && settings->state_dir) {
        size_t size = strlen(file) + strlen(settings->state_dir) + 2;
        char *placed = grc_keep_alloc(reader->keep, size);

        if (placed)
            snprintf(placed, size, "%s/%s", settings->state_dir, file);
        settings->auth.keys_file = placed;
        if (!placed)
            grc_reader_problem(reader, NULL, "out of memory");
    }
}
