/*
 * HS256, HS384 and HS512 through libjwt.
 *
 * libjwt takes the algorithm from the token, and with a NULL key it accepts any token. So jwt.c
 * compares the token's header with the key before it calls these functions.
 */
#include "token/jwt_key.h"

#include "base/secure.h"

#include <jwt.h>
#include <stdlib.h>

static jwt_alg_t libjwt_alg(const struct grc_jwt_key *key)
{
    switch (key->alg->bits) {
    case 256:
        return JWT_ALG_HS256;
    case 384:
        return JWT_ALG_HS384;
    default:
        return JWT_ALG_HS512;
    }
}

/* Adds a claim with a value for which libjwt has no typed setter. */
static int grant_json(jwt_t *jwt, const char *name, json_t *value)
{
    json_t *object = json_object();
    char *text = NULL;
    int rc = -1;

    if (object && json_object_set(object, name, value) == 0)
        text = json_dumps(object, JSON_COMPACT);
    if (text)
        rc = jwt_add_grants_json(jwt, text);
    free(text);
    json_decref(object);
    return rc;
}

static int grant_one(jwt_t *jwt, const char *name, json_t *value)
{
    if (json_is_string(value) && name[0] != '\0' &&
        strlen(json_string_value(value)) == json_string_length(value))
        return jwt_add_grant(jwt, name, json_string_value(value));
    if (json_is_integer(value) && name[0] != '\0')
        return jwt_add_grant_int(jwt, name, (long)json_integer_value(value));
    return grant_json(jwt, name, value);
}

static bool is_own(const struct grc_jwt_claim *own, const char *name)
{
    while (own->name && strcmp(own->name, name) != 0)
        own++;
    return own->name != NULL;
}

static bool grant_own(jwt_t *jwt, const struct grc_jwt_claim *own)
{
    for (; own->name; own++) {
        int rc = own->text ? jwt_add_grant(jwt, own->name, own->text)
                           : jwt_add_grant_int(jwt, own->name, (long)own->number);
        if (rc != 0)
            return false;
    }
    return true;
}

static bool grant_all(jwt_t *jwt, const json_t *claims, const struct grc_jwt_claim *own)
{
    /* jansson's iterator wants a mutable object, though it changes nothing. */
    json_t *object = json_incref((json_t *)(uintptr_t)claims);
    bool good = true;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value) {
        if (!is_own(own, name) && grant_one(jwt, name, value) != 0) {
            good = false;
            break;
        }
    }
    json_decref(object);
    return good && grant_own(jwt, own);
}

enum gr_err grc_jwt_hs_sign(const struct grc_jwt_key *key, const json_t *claims,
                            const struct grc_jwt_claim *own, char **ret_token)
{
    enum gr_err err = GR_ERR_NO_MEMORY;
    jwt_t *jwt = NULL;
    char *token = NULL;

    if (jwt_new(&jwt) != 0)
        return GR_ERR_NO_MEMORY;
    if (jwt_set_alg(jwt, libjwt_alg(key), key->secret, (int)key->secret_bytes) == 0 &&
        (!key->kid || jwt_add_header(jwt, "kid", key->kid) == 0) && grant_all(jwt, claims, own))
        token = jwt_encode_str(jwt);
    if (token) {
        *ret_token = token;
        err = GR_OK;
    }
    jwt_free(jwt);
    return err;
}

bool grc_jwt_hs_verify(const struct grc_jwt_key *key, const char *token)
{
    jwt_t *jwt = NULL;
    bool good = jwt_decode(&jwt, token, key->secret, (int)key->secret_bytes) == 0 && jwt &&
                jwt_get_alg(jwt) == libjwt_alg(key);

    jwt_free(jwt);
    return good;
}
