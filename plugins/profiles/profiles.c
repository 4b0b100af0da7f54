/*
 * profiles: an example that does real work. It asks a service for the profile of a user, keeps the
 * answer in the store for a while, and answers from there until then.
 *
 * It has what hello does not: an upstream that an option names and that must be in the config, a
 * table in the store with the step that makes it, a timer whose interval is an option, a metric
 * with a label, and an error of each kind. cases.json beside it is run by `greenroom plugin test
 * profiles.so cases.json`.
 */
#include <greenroom/plugin.h>

#include <jansson.h>

struct profiles_options {
    const char *source;
    int64_t keep_ms;
    int64_t purge_ms;
};

/* The host refuses a config whose "upstreams" have no such name, before anything is served. */
static const struct gr_option options[] = {
    GR_OPTION(profiles_options, source, GR_OPT_UPSTREAM, "profiles",
              "Upstream that knows the profiles"),
    GR_OPTION_AS("keep", profiles_options, keep_ms, GR_OPT_MS, "10m",
                 "How long a profile is answered from the store", .range = GR_MIN(0)),
    GR_OPTION_AS("purge", profiles_options, purge_ms, GR_OPT_MS, "1m",
                 "How often profiles that are too old are deleted", .range = GR_MIN(10)),
    GR_END,
};

/* A released step is never edited: the next change of the table is a step of its own. */
static const struct gr_migration migrations[] = {
    {.version = 1,
     .name = "kept profiles",
     .sql = "CREATE TABLE profiles_kept (id TEXT PRIMARY KEY, body TEXT NOT NULL,"
            " kept_until_ms BIGINT NOT NULL)"},
    GR_END,
};

static const struct gr_metric metrics[] = {
    {"answers_total", GR_COUNTER, "Profiles answered, by where they came from", "from"},
    {"purged_total", GR_COUNTER, "Profiles that were too old and deleted", NULL},
    GR_END,
};

/* --- the store --- */

/* What the store has of a profile; the text is the call's memory, empty without one. */
struct kept {
    struct gr_call *call;
    gr_str body;
};

/* Columns are borrowed until this returns, so the text is copied. */
static enum gr_err take_kept(void *arg, const struct gr_value *columns, size_t count)
{
    struct kept *kept = arg;
    char *copy = gr_copy(kept->call, columns[0].s);

    (void)count;
    kept->body = (gr_str){copy, copy ? columns[0].s.len : 0};
    return copy ? GR_OK : GR_ERR_NO_MEMORY;
}

static enum gr_err find_kept(struct gr_call *call, gr_str id, gr_str *ret_body)
{
    struct kept kept = {.call = call};
    enum gr_err err =
        gr_store_query(call, "SELECT body FROM profiles_kept WHERE id = ?1 AND kept_until_ms > ?2",
                       GR_PARAMS(gr_v_str(id), gr_v_int(gr_store_now_ms(call))), take_kept, &kept);

    *ret_body = kept.body;
    return err;
}

static enum gr_err keep(struct gr_call *call, gr_str id, gr_str body, int64_t keep_ms)
{
    return gr_store_exec(
        call,
        "INSERT INTO profiles_kept (id, body, kept_until_ms) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (id) DO UPDATE SET body = excluded.body,"
        " kept_until_ms = excluded.kept_until_ms",
        GR_PARAMS(gr_v_str(id), gr_v_str(body), gr_v_int(gr_store_now_ms(call) + keep_ms)));
}

/* --- the service --- */

/* Asks for a profile. Whatever is no profile fails the call, so that it is not kept. */
static enum gr_err ask(struct gr_call *call, const char *source, gr_str id, gr_str *ret_body)
{
    const struct gr_pair params[] = {{GR_STR("id"), id}, {{NULL, 0}, {NULL, 0}}};
    const struct gr_upstream_request request = {
        .upstream = source,
        .method = GR_METHOD_GET,
        .path = "/users/{id}",
        .params = params,
    };
    struct gr_upstream_reply reply;
    enum gr_err err = gr_upstream(call, &request, &reply, 1);

    if (err != GR_OK)
        return gr_fail(call, err, "profiles cannot be asked for now");
    if (reply.status == 404)
        return gr_fail(call, GR_ERR_NOT_FOUND, "there is no user '%s'", id.ptr);
    if (reply.status != 200 || !json_is_object(gr_parse_json(call, reply.body)))
        return gr_fail(call, GR_ERR_UPSTREAM_BROKEN, "the profile cannot be used");
    *ret_body = reply.body;
    return GR_OK;
}

/* --- handlers --- */

static enum gr_err answer(struct gr_call *call, const char *from, gr_str body)
{
    gr_metric_add(call->self, "answers_total", from, 1);
    return gr_reply(call, 200, "application/json", body);
}

static enum gr_err get_profile(struct gr_call *call)
{
    const struct profiles_options *set = call->state;
    gr_str id = gr_param(call, "id");
    gr_str body = {NULL, 0};
    enum gr_err err = find_kept(call, id, &body);

    if (err == GR_OK && body.len > 0)
        return answer(call, "store", body);
    /* Without its store the group is slower, and still of use. */
    if (err != GR_OK)
        gr_log(call, GR_LOG_WARN, "the store cannot be asked for a profile");
    err = ask(call, set->source, id, &body);
    if (err != GR_OK)
        return err;
    if (keep(call, id, body, set->keep_ms) != GR_OK)
        gr_log(call, GR_LOG_WARN, "a profile could not be kept");
    return answer(call, "source", body);
}

static enum gr_err forget_profile(struct gr_call *call)
{
    enum gr_err err = gr_store_exec(call, "DELETE FROM profiles_kept WHERE id = ?1",
                                    GR_PARAMS(gr_v_str(gr_param(call, "id"))));

    return err == GR_OK ? GR_OK : gr_fail(call, err, "the profile could not be forgotten");
}

/* --- the timer --- */

static enum gr_err purge(struct gr_call *call)
{
    int64_t purged = 0;
    enum gr_err err = gr_store(call, "DELETE FROM profiles_kept WHERE kept_until_ms <= ?1",
                               GR_PARAMS(gr_v_int(gr_store_now_ms(call))), NULL, NULL, &purged);

    gr_metric_add(call->self, "purged_total", NULL, purged);
    return err;
}

static const struct gr_timer timers[] = {
    {.name = "purge", .run = purge, .interval_option = "purge"},
    GR_END,
};

/* --- routes --- */

static const struct gr_field params[] = {
    GR_FIELD("id", GR_STRING, "The user", .pattern = "[A-Za-z0-9_-]{1,64}"),
    GR_END,
};

static const struct gr_answer get_answers[] = {
    {200, "The profile, as the service gave it", GR_BODY(GR_OBJECT), "{\"name\": \"Ada\"}"},
    {404, "The service knows no such user", NULL, NULL},
    {502, "What the service answered is no profile", NULL, NULL},
    GR_END,
};

static const struct gr_answer forget_answers[] = {
    {204, "The next request asks the service again", NULL, NULL},
    GR_END,
};

static const struct gr_route routes[] = {
    GR_GET("/profiles/{id}", "profiles.get", "Fetch one profile", .scope = "profiles:read",
           .params = params, .handle = get_profile, .answers = get_answers),
    GR_DELETE("/profiles/{id}", "profiles.forget", "Forget what is kept of a profile",
              .scope = "profiles:write", .params = params, .handle = forget_profile,
              .answers = forget_answers),
    GR_END,
};

/* The options live as long as the instance and are all the state there is. */
static enum gr_err init(struct gr_self *self, const void *parsed, void **ret_state)
{
    (void)self;
    *ret_state = (void *)(uintptr_t)parsed;
    return GR_OK;
}

GR_PLUGIN("profiles", .version = "1.0.0", .summary = "An example that asks, keeps and answers",
          .licence = "MIT", .routes = routes, .options = options,
          .options_size = sizeof(struct profiles_options), .migrations = migrations,
          .metrics = metrics, .timers = timers, .init = init)
