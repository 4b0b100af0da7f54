/*
 * greenroom/plugin.h: everything a Greenroom plugin needs.
 *
 * A plugin is one shared object that serves one resource group. It exports one
 * function, gr_plugin_entry(), which returns a descriptor made of const tables:
 * routes, options, migrations, timers, commands. The host reads the tables and does the work they
 * describe: it routes, validates, authorises, forwards, documents. Functions are only needed for
 * what a table cannot express.
 *
 *     static const struct gr_route routes[] = {
 *         GR_GET("/rooms/{room_id}", "rooms.get", "Fetch one room",
 *                .scope = "rooms:read", .forward = GR_FORWARD("api", "/rooms/{room_id}")),
 *         GR_END,
 *     };
 *
 *     GR_PLUGIN("rooms", .version = "1.0.0", .summary = "Rooms",
 *               .licence = "MIT", .routes = routes)
 *
 * What a first plugin needs comes first: basics, routes, field rows, options, the descriptor. The
 * services of the host are in greenroom/host.h.
 *
 * Rules that hold everywhere in this file, unless a comment says otherwise:
 *
 * Ownership.  Tables are const and must live as long as the shared object is loaded
 *   (file scope). Pointers that the host returns belong to the host, and are valid until the
 *   request ends. Request memory comes from gr_alloc() and is never freed by the plugin. A
 *   json_t that a function "steals" belongs to the host afterwards, also if the function fails.
 *
 * Threads.  Handlers run at the same time on many threads. init, start, stop and fini run on
 *   one thread while no handler of this plugin instance is active. A struct gr_call is used by
 *   one thread at a time, but the thread may change during a call of an upstream or of
 *   gr_exclusive(): hold no mutex across those calls, and rely on nothing that belongs to a
 *   thread, such as errno. Keep state in call->state, never in a global variable: the host may run
 *   two instances of a plugin at the same time (it does while it reloads its config).
 *
 * Stack.  A handler has about 64 KiB of stack. Large buffers come from gr_alloc().
 *
 * Text.  UTF-8. A gr_str is a slice (pointer and length), and only NUL-terminated where a comment
 *   says so.
 *
 * Time.  Names end with the unit: _ms milliseconds, _s seconds. Wall-clock times are milliseconds
 *   since the Unix epoch, UTC.
 *
 * Errors.  A function that can fail returns enum gr_err. GR_OK is 0, failures are negative.
 *   Output parameters are unchanged on failure.
 *
 * Loading.  The host reads the file once into its own memory, checks it there (the ELF note of
 *   GR_PLUGIN(), the ELF headers, the exported symbols) and loads that copy. Later changes of the
 *   file therefore have no effect until a reload, which loads the new file beside the old code.
 *   The old code is unloaded after its last request; it stays mapped if the file imports a
 *   function with lasting effects, such as pthread_create(). Libraries are found by their names
 *   or by absolute search paths, not relative to the file.
 *
 * ABI policy.  The host loads a plugin of its own major number whose minor number is not newer; in
 *   a plugin with an older minor, what was appended since reads as zero. A minor step only appends:
 *   members at the end of structs, functions at the end of struct gr_host, values at the end of
 *   enums. What a released header declares keeps its place, its size and its number; the test suite
 *   compares it with every released header, and loads a plugin built with each. Anything else is a
 *   major step, for which plugins have to be compiled anew and may have to be changed: it is
 *   announced in a minor release at least six months before. The first release with a new major
 *   loads plugins of the old one too, and goes on doing so for at least twelve months, with a
 *   warning in the log for each; how the two differ is said here.
 *
 * ABI changes (major.minor; see GR_ABI_MAJOR below):
 *   1.0  first release
 */
#pragma once

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The descriptor has the sizes of the row types, so that the host can read tables of older, shorter
 * rows; members that an older plugin does not have are zero. */
#define GR_ABI_MAJOR 1u
#define GR_ABI_MINOR 0u
/* First word of every descriptor: "GRM1". */
#define GR_PLUGIN_MAGIC 0x47524d31u
/* jansson's major version: json_t is the only foreign type in this ABI. */
#define GR_JANSSON_MAJOR 2u

typedef struct json_t json_t;
struct gr_call;
struct gr_self;
struct gr_host;

/* ------------------------------------------------------------------------------------------ */
/* Basics                                                                                     */

/* A slice of bytes. ptr may be NULL only when len is 0. */
typedef struct gr_str {
    const char *ptr;
    size_t len;
} gr_str;

/* A slice of a string literal. */
#define GR_STR(literal) ((gr_str){(literal), sizeof(literal) - 1})

/* A slice of a C string; NULL gives the empty slice. */
static inline gr_str gr_str_of(const char *text)
{
    gr_str s = {text, text ? strlen(text) : 0};

    return s;
}

/* True if both slices have the same bytes. Not for secrets: see gr_secret_equal(). */
static inline bool gr_str_eq(gr_str a, gr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* A name and a value, for headers, queries and path parameters. */
struct gr_pair {
    gr_str name;
    gr_str value;
};

/*
 * All errors, with their default HTTP status and a stable machine name. Append only.
 */
#define GR_ERR_LIST(X)                                                                             \
    X(GR_OK, 0, 200, "ok", "no error")                                                             \
    X(GR_ERR_INTERNAL, -1, 500, "internal", "internal error")                                      \
    X(GR_ERR_NO_MEMORY, -2, 500, "no_memory", "an allocation or a memory limit failed")            \
    X(GR_ERR_BAD_REQUEST, -3, 400, "bad_request", "the request cannot be understood")              \
    X(GR_ERR_BAD_JSON, -4, 400, "bad_json", "the body is not JSON of the expected kind")           \
    X(GR_ERR_INVALID, -5, 400, "invalid", "a member breaks its documented rule")                   \
    X(GR_ERR_UNAUTHORIZED, -6, 401, "unauthorized", "no valid credential")                         \
    X(GR_ERR_FORBIDDEN, -7, 403, "forbidden", "the caller may not do this")                        \
    X(GR_ERR_NOT_FOUND, -8, 404, "not_found", "no such path or resource")                          \
    X(GR_ERR_METHOD, -9, 405, "method_not_allowed", "the path exists, the method does not")        \
    X(GR_ERR_TIMEOUT, -10, 408, "request_timeout", "the client was too slow")                      \
    X(GR_ERR_CONFLICT, -11, 409, "conflict", "the state does not allow it")                        \
    X(GR_ERR_TOO_LARGE, -12, 413, "too_large", "the body is over its limit")                       \
    X(GR_ERR_URI, -13, 414, "uri_too_long", "the request target is over its limit")                \
    X(GR_ERR_MEDIA_TYPE, -14, 415, "unsupported_media_type", "the body is not application/json")   \
    X(GR_ERR_UNPROCESSABLE, -15, 422, "unprocessable", "the request cannot be carried out")        \
    X(GR_ERR_RATE, -16, 429, "rate_limited", "too many requests")                                  \
    X(GR_ERR_HEADERS, -17, 431, "headers_too_large", "too many or too large headers")              \
    X(GR_ERR_OVERLOAD, -18, 503, "overloaded", "no capacity at this moment")                       \
    X(GR_ERR_UPSTREAM_CONNECT, -19, 502, "upstream_unreachable", "no connection to the upstream")  \
    X(GR_ERR_UPSTREAM_BROKEN, -20, 502, "upstream_broken", "the upstream's answer is unusable")    \
    X(GR_ERR_UPSTREAM_TIMEOUT, -21, 504, "upstream_timeout", "the upstream took too long")         \
    X(GR_ERR_UPSTREAM_BUSY, -22, 503, "upstream_unavailable",                                      \
      "breaker open or too many in flight")                                                        \
    X(GR_ERR_CANCELLED, -23, 499, "cancelled", "the client has left")                              \
    X(GR_ERR_STORE_UNIQUE, -24, 409, "store_unique", "a row with this key exists")                 \
    X(GR_ERR_STORE_FOREIGN, -25, 409, "store_foreign", "a row this one refers to is missing")      \
    X(GR_ERR_STORE_CHECK, -26, 422, "store_check", "a value breaks a rule of the store")           \
    X(GR_ERR_STORE_BUSY, -27, 503, "store_busy", "the store is busy; trying again may help")       \
    X(GR_ERR_STORE_DOWN, -28, 503, "store_unavailable", "the store cannot be reached")             \
    X(GR_ERR_STORE, -29, 500, "store_failed", "the store refused a statement")

enum gr_err {
#define GR_ERR_ENUM(name, number, status, slug, doc) name = number,
    GR_ERR_LIST(GR_ERR_ENUM)
#undef GR_ERR_ENUM
};

enum gr_log_level { GR_LOG_ERROR = 1, GR_LOG_WARN, GR_LOG_INFO, GR_LOG_DEBUG };

/* ------------------------------------------------------------------------------------------ */
/* Routes                                                                                     */

enum gr_method {
    GR_METHOD_GET = 1,
    GR_METHOD_POST,
    GR_METHOD_PUT,
    GR_METHOD_PATCH,
    GR_METHOD_DELETE
};

/* Who may call a route. */
enum gr_access {
    GR_ACCESS_CALLER = 0, /* the host's auth providers; the caller needs .scope */
    GR_ACCESS_OPEN,       /* every client, without a credential */
    GR_ACCESS_GROUP,      /* the plugin's own .authenticate function */
};

/*
 * Serves a request. Replies with gr_reply_*() and returns GR_OK, or returns the result of a
 * function such as gr_fail(). GR_OK without a reply answers 204.
 */
typedef enum gr_err gr_handler(struct gr_call *call);

/* Filters an upstream's answer: a list by one member, or one object. */
struct gr_select {
    const char *list;   /* the member that holds the list; NULL: the answer is one object */
    const char *member; /* the member to compare */
    const char *equals; /* text with {params}; elements that differ are removed from a list, and
                           one object that differs is answered with 404 */
};
#define GR_SELECT(list_, member_, equals_)                                                         \
    (&(const struct gr_select){(list_), (member_), (equals_)})

enum gr_forward_flag {
    /* Retries the call like a GET if there was no answer. For calls that change nothing further
     * when repeated, and then get the same answer; not for a command that is refused the second
     * time, such as stopping something. Without this flag, a call that may have reached the
     * upstream is never retried. */
    GR_FORWARD_IDEMPOTENT = 1u << 0,
    GR_FORWARD_NO_BODY = 1u << 1, /* never send a body */
};

/*
 * Forwards the request: path parameters are encoded, the query is rebuilt from the client's, the
 * body is sent unchanged. Operators can change upstream, path, timeout_ms and select of each route
 * in the plugin's config file.
 */
struct gr_forward {
    const char *upstream;  /* name in the config's "upstreams" */
    const char *path;      /* path at the upstream, with {params} of the route's path */
    enum gr_method method; /* 0: the client's */
    unsigned flags;        /* enum gr_forward_flag */
    const char *body;      /* JSON text to send instead of the client's body; "{param}" in a string
                               is replaced by a path parameter */
    const struct gr_select *select; /* NULL: the answer is not parsed */
};
#define GR_FORWARD(upstream_, ...)                                                                 \
    (&(const struct gr_forward){.upstream = (upstream_), .path = __VA_ARGS__})

/* A documented answer. Rows end with GR_END. */
struct gr_answer {
    int status;
    const char *doc;               /* the case it is for; one line */
    const struct gr_field *schema; /* GR_BODY(); NULL: no body, or the group's error format */
    const char *example;           /* JSON text */
};

/* One route. Build rows with GR_GET() and its siblings; rows end with GR_END. */
struct gr_route {
    enum gr_method method;
    const char *path;    /* "/rooms/{room_id}": {name} is one whole segment */
    const char *id;      /* operation id, "group.verb"; stable, unique in the gateway */
    const char *summary; /* one line, no full stop */
    const char *alias;   /* a second path with the same parameters, or NULL */
    enum gr_access access;
    const char *scope;                /* GR_ACCESS_CALLER: "rooms:read" */
    const struct gr_field *params;    /* path parameters; without a row: one safe segment */
    const struct gr_field *query;     /* unknown parameters are accepted */
    const struct gr_field *headers;   /* request headers that the handler reads; documentation */
    const struct gr_field *body;      /* GR_BODY(); NULL: a body is ignored */
    const struct gr_forward *forward; /* forward, handle, or */
    gr_handler *handle;               /* both: the handler then calls gr_forward() itself */
    const void *data;  /* for the plugin: data for a handler that several rows share, see
                          gr_route_of() */
    gr_handler *admit; /* runs after authentication, before the body is read; NULL: none */
    const struct gr_answer *answers;
    const char *doc;       /* further documentation, or NULL */
    const char *source;    /* where the contract of this route is documented */
    size_t body_max_bytes; /* limit of this route; 0: the server's (server.body_max) */
    unsigned timeout_ms;   /* for all upstream calls of a request; 0: the upstream's */
    unsigned flags;        /* enum gr_route_flag */
};

enum gr_route_flag {
    GR_ROUTE_ANY_CONTENT_TYPE = 1u << 0, /* the body need not be called JSON */
    GR_ROUTE_RAW_BODY = 1u << 1,         /* the host does not parse it: see gr_body() */
    GR_ROUTE_HIDDEN_PATH = 1u << 2,      /* path holds a secret: the log shows the pattern */
    GR_ROUTE_DEPRECATED = 1u << 3,       /* documents say that it is on its way out */
    /* A POST that makes something anew with each call. A caller may name its request with an
     * Idempotency-Key, and is given the first answer again when it sends it again; see
     * "idempotency" in the group's file. */
    GR_ROUTE_IDEMPOTENCY_KEY = 1u << 4,
};

/* method, path, operation id, summary, then further members as designated initialisers. */
#define GR_ROUTE(method_, path_, id_, ...)                                                         \
    {                                                                                              \
        .method = (method_), .path = (path_), .id = (id_), .summary = __VA_ARGS__                  \
    }
#define GR_GET(path_, id_, ...) GR_ROUTE(GR_METHOD_GET, path_, id_, __VA_ARGS__)
#define GR_POST(path_, id_, ...) GR_ROUTE(GR_METHOD_POST, path_, id_, __VA_ARGS__)
#define GR_PUT(path_, id_, ...) GR_ROUTE(GR_METHOD_PUT, path_, id_, __VA_ARGS__)
#define GR_PATCH(path_, id_, ...) GR_ROUTE(GR_METHOD_PATCH, path_, id_, __VA_ARGS__)
#define GR_DELETE(path_, id_, ...) GR_ROUTE(GR_METHOD_DELETE, path_, id_, __VA_ARGS__)
/* A list of route tables, which may be in several files. */
#define GR_ROUTE_TABLES(...) ((const struct gr_route *const[]){__VA_ARGS__, NULL})

/* ------------------------------------------------------------------------------------------ */
/* Field rows: one table validates, documents and describes a body, a query or a path         */

enum gr_type {
    GR_ANY = 1, /* any JSON value */
    GR_STRING,
    GR_INT,    /* an integer; 1.0 is not one */
    GR_NUMBER, /* an integer or a real */
    GR_BOOL,   /* in a query: true or false */
    GR_TIME,   /* a string: RFC 3339 timestamp, with zone */
    GR_OBJECT, /* .fields describe the members; unknown members pass */
    GR_ARRAY,  /* .items describes each element, when given */
    GR_MAP,    /* an object with free keys; .items describes each value */
};

enum gr_field_flag {
    GR_FIELD_REQUIRED = 1u << 0, /* must be there; JSON null counts as missing */
    GR_FIELD_NOT_NULL = 1u << 1, /* an explicit null is wrong (default: null is accepted) */
    GR_FIELD_SECRET = 1u << 2,   /* never logged, masked in documents */
    GR_FIELD_REPEATED = 1u << 3, /* query: may be given more than once */
    GR_FIELD_STRIP = 1u << 4,    /* body: for the gateway alone; removed before forwarding */
    GR_FIELD_STRICT = 1u << 5,   /* object: unknown members are wrong */
    GR_FIELD_HINTS = 1u << 6,    /* range, values, pattern and the rows below are for readers: only
                                    type, presence and .check of this row are enforced. For what an
                                    upstream made and takes back, and for rules it may change */
    GR_FIELD_DEPRECATED = 1u << 7, /* documents say that it is on its way out */
};

/* Inclusive bounds. Use the macros; an open side is infinite. */
struct gr_range {
    double min;
    double max;
};
#define GR_RANGE(min_, max_) (&(const struct gr_range){(min_), (max_)})
#define GR_MIN(min_) GR_RANGE((min_), (double)INFINITY)
#define GR_MAX(max_) GR_RANGE(-(double)INFINITY, (max_))
/* A NULL-terminated list of strings. */
#define GR_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* "Required when": the sibling member is there, and equals value unless value is NULL. */
struct gr_when {
    const char *member;
    const char *value;
};
#define GR_WHEN(member_, value_) (&(const struct gr_when){(member_), (value_)})

/*
 * A rule that a table cannot say: called for a present value after its other rules held.
 * parent is the object (or array) the value sits in. Returns GR_OK, or the result of
 * gr_invalid(), whose `where` is seen from the value: "" is the value itself, "width" a member of
 * it.
 */
typedef enum gr_err gr_check_fn(struct gr_call *call, const json_t *parent, const json_t *value);

/* One member, parameter, or element. Rows end with GR_END. */
struct gr_field {
    const char *name; /* member or parameter name; NULL in .items rows */
    enum gr_type type;
    unsigned flags;                /* enum gr_field_flag */
    const char *doc;               /* one sentence, no full stop; required for named rows */
    const struct gr_range *range;  /* numbers: the value; strings: length in code points;
                                      arrays, maps: number of elements */
    double multiple_of;            /* integers; 0 = any */
    const char *const *values;     /* strings: the accepted values; GR_LIST() */
    const char *pattern;           /* strings: PCRE2 pattern the whole value must match */
    const struct gr_field *fields; /* GR_OBJECT: its members */
    const struct gr_field *items;  /* GR_ARRAY, GR_MAP: each element; GR_ITEM() */
    const struct gr_when *when;    /* required only in this case */
    const char *any_of;            /* at least one of the rows that share this group name */
    const char *default_doc;       /* what the service assumes when it is absent: documentation,
                                      never added */
    const char *binds;             /* a caller may be bound to certain values: "room", "role" */
    gr_check_fn *check;
    const char *example; /* JSON text, documentation */
};

/* A row: name, type, doc, then further members as designated initialisers. */
#define GR_FIELD(name_, type_, ...)                                                                \
    {                                                                                              \
        .name = (name_), .type = (type_), .doc = __VA_ARGS__                                       \
    }
/* An element of an array or a value of a map: .items = GR_ITEM(GR_STRING). */
#define GR_ITEM(...) (&(const struct gr_field){.type = __VA_ARGS__})
/* A whole body: .body = GR_BODY(GR_OBJECT, .fields = rows, .flags = GR_FIELD_REQUIRED). Without
 * GR_FIELD_REQUIRED an absent or empty body counts as {} (or []). */
#define GR_BODY(...) (&(const struct gr_field){.type = __VA_ARGS__})
/* Ends every table of rows. */
#define GR_END                                                                                     \
    {                                                                                              \
        0                                                                                          \
    }

/* ------------------------------------------------------------------------------------------ */
/* Options: the plugin's part of its config file, parsed into a struct of its own             */

enum gr_option_type {
    GR_OPT_BOOL = 1, /* bool */
    GR_OPT_INT,      /* int64_t */
    GR_OPT_MS,       /* int64_t; "250ms", "10s", "5m", "2h", "28d" or a number of ms */
    GR_OPT_BYTES,    /* int64_t; "64k", "1m", "2g" or a number */
    GR_OPT_STRING,   /* const char * */
    GR_OPT_SECRET,   /* const char *; also {"file": "…"}; never shown */
    GR_OPT_LIST,     /* const char *const *, NULL-terminated list of strings */
    GR_OPT_JSON,     /* const json_t *; checked by .json when given */
    GR_OPT_UPSTREAM, /* const char *; must name one of the config's "upstreams" */
};

/* One option. Rows end with GR_END. */
struct gr_option {
    const char *name;
    enum gr_option_type type;
    const char *fallback; /* the default, as it would stand in the file, without quotes; NULL: the
                             member stays 0 or NULL when the file does not set it */
    size_t offset;        /* offsetof() into the options struct */
    size_t size;          /* sizeof() the member there */
    const char *doc;      /* one sentence */
    bool required;        /* the file must set it; goes with no fallback */
    const char *env;      /* an environment variable that overrides the file */
    const struct gr_range *range; /* of numbers, in the base unit */
    const char *const *values;    /* of strings */
    const struct gr_field *json;  /* GR_OPT_JSON: its shape */
};
/* An option whose name in the file is the member's: struct, member, type, default, doc, then
 * further members as designated initialisers. */
#define GR_OPTION(struct_, member_, type_, fallback_, ...)                                         \
    GR_OPTION_AS(#member_, struct_, member_, type_, fallback_, __VA_ARGS__)
/* The same with a name of its own: GR_OPTION_AS("keep", options, keep_ms, GR_OPT_MS, "30d", …). */
#define GR_OPTION_AS(name_, struct_, member_, type_, fallback_, ...)                               \
    {                                                                                              \
        .name = (name_), .type = (type_), .fallback = (fallback_),                                 \
        .offset = offsetof(struct struct_, member_),                                               \
        .size = sizeof(((struct struct_ *)0)->member_), .doc = __VA_ARGS__                         \
    }

/* ------------------------------------------------------------------------------------------ */
/* The descriptor, which GR_PLUGIN() makes of what is given to it                             */

/* What protects the rest: which ABI the plugin was compiled for, and how. It never changes, and the
 * host reads it from the file before it loads it. */
struct gr_abi {
    uint32_t magic;
    uint16_t major;
    uint16_t minor;
    uint32_t plugin_size; /* sizeof of each row type, as the plugin was compiled */
    uint32_t route_size;
    uint32_t field_size;
    uint32_t forward_size;
    uint32_t answer_size;
    uint32_t option_size;
    uint32_t migration_size;
    uint32_t metric_size;
    uint32_t timer_size;
    uint32_t command_size;
    uint16_t jansson_major;
    uint16_t pointer_bits;
};

struct gr_error;

/*
 * Renders an error as JSON in the group's format. Returns a new reference; NULL makes the host
 * fall back to its own format. Must not fail the call again. err, status, type and message are
 * always set.
 */
typedef json_t *gr_render_error_fn(struct gr_call *call, const struct gr_error *error);

struct gr_plugin {
    struct gr_abi abi; /* comes first */

    const char *name;    /* "rooms": lower case letters, digits, '_'; unique in the gateway; at most
                            47 characters; set by GR_PLUGIN() */
    const char *version; /* of the plugin; at most 31 characters */
    const char *summary; /* one line */
    const char *licence; /* SPDX expression */

    const struct gr_route *routes;
    const struct gr_route *const *route_tables; /* further tables, served like .routes:
                                                   GR_ROUTE_TABLES(rooms_routes, polls_routes) */
    const struct gr_option *options;
    size_t options_size; /* sizeof the options struct */
    const struct gr_migration *migrations;
    /* Name under which the steps of .migrations are counted; NULL: the plugin's own. Plugins that
     * share tables give the same name and the same steps, and each works without the others. */
    const char *migrations_name;
    const struct gr_metric *metrics;
    const struct gr_timer *timers;
    const struct gr_command *commands;
    const char *const
        *owns; /* path prefixes whose unmatched requests are this group's: GR_LIST() */
    /* Names in the config's "upstreams" that the plugin's functions use: GR_LIST(). A plugin is
     * loaded only when all of them are there, as are those of its forwards and of its options. */
    const char *const *upstreams;
    unsigned flags; /* enum gr_plugin_flag */

    gr_render_error_fn *render_error;  /* NULL: {"code", "message", "details"} */
    const struct gr_field *error_body; /* GR_BODY(): the shape of what it renders, for documents */
    gr_handler *authenticate;          /* for GR_ACCESS_GROUP routes */

    /*
     * init: options are checked; make the state. Nothing else is running. On failure it cleans up
     *   after itself, says why with gr_log(), and gets no further call.
     * start: every plugin is loaded, the store is migrated; threads may be made from here on.
     * stop: no handler of this instance is active and none will come; timers have ended.
     * fini: frees the state.
     * ready: one quick look whether the group can work; a reason into gr_fail() when not.
     */
    enum gr_err (*init)(struct gr_self *self, const void *options, void **ret_state);
    enum gr_err (*start)(struct gr_self *self, void *state);
    void (*stop)(struct gr_self *self, void *state);
    void (*fini)(struct gr_self *self, void *state);
    gr_handler *ready;
    /* What the group shows on the status page: replies with a JSON object whose members are tables,
     * {"Deliveries": [{"target": "app", "status": 503}]}, with the columns in the order of the
     * first row's members. Answers at once, from memory: the page asks every few seconds. Never a
     * secret.
     */
    gr_handler *status;
};

enum gr_plugin_flag {
    GR_PLUGIN_NEEDS_JSON_TYPE = 1u << 0, /* POST, PUT, PATCH without application/json: 415, before
                                            authentication, also when there is no body */
    GR_PLUGIN_NO_STORE = 1u << 1,        /* answers carry Cache-Control: no-store */
    GR_PLUGIN_ANY_ORIGIN = 1u << 2,      /* CORS for every origin, as the group's contract wants */
};

/*
 * That is all a first plugin needs, with gr_reply_json(), gr_fail() and gr_log() of host.h. The
 * rest is read when it is wanted.
 */

/* ------------------------------------------------------------------------------------------ */
/* Errors in a format of the group's own                                                      */

enum gr_problem_kind {
    GR_PROBLEM_MISSING = 1,
    GR_PROBLEM_TYPE,
    GR_PROBLEM_MIN, /* the value, length or count is below the minimum */
    GR_PROBLEM_MAX,
    GR_PROBLEM_VALUE,   /* it violates .values, .pattern or .multiple_of */
    GR_PROBLEM_TEXT,    /* control characters or malformed UTF-8 */
    GR_PROBLEM_UNKNOWN, /* an unknown member of a GR_FIELD_STRICT object */
};

/* One problem of the input. */
struct gr_problem {
    const char *where; /* "questions[2].options[0].weight", "limit", "" for the body itself */
    const char *in;    /* "body", "query", "path" or "header" */
    enum gr_problem_kind kind;
    const char *expected; /* "an integer from 1 to 5" */
};

/* An error to answer. Unset members are 0 or NULL. */
struct gr_error {
    enum gr_err err;
    int status;            /* 0: the status of err */
    int code;              /* a number that the group defines */
    const char *type;      /* a machine name that the group defines; NULL: the name of err */
    const char *message;   /* for the client; without internal details */
    const json_t *details; /* defined by the group; the host takes its own reference */
    const struct gr_problem *problems; /* for GR_ERR_INVALID */
    size_t problem_count;
    unsigned retry_after_s; /* sent as Retry-After unless 0 */
};

/* ------------------------------------------------------------------------------------------ */
/* Metrics, timers, commands                                                                  */

enum gr_metric_kind { GR_COUNTER = 1, GR_GAUGE };

/* A metric of the plugin's own, shown as greenroom_<plugin>_<name>. Rows end with GR_END. */
struct gr_metric {
    const char *name;
    enum gr_metric_kind kind;
    const char *help;
    const char *label; /* name of its one label, or NULL */
};

/* Work that repeats on a thread of its own, from start to stop. Rows end with GR_END. */
struct gr_timer {
    const char *name;
    unsigned interval_ms;        /* 0: .interval_option says it */
    gr_handler *run;             /* the call has no request; an error it returns is logged */
    const char *interval_option; /* name of an option of type GR_OPT_MS, whose .range begins at 1 or
                                    above, or NULL */
};

/*
 * A command line word: `greenroom NAME …`. Name may have two words, "token agent". Options are
 * parsed and the store is open, but init has not run. Returns the exit status. Rows end with
 * GR_END.
 */
struct gr_command {
    const char *name;
    const char *usage;   /* "list | deactivate USER" */
    const char *summary; /* one line */
    int (*run)(struct gr_call *call, const void *options, int argc, char **argv);
    /* Its flags, as rows like those of a query: "room_id" is given as "--room-id ID", a GR_BOOL
     * without a value. The host takes them out of argv, checks them, and prints them in the help;
     * gr_query() reads them. NULL: argv has every word. */
    const struct gr_field *flags;
};

/* ------------------------------------------------------------------------------------------ */
/* Store                                                                                      */

enum gr_value_kind { GR_VALUE_NULL = 0, GR_VALUE_INT, GR_VALUE_REAL, GR_VALUE_TEXT, GR_VALUE_BLOB };

/* A bound parameter or a column. Text and blobs are borrowed. */
struct gr_value {
    enum gr_value_kind kind;
    int64_t i;
    double d;
    gr_str s;
};

static inline struct gr_value gr_v_null(void)
{
    struct gr_value v = {GR_VALUE_NULL, 0, 0, {NULL, 0}};

    return v;
}

static inline struct gr_value gr_v_int(int64_t i)
{
    struct gr_value v = {GR_VALUE_INT, i, 0, {NULL, 0}};

    return v;
}

/* A slice with a NULL pointer becomes SQL NULL. */
static inline struct gr_value gr_v_str(gr_str s)
{
    struct gr_value v = {s.ptr ? GR_VALUE_TEXT : GR_VALUE_NULL, 0, 0, s};

    return v;
}

static inline struct gr_value gr_v_text(const char *text)
{
    return gr_v_str(gr_str_of(text));
}

/* The two arguments params and count of the gr_store functions: `GR_PARAMS(gr_v_text(id),
 * gr_v_int(now))`. Each value is evaluated once. */
#define GR_PARAMS(...)                                                                             \
    (const struct gr_value[]){__VA_ARGS__},                                                        \
        (sizeof((const struct gr_value[]){__VA_ARGS__}) / sizeof(struct gr_value))
#define GR_NO_PARAMS NULL, 0

/*
 * One step of a plugin's schema. Each step is applied once, in the order of versions and in a
 * transaction, under a lock for all gateways on the same store. Never edit a released step. Rows
 * end with GR_END.
 */
struct gr_migration {
    int version; /* 1, 2, 3 … */
    const char *name;
    const char *sql;      /* statements separated by ';', for SQLite and PostgreSQL */
    const char *postgres; /* the statements for PostgreSQL; NULL: the same */
};

/* Gets one row. Columns are borrowed until it returns. An error stops the query, which returns it.
 */
typedef enum gr_err gr_row_fn(void *arg, const struct gr_value *columns, size_t count);
/* The body of a transaction: GR_OK commits, anything else rolls back. May run more than once. */
typedef enum gr_err gr_tx_fn(struct gr_call *call, void *arg);

/* ------------------------------------------------------------------------------------------ */
/* Upstream calls from a handler                                                              */

enum gr_upstream_flag {
    GR_UPSTREAM_IDEMPOTENT = 1u << 0,    /* may be retried like a GET */
    GR_UPSTREAM_NO_CREDENTIAL = 1u << 1, /* do not add the upstream's credential */
};

/* A call to a named upstream. Pointers are borrowed for the duration of the call. */
struct gr_upstream_request {
    const char *upstream; /* name in the config, or one made by gr_upstream_define() */
    enum gr_method method;
    const char *path;              /* {name} segments are taken from params and encoded */
    const struct gr_pair *params;  /* also used for several segments; ends with a NULL name */
    const struct gr_pair *query;   /* ends with a NULL name; NULL: none */
    const struct gr_pair *headers; /* ends with a NULL name; hop-by-hop names are refused */
    gr_str body;                   /* sent as it is */
    const char *content_type;      /* NULL: application/json */
    const char *bearer;            /* a token instead of the upstream's credential */
    unsigned timeout_ms;           /* 0: the upstream's own */
    unsigned flags;                /* enum gr_upstream_flag */
};

/* The answer; lives as long as the call. */
struct gr_upstream_reply {
    enum gr_err err; /* GR_OK when an HTTP answer arrived, whatever its status */
    int status;
    gr_str body;
    gr_str content_type;
    gr_str retry_after;
};

/* ------------------------------------------------------------------------------------------ */
/* Tokens                                                                                     */

/* A key for gr_jwt_sign() and gr_jwt_verify(). The key fixes the algorithm, the token never. */
struct gr_jwt_key {
    const char *alg; /* "HS256", "RS256", "ES256" (and 384, 512) */
    gr_str key;      /* HS: the secret. RS, ES: PEM or DER; ES256 also the bare 65-byte point */
    const char *kid; /* NULL: the key for tokens without kid */
};

/* What a token must say. */
struct gr_jwt_rules {
    const char *issuer;   /* NULL: any */
    const char *audience; /* NULL: any; matches a string or a member of an array */
    unsigned leeway_s;    /* for exp, nbf and iat */
    bool need_exp;
    bool ignore_nbf; /* also ignores iat */
};

/* ------------------------------------------------------------------------------------------ */
/* What GR_PLUGIN() defines: nothing of it is written by hand                                 */

#define GR_ABI_MEMBERS                                                                             \
    .magic = GR_PLUGIN_MAGIC, .major = GR_ABI_MAJOR, .minor = GR_ABI_MINOR,                        \
    .plugin_size = sizeof(struct gr_plugin), .route_size = sizeof(struct gr_route),                \
    .field_size = sizeof(struct gr_field), .forward_size = sizeof(struct gr_forward),              \
    .answer_size = sizeof(struct gr_answer), .option_size = sizeof(struct gr_option),              \
    .migration_size = sizeof(struct gr_migration), .metric_size = sizeof(struct gr_metric),        \
    .timer_size = sizeof(struct gr_timer), .command_size = sizeof(struct gr_command),              \
    .jansson_major = GR_JANSSON_MAJOR, .pointer_bits = (uint16_t)(sizeof(void *) * 8)
#define GR_ABI                                                                                     \
    {                                                                                              \
        GR_ABI_MEMBERS                                                                             \
    }

/* The ELF note of a plugin, in its section .note.greenroom. The host reads it without loading the
 * file, so that no code of a refused file ever runs. */
#define GR_NOTE_OWNER "Greenroom"
#define GR_NOTE_TYPE 1u
struct gr_note {
    uint32_t owner_size; /* these three and the owner are the begin of every ELF note */
    uint32_t desc_size;
    uint32_t type;
    char owner[12];
    struct gr_abi abi;
    char name[48];    /* the plugin's; this and the next end with a NUL */
    char version[32]; /* likewise */
};

/* GR_PLUGIN("rooms", .version = "1.0.0", .summary = …, .licence = …, .routes = routes): defines the
 * note and the one symbol a plugin exports. The version comes right after the name, since the note
 * holds both. */
#if defined(__GNUC__)
#define GR_EXPORT __attribute__((visibility("default")))
#else
#define GR_EXPORT
#endif
#define GR_PLUGIN(name_, version_, ...)                                                            \
    __attribute__((used, aligned(4),                                                               \
                   section(".note.greenroom"))) static const struct gr_note gr_plugin_note = {     \
        .owner_size = sizeof(GR_NOTE_OWNER),                                                       \
        .desc_size = sizeof(struct gr_note) - offsetof(struct gr_note, abi),                       \
        .type = GR_NOTE_TYPE,                                                                      \
        .owner = GR_NOTE_OWNER,                                                                    \
        .abi = GR_ABI,                                                                             \
        .name = name_,                                                                             \
        version_};                                                                                 \
    static const struct gr_plugin gr_plugin_descriptor = {                                         \
        .abi = GR_ABI, .name = (name_), version_, __VA_ARGS__};                                    \
    GR_EXPORT const struct gr_plugin *gr_plugin_entry(void);                                       \
    GR_EXPORT const struct gr_plugin *gr_plugin_entry(void)                                        \
    {                                                                                              \
        return &gr_plugin_descriptor;                                                              \
    }
typedef const struct gr_plugin *gr_plugin_entry_fn(void);

#ifdef __cplusplus
}
#endif

/* The services of the host. */
#include <greenroom/host.h>
