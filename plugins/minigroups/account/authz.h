/* Decides whether an account may do an action on an object. Denies by default. Thread-safe once
 * made. */
#pragma once

#include <greenroom/plugin.h>

struct mini_authz;

/* An action of an account that needs a right. */
struct mini_intent {
    struct gr_account account;
    const char *const *object; /* elements such as "classrooms" and an id; ends with NULL */
    const char *action;        /* "create", "read" … */
};

enum mini_verdict {
    MINI_DENIED = 0,
    MINI_ALLOWED,
    MINI_UNDECIDED /* the authorization service did not give a valid answer */
};

/* An authorization service: its upstream, the path there, and the number of attempts. */
struct mini_authz_service {
    char *upstream;
    char *path;
    unsigned attempts;
};

/* Makes the token for a request to the authorization service of an audience, in call memory. NULL
 * on failure. */
typedef const char *mini_bearer_fn(struct gr_call *call, const char *audience);

/*
 * In init: reads the rights, one rule per audience: the value of the option authz. account is the
 * gateway's own account, which the objects belong to. Answers of authorization services are cached
 * for cache_ms (0: not at all). bearer makes the tokens for requests to them (NULL: none). Copies
 * everything. Each rule of type "http" becomes an upstream PLUGIN_authz_N, where N is its index, so
 * a plugin can have only one mini_authz with such rules. If a rule is wrong, logs it and returns
 * NULL.
 */
struct mini_authz *mini_authz_new(struct gr_self *self, const char *account, const json_t *rules,
                                  int64_t cache_ms, mini_bearer_fn *bearer);
/* NULL is allowed. */
void mini_authz_free(struct mini_authz *authz);

/*
 * Decides by the rule of that audience; without one the answer is MINI_DENIED. A rule of type
 * "http" asks its service unless the answer is cached, for at most 5 s per attempt and within the
 * call's deadline; MINI_UNDECIDED if that fails. Does not fail the call. Any thread.
 */
enum mini_verdict mini_authz_check(struct gr_call *call, struct mini_authz *authz,
                                   const char *audience, const struct mini_intent *intent);

/* --- the parts of mini_authz_check() --- */

/* Decides by the rules alone. Returns MINI_UNDECIDED when *ret_service has to be asked. */
enum mini_verdict mini_authz_decide(const struct mini_authz *authz, const char *audience,
                                    const struct mini_intent *intent,
                                    const struct mini_authz_service **ret_service);
/* True when one of the records allows the intent. In a record, "*" matches any account label, any
 * single element of the object, or any action. */
bool mini_authz_records_allow(const json_t *records, const struct mini_intent *intent);

/* Returns the body of the request to a service, in call memory; an empty string when the account
 * has an empty part, and without memory. */
gr_str mini_authz_question(struct gr_call *call, const struct mini_authz *authz,
                           const struct mini_intent *intent);
/* Reads the answer of a service, an array of the allowed actions. Its HTTP status does not matter.
 */
enum mini_verdict mini_authz_answer(struct gr_call *call, gr_str text, const char *action);

/* Makes the key under which an answer is cached. Returns false when nothing is cached, and without
 * memory. */
bool mini_authz_key(struct gr_call *call, const struct mini_authz *authz, const char *audience,
                    const struct mini_intent *intent, unsigned char ret_key[32]);
/* Returns the cached verdict, or MINI_UNDECIDED when there is none at wall time now_ms. */
enum mini_verdict mini_authz_recall(struct mini_authz *authz, const unsigned char key[32],
                                    int64_t now_ms);
void mini_authz_remember(struct mini_authz *authz, const unsigned char key[32],
                         enum mini_verdict verdict, int64_t now_ms);
