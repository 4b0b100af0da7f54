/* greenroom token: prints a token signed with the credential of an upstream. */
#include "cmd/cmd.h"
#include "config/units.h"
#include "upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>

struct wish {
    bool management;
    const char *room;
    const char *role;
    const char *user;
    const char *expires;
    const char *upstream; /* NULL: the first with a 100ms credential */
    int64_t lifetime_s;
};

/* The 100ms credential to sign with. NULL after complaining. */
static const struct grc_credential *find_credential(const struct grc_settings *settings,
                                                    struct wish *wish)
{
    size_t i;

    for (i = 0; i < settings->upstream_count; i++) {
        const struct grc_upstream_settings *upstream = &settings->upstreams[i];
        const struct grc_credential *credential =
            upstream->credential ? grc_settings_credential(settings, upstream->credential) : NULL;

        if (wish->upstream && strcmp(wish->upstream, upstream->name) != 0)
            continue;
        if (credential && credential->kind == GRC_CREDENTIAL_100MS) {
            wish->upstream = upstream->name;
            return credential;
        }
    }
    if (wish->upstream)
        grc_complain("no upstream '%s' with a credential of kind \"100ms\"", wish->upstream);
    else
        grc_complain("no upstream has a credential of kind \"100ms\"");
    return NULL;
}

/* Returns false after complaining. */
static bool settle_lifetime(const struct grc_credential *credential, struct wish *wish)
{
    int64_t max_ms = credential->join_lifetime_max_ms;
    int64_t lifetime_ms =
        wish->management && credential->lifetime_ms < max_ms ? credential->lifetime_ms : max_ms;
    char text[32];

    if (wish->expires && (!grc_duration_parse(wish->expires, &lifetime_ms) ||
                          grc_duration_lacks_unit(wish->expires) || lifetime_ms < 1000)) {
        grc_complain("--expires: expected a duration such as \"1h\", found \"%s\"", wish->expires);
        return false;
    }
    if (lifetime_ms > max_ms) {
        grc_duration_text(max_ms, text);
        grc_complain("--expires: the config allows at most %s (credentials.%s.join_lifetime_max)",
                     text, credential->name);
        return false;
    }
    wish->lifetime_s = lifetime_ms / 1000;
    return true;
}

static json_t *claims_of(const struct wish *wish)
{
    if (wish->management)
        return json_pack("{s:s}", "type", "management");
    return json_pack("{s:s,s:s,s:s,s:s*}", "type", "app", "room_id", wish->room, "role", wish->role,
                     "user_id", wish->user);
}

static int sign(const struct grc_settings *settings, const struct wish *wish)
{
    char *reason = NULL;
    struct grc_upstreams *upstreams = grc_upstreams_new(settings, &reason);
    json_t *claims = claims_of(wish);
    int status = GRC_EXIT_FAILED;
    struct grc_arena arena;
    char *token = NULL;

    grc_arena_init(&arena, 65536);
    if (!upstreams || !claims)
        grc_complain("%s", reason ? reason : "out of memory");
    else if (grc_upstreams_sign(upstreams, wish->upstream, &arena, claims, wish->lifetime_s,
                                &token) != GR_OK)
        grc_complain("the credential of upstream '%s' cannot sign", wish->upstream);
    else
        status = GRC_EXIT_OK;
    if (token)
        puts(token);
    free(reason);
    json_decref(claims);
    grc_arena_done(&arena);
    grc_upstreams_free(upstreams);
    return grc_print_done(status);
}

static int mint(const struct grc_cli *cli, struct wish *wish)
{
    struct grc_settings *settings;
    int status = GRC_EXIT_CONFIG;

    grc_cli_quiet(GR_LOG_WARN, false);
    settings = grc_settings_load(cli->config_dir, grc_cli_report, NULL);
    if (!settings)
        return GRC_EXIT_CONFIG;
    const struct grc_credential *credential = find_credential(settings, wish);
    if (credential && !settle_lifetime(credential, wish))
        status = GRC_EXIT_USAGE;
    else if (credential)
        status = sign(settings, wish);
    grc_settings_free(settings);
    return status;
}

static int management(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct wish wish = *(const struct wish *)args;

    (void)count;
    (void)words;
    wish.management = true;
    return mint(cli, &wish);
}

static int join(const struct grc_cli *cli, const void *args, int count, char **words)
{
    struct wish wish = *(const struct wish *)args;

    (void)count;
    (void)words;
    if (!wish.room || !wish.room[0] || !wish.role || !wish.role[0])
        return grc_usage_error(cli, "a join token needs --room and --role");
    return mint(cli, &wish);
}

#define EXPIRES                                                                                    \
    GRC_TEXT(wish, "--expires", expires, "TIME",                                                   \
             "How long the token is valid, such as 1h; the config has the default")
#define UPSTREAM                                                                                   \
    GRC_TEXT(                                                                                      \
        wish, "--upstream", upstream, "NAME",                                                      \
        "The upstream whose credential signs; by default the first one with a 100ms credential",   \
        .choices = &grc_choices_upstreams)

static const struct grc_flag management_flags[] = {EXPIRES, UPSTREAM, GRC_FLAG_END};
static const struct grc_flag join_flags[] = {
    GRC_TEXT(wish, "--room", room, "ID", "The room that may be joined; required"),
    GRC_TEXT(wish, "--role", role, "ROLE", "The role in it; required"),
    GRC_TEXT(wish, "--user", user, "ID", "The user who joins"),
    EXPIRES,
    UPSTREAM,
    GRC_FLAG_END,
};

static const struct grc_command kinds[] = {
    {.name = "management",
     .summary = "A token for the management API of 100ms",
     .flags = management_flags,
     .args_size = sizeof(struct wish),
     .run = management},
    {.name = "join",
     .summary = "A token with which an app joins a room",
     .flags = join_flags,
     .args_size = sizeof(struct wish),
     .run = join},
    {.name = NULL},
};

const struct grc_command grc_command_token = {
    .name = "token",
    .summary = "Print a 100ms token",
    .detail = "The token is a secret.",
    .subs = kinds,
};
