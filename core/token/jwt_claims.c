/* Checks the registered claims of a token with a valid signature (RFC 7519, section 4.1). */
#include "token/jwt_key.h"

#include <math.h>

/* Reads a NumericDate: any JSON number of seconds, also with a fraction (RFC 7519, section 2). The
 * value is rounded up, so that comparing it with a clock of whole seconds gives the same result as
 * the exact date would. A number that int64_t cannot hold becomes the nearest value. Returns false
 * when the claim is present and not a number. */
static bool time_claim(const json_t *claims, const char *name, bool *ret_present,
                       int64_t *ret_value)
{
    const json_t *value = json_object_get(claims, name);

    *ret_present = value != NULL;
    if (!value)
        return true;
    if (!json_is_number(value))
        return false;
    double seconds = ceil(json_number_value(value));
    if (json_is_integer(value))
        *ret_value = (int64_t)json_integer_value(value);
    else if (seconds >= 0x1p63)
        *ret_value = INT64_MAX;
    else
        *ret_value = seconds <= -0x1p63 ? INT64_MIN : (int64_t)seconds;
    return true;
}

/* now_s + leeway_s and now_s - leeway_s cannot overflow, since now_s is a wall clock in seconds. */
static enum grc_jwt_fault times_check(const json_t *claims, const struct gr_jwt_rules *rules,
                                      int64_t now_s)
{
    int64_t leeway_s = (int64_t)rules->leeway_s;
    int64_t exp = 0;
    int64_t from = 0;
    bool present;

    if (!time_claim(claims, "exp", &present, &exp))
        return GRC_JWT_CLAIM;
    if (!present && rules->need_exp)
        return GRC_JWT_CLAIM;
    if (present && now_s - leeway_s >= exp)
        return GRC_JWT_EXPIRED;
    if (rules->ignore_nbf)
        return GRC_JWT_OK;
    if (!time_claim(claims, "nbf", &present, &from))
        return GRC_JWT_CLAIM;
    if (present && now_s + leeway_s < from)
        return GRC_JWT_NOT_YET;
    if (!time_claim(claims, "iat", &present, &from))
        return GRC_JWT_CLAIM;
    if (present && now_s + leeway_s < from)
        return GRC_JWT_NOT_YET;
    return GRC_JWT_OK;
}

static gr_str string_of(const json_t *value)
{
    return (gr_str){json_string_value(value), json_string_length(value)};
}

static enum grc_jwt_fault issuer_check(const json_t *claims, const char *issuer)
{
    const json_t *value = json_object_get(claims, "iss");

    if (value && !json_is_string(value))
        return GRC_JWT_CLAIM;
    if (!issuer)
        return GRC_JWT_OK;
    return value && gr_str_eq(string_of(value), gr_str_of(issuer)) ? GRC_JWT_OK : GRC_JWT_ISSUER;
}

static enum grc_jwt_fault audience_check(const json_t *claims, const char *audience)
{
    const json_t *value = json_object_get(claims, "aud");
    bool found = false;

    if (json_is_string(value)) {
        found = audience && gr_str_eq(string_of(value), gr_str_of(audience));
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *one = json_array_get(value, i);
            if (!json_is_string(one))
                return GRC_JWT_CLAIM;
            if (audience && gr_str_eq(string_of(one), gr_str_of(audience)))
                found = true;
        }
    } else if (value) {
        return GRC_JWT_CLAIM;
    }
    return found || !audience ? GRC_JWT_OK : GRC_JWT_AUDIENCE;
}

enum grc_jwt_fault grc_jwt_claims_check(const json_t *claims, const struct gr_jwt_rules *rules,
                                        int64_t now_s)
{
    static const struct gr_jwt_rules none;

    if (!rules)
        rules = &none;
    enum grc_jwt_fault fault = times_check(claims, rules, now_s);
    if (fault != GRC_JWT_OK)
        return fault;
    fault = issuer_check(claims, rules->issuer);
    if (fault != GRC_JWT_OK)
        return fault;
    return audience_check(claims, rules->audience);
}
