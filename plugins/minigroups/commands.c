#include "commands.h"

#include "base/ids.h"
#include "base/options.h"
#include "base/secret.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

#define USAGE 2 /* the exit status with which the host prints the usage */
#define LIFETIME_S (24 * 60 * 60)

/* Returns an issuer for the audience that uses the shared secret; NULL when there is none. */
static const char *issuer_of(const struct mini_options *options, gr_str audience)
{
    for (size_t i = 0; i < json_array_size(options->authn); i++) {
        const json_t *entry = json_array_get(options->authn, i);
        const json_t *audiences = json_object_get(entry, "audience");

        if (mini_config_text(entry, "key") || mini_config_text(entry, "key_file"))
            continue;
        for (size_t j = 0; j < json_array_size(audiences); j++) {
            const char *known = json_string_value(json_array_get(audiences, j));

            if (gr_str_eq(gr_str_of(known), mini_audience_root(audience)))
                return json_string_value(json_object_get(entry, "issuer"));
        }
    }
    return NULL;
}

static int complain(const char *text)
{
    fprintf(stderr, "greenroom: minigroups token: %s\n", text);
    return EXIT_FAILURE;
}

static int mint(struct gr_call *call, const struct mini_options *options,
                const struct gr_account *account)
{
    const char *issuer = issuer_of(options, account->audience);
    gr_str secret = {NULL, 0};
    char *token = NULL;

    if (memchr(account->label.ptr, ':', account->label.len))
        return complain("a label with a colon is not accepted in tokens");
    if (!issuer)
        return complain("no issuer with the shared secret is configured for this audience");
    secret = mini_secret(call->self, options->secret, options->secret_file);
    if (secret.len == 0)
        return complain("no secret");
    const struct gr_jwt_key key = {.alg = "HS256", .key = secret};
    json_t *claims =
        json_pack("{s:s, s:s%, s:s%, s:I}", "iss", issuer, "aud", account->audience.ptr,
                  account->audience.len, "sub", account->label.ptr, account->label.len, "exp",
                  (json_int_t)(gr_now_ms(call->host) / 1000 + LIFETIME_S));
    enum gr_err err = claims ? gr_jwt_sign(call, &key, claims, &token) : GR_ERR_NO_MEMORY;
    json_decref(claims);
    if (err != GR_OK)
        return complain("cannot sign");
    puts(token);
    return EXIT_SUCCESS;
}

static int token_command(struct gr_call *call, const void *options, int argc, char **argv)
{
    struct gr_account account;

    if (argc != 2)
        return USAGE;
    if (!mini_account_parse(gr_str_of(argv[1]), &account)) {
        (void)complain("expected an account such as ada.usr.example.org");
        return USAGE;
    }
    return mint(call, options, &account);
}

static const struct gr_field no_flags[] = {GR_END};

const struct gr_command mini_commands[] = {
    {.name = "minigroups token",
     .usage = "ACCOUNT",
     .summary = "Print a token for an account, valid for a day",
     .run = token_command,
     .flags = no_flags},
    GR_END,
};
