/* Makes a caller of the claims of a valid token. */
#include "auth/callers_jwt.h"

#include "base/scope.h"

#define VALUES_MAX 256u
#define SUBJECT_MAX 256u
#define VALUE_MAX 256u

/* Returns the claim of this name. When there is none and the name has dots, it is looked up level
 * by level ("realm_access.roles"). */
static const json_t *claim_of(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    const char *dot = strchr(name, '.');
    char part[VALUE_MAX];

    if (value || !dot || (size_t)(dot - name) >= sizeof(part))
        return value;
    memcpy(part, name, (size_t)(dot - name));
    part[dot - name] = '\0';
    value = json_object_get(claims, part);
    return json_is_object(value) ? claim_of(value, dot + 1) : NULL;
}

/* A growing list of texts in the arena. */
struct list {
    struct grc_arena *arena;
    const char **texts; /* room for VALUES_MAX and the NULL at the end */
    size_t count;
    bool failed;
};

static void list_add(struct list *list, gr_str text)
{
    if (!list->texts)
        list->texts = grc_arena_alloc(list->arena, (VALUES_MAX + 1) * sizeof(*list->texts));
    const char *copy = list->texts && list->count < VALUES_MAX && text.len <= VALUE_MAX
                           ? grc_arena_copy(list->arena, text)
                           : NULL;
    if (copy)
        list->texts[list->count++] = copy;
    else
        list->failed = true;
}

static gr_str text_of(const json_t *value)
{
    return (gr_str){json_string_value(value), json_string_length(value)};
}

typedef void take_fn(void *arg, gr_str value);

static void each_word(gr_str text, take_fn *take, void *arg)
{
    size_t at = 0;

    while (at < text.len) {
        size_t end = at;

        while (end < text.len && text.ptr[end] != ' ')
            end++;
        if (end > at)
            take(arg, (gr_str){text.ptr + at, end - at});
        at = end + 1;
    }
}

/* Calls take for each value of a claim: the items of a list, or a text, which is split at spaces
 * when words is set. Returns false when the claim has another type or too many values. */
static bool each_value(const json_t *claim, bool words, take_fn *take, void *arg)
{
    const json_t *item;
    size_t i;

    if (json_is_string(claim) && words)
        each_word(text_of(claim), take, arg);
    else if (json_is_string(claim))
        take(arg, text_of(claim));
    if (!json_is_array(claim))
        return json_is_string(claim);
    if (json_array_size(claim) > VALUES_MAX)
        return false;
    json_array_foreach(claim, i, item) {
        if (!json_is_string(item))
            return false;
        take(arg, text_of(item));
    }
    return true;
}

/* --- scopes --- */

struct granting {
    const struct grc_jwt_settings *settings;
    struct list list;
};

static void grant(void *arg, gr_str value)
{
    struct granting *granting = arg;
    const struct grc_jwt_settings *settings = granting->settings;

    if (settings->scope_count == 0 && grc_scope_valid(value))
        list_add(&granting->list, value);
    for (size_t i = 0; i < settings->scope_count; i++) {
        if (!gr_str_eq(gr_str_of(settings->scopes[i].value), value))
            continue;
        for (const char *const *scope = settings->scopes[i].scopes; *scope; scope++)
            list_add(&granting->list, gr_str_of(*scope));
    }
}

static const char *const no_scopes[] = {NULL};

static const char *read_scopes(const struct grc_jwt_settings *settings, const json_t *claims,
                               struct grc_caller *caller, struct grc_arena *arena)
{
    struct granting granting = {.settings = settings, .list = {.arena = arena}};
    const json_t *claim = claim_of(claims, settings->scope_claim);

    if (claim && !each_value(claim, true, grant, &granting))
        return "the claim with its scopes is of the wrong type";
    if (granting.list.failed)
        return "its scopes are too many or too long";
    caller->scopes = granting.list.texts ? granting.list.texts : no_scopes;
    return NULL;
}

/* --- bindings --- */

struct binding_values {
    struct list list;
    bool any;
};

static void bind_value(void *arg, gr_str value)
{
    struct binding_values *values = arg;

    if (gr_str_eq(value, GR_STR("*")))
        values->any = true;
    else
        list_add(&values->list, value);
}

/* When the config names a claim, tokens must have it: a token without it would have no binding, and
 * so could do more than the others. */
static const char *read_binding(const json_t *claims, const char *name, const char *kind,
                                struct grc_binding *bindings, size_t *count,
                                struct grc_arena *arena)
{
    struct binding_values values = {.list = {.arena = arena}};
    const json_t *claim = name ? claim_of(claims, name) : NULL;

    if (!name)
        return NULL;
    if (!claim || !each_value(claim, false, bind_value, &values))
        return "a claim that binds it to rooms or roles is missing or of the wrong type";
    if (values.list.failed)
        return "it names too many rooms or roles";
    if (values.any)
        return NULL;
    bindings[(*count)++] =
        (struct grc_binding){kind, values.list.texts ? values.list.texts : no_scopes};
    return NULL;
}

static const char *read_caller(const struct grc_jwt_settings *settings, const json_t *claims,
                               struct grc_caller *caller, struct grc_arena *arena)
{
    const json_t *subject = claim_of(claims, settings->subject_claim);
    struct grc_binding *bindings = grc_arena_alloc(arena, 3 * sizeof(*bindings));
    size_t count = 0;
    const char *reason;

    if (!json_is_string(subject) || json_string_length(subject) == 0 ||
        json_string_length(subject) > SUBJECT_MAX)
        return "the claim that names its subject is missing or of the wrong type";
    caller->id.ptr = grc_arena_copy(arena, text_of(subject));
    caller->id.len = json_string_length(subject);
    caller->provider = settings->name;
    if (!caller->id.ptr || !bindings)
        return "out of memory";
    reason = read_scopes(settings, claims, caller, arena);
    if (!reason)
        reason = read_binding(claims, settings->rooms_claim, "room", bindings, &count, arena);
    if (!reason)
        reason = read_binding(claims, settings->roles_claim, "role", bindings, &count, arena);
    if (count)
        caller->bindings = bindings;
    return reason;
}

const struct grc_caller *grc_jwt_caller(const struct grc_jwt_settings *settings,
                                        const json_t *claims, struct grc_arena *arena,
                                        const char **ret_reason)
{
    struct grc_caller *caller = grc_arena_alloc(arena, sizeof(*caller));

    *ret_reason = caller ? read_caller(settings, claims, caller, arena) : "out of memory";
    return *ret_reason ? NULL : caller;
}
