/*
 * The settings of the server, parsed from DIR/greenroom.json and DIR/plugins.d/NAME.json.
 *
 * Every key is a row of a table, in the source that is named after the object that holds it
 * (settings_server.c, settings_upstreams.c, settings_plugin_file.c). Parsing, defaults, messages,
 * the JSON schema for editors and the reference in etc/README.md follow from the rows. Settings do
 * not change after they were loaded. Strings live as long as the settings. Freeing them wipes
 * secrets.
 */
#pragma once

#include "base/network.h"

#include <jansson.h>

#define GRC_LISTEN_MAX 16

struct grc_listen {
    const char *address; /* "127.0.0.1", "0.0.0.0", "[::1]" as CivetWeb spells it */
    unsigned port;       /* 0: the system chooses it, and the log shows it */
    bool tls;
    bool proxy_protocol; /* connections begin with its header, version 1 or 2 */
    bool loopback;
};

/* Settings of HTTPS listeners. certificate is NULL when there is none. */
enum grc_client_certificate {
    GRC_CLIENT_CERTIFICATE_NONE = 1,
    GRC_CLIENT_CERTIFICATE_OPTIONAL,
    GRC_CLIENT_CERTIFICATE_REQUIRED,
};
enum grc_tls_version { GRC_TLS_1_2 = 1, GRC_TLS_1_3 };
struct grc_tls_settings {
    const char *dir;         /* of the config, for messages */
    const char *certificate; /* PEM, with the chain */
    const char *key;         /* PEM; NULL: in the same file */
    const char *client_ca;   /* PEM; NULL: no client certificates */
    enum grc_client_certificate client_certificate;
    int64_t hsts_ms; /* 0: no Strict-Transport-Security header */
    enum grc_tls_version min_version;
    const char *ciphers; /* of TLS 1.2, by their OpenSSL names; NULL: the built-in list */
};

/* The proxies that are trusted to name the client of a request in a header. */
struct grc_proxies {
    struct grc_network *networks;
    size_t count;
    const char *const *texts; /* the networks as in the config */
    bool forwarded;           /* the header is Forwarded (RFC 7239), else X-Forwarded-For */
};

struct grc_cors {
    const char *const *origins; /* empty: CORS off; "*": any */
    const char *const *headers;
    const char *const *expose;
    bool credentials;
    int64_t max_age_ms;
};

/* A credential of an upstream. */
enum grc_credential_kind { GRC_CREDENTIAL_NONE = 0, GRC_CREDENTIAL_100MS, GRC_CREDENTIAL_BEARER };
struct grc_credential {
    const char *name;
    enum grc_credential_kind kind;
    const char *access_key;       /* 100ms */
    const char *secret;           /* 100ms: app secret; bearer: the token */
    int64_t lifetime_ms;          /* 100ms: of management tokens */
    int64_t join_lifetime_max_ms; /* 100ms: cap of app (join) tokens */
};

struct grc_breaker_settings {
    bool enabled;
    int64_t min_calls;
    int64_t error_percent;
    int64_t open_ms;
};

struct grc_upstream_settings {
    const char *name;
    const char *url;        /* no trailing slash */
    const char *credential; /* NULL: none */
    int64_t connect_timeout_ms;
    int64_t timeout_ms;
    int64_t retries;         /* of calls that are safe to repeat */
    int64_t connections_max; /* calls in flight; 0: any number */
    int64_t idle_timeout_ms; /* of unused connections; should be below the upstream's own */
    int64_t answer_max_bytes;
    const char *ca_file; /* NULL: the system's */
    bool verify;         /* whether to check its certificate; false is logged as a warning */
    const char *proxy;   /* NULL: none */
    struct grc_breaker_settings breaker;
    int64_t retry_percent; /* most retries for every hundred calls */
    int64_t requests_max;  /* requests that wait for it at a time; 0: grc_requests_share() */
    bool curl_transport;   /* transport = "curl" */
    bool http2;            /* multiplex calls over few connections; the URL is https */
    bool single_flight;    /* identical GETs at the same time share one call */
};

/* How long the answers of a route are kept. */
struct grc_cache_settings {
    int64_t ttl_ms;            /* served again; 0: not kept */
    int64_t stale_if_error_ms; /* after that, while the upstream fails (RFC 5861, section 4) */
    int64_t stale_while_revalidate_ms; /* after that, while one call fetches it (section 3) */
};

/* What an operator changes about one route; see core/plugin/override.h. */
struct grc_route_settings {
    const char *id;
    bool enabled;
    const char *upstream; /* for this and the next two, NULL leaves what the plugin has */
    const char *path;
    const char *scope;
    bool whole_answer;  /* "select": null */
    int64_t timeout_ms; /* 0: as the upstream has it */
    struct grc_cache_settings cache;
};

/* The process of an isolated group. */
struct grc_process_settings {
    int64_t threads;          /* calls at a time */
    int64_t call_timeout_ms;  /* of calls whose route has none */
    int64_t memory_max_bytes; /* 0: any */
    int64_t descriptors_max;
    int64_t cpu_max_ms; /* CPU time in a minute; 0: any */
};

/* Idempotency-Keys of a group. */
struct grc_idempotency_settings {
    int64_t keep_ms; /* 0: off */
    int64_t answer_max_bytes;
    int64_t records_max;
};

/* One plugins.d file. */
struct grc_plugin_settings {
    const char *file;    /* for messages */
    const char *name;    /* file name without .json */
    const char *library; /* "rooms.so", under plugins.directory; or absolute */
    bool enabled;
    const char *prefix;   /* "" or "/v1" */
    const json_t *config; /* as in the file; grc_options_parse() expands and parses it */
    struct grc_route_settings *routes;
    size_t route_count;
    struct grc_idempotency_settings idempotency;
    int64_t calls_max; /* requests of the group at a time; 0: see grc_requests_share() */
    bool isolated;     /* its functions run in a process of their own; false in that process */
    struct grc_process_settings process;
    int library_fd; /* the sealed bytes of library, as they were handed over; 0: read the file */
};

/* A key in the "keys" of a JWT provider. Exactly one of file and secret is set. */
struct grc_auth_key_settings {
    const char *kid; /* NULL: for tokens without kid */
    const char *alg;
    const char *file;   /* PEM or DER */
    const char *secret; /* HS* */
};

/* The scopes that one value of a token's scope claim stands for. */
struct grc_auth_scopes {
    const char *value;
    const char *const *scopes;
};

struct grc_jwt_settings {
    const char *name;
    const char *issuer;   /* NULL: any */
    const char *audience; /* NULL: any */
    int64_t leeway_ms;
    bool need_exp;
    struct grc_auth_key_settings *keys;
    size_t key_count;
    const char *jwks_file; /* at most one of these two */
    const char *jwks_url;
    const char *jwks_ca_file;
    int64_t jwks_refresh_ms;
    const char *scope_claim;
    struct grc_auth_scopes *scopes; /* when empty, the claim's values are scopes themselves */
    size_t scope_count;
    const char *rooms_claim; /* NULL: tokens do not bind callers to rooms */
    const char *roles_claim;
    const char *subject_claim;
};

/* Who may call. When all of it is off, every client that reaches the listener may call. */
struct grc_auth_settings {
    const char *keys_file; /* NULL: no API keys */
    bool keys_in_store;    /* the keys are in the store, and the file is only moved from */
    bool keys_known;       /* while the store does not answer, keys that were read are taken */
    struct grc_jwt_settings *jwt;
    size_t jwt_count;
    const char *const *none_scopes; /* NULL: every client needs a credential */
    int64_t throttle_failures;
    int64_t throttle_window_ms;
};

/* A token bucket that holds `burst` tokens and is refilled at `per_s`. */
struct grc_rate {
    double per_s; /* 0: no limit */
    int64_t burst;
};

struct grc_rate_settings {
    const char *name; /* a scope or an operation id; NULL for caller and address */
    struct grc_rate rate;
    int64_t burst;      /* 0: the number in the rate */
    int64_t concurrent; /* 0: no limit */
};

/* A Redis or Valkey server. */
struct grc_redis_settings {
    const char *url;     /* base/redis_url.h; NULL: none */
    const char *ca_file; /* for TLS; NULL: the system's */
    int64_t timeout_ms;  /* of an answer */
};

/* The server in which several gateways count together; without a URL each counts alone. */
struct grc_shared_settings {
    struct grc_redis_settings server;
    bool closed; /* while it is away, requests with a limit are refused */
};

/* The server in which several gateways keep answers together; without a URL each keeps its own. */
struct grc_cache_shared_settings {
    struct grc_redis_settings server;
    const char *secret; /* answers are encrypted with keys that are made from it */
    int64_t recheck_ms; /* how long a gateway's own copy is served without asking the server */
    int64_t lease_ms;   /* how long others wait for a gateway that asks the upstream */
    int64_t answer_max_bytes;
};

/* The cache of answers. */
struct grc_gateway_cache_settings {
    int64_t max_bytes; /* of answers kept for routes with "cache"; 0: none */
    struct grc_cache_shared_settings shared;
};

struct grc_limits_settings {
    struct grc_rate_settings caller;
    struct grc_rate_settings address;
    struct grc_rate_settings *scopes;
    size_t scope_count;
    struct grc_rate_settings *routes;
    size_t route_count;
    int64_t in_flight; /* 0: no limit */
    struct grc_shared_settings shared;
};

/* The rules of `greenroom audit`: id, severity, and what a finding means. */
#define GRC_AUDIT_LIST(X)                                                                          \
    X(OPEN_REMOTE, "open-remote", HIGH,                                                            \
      "Other machines can reach a listener, and no provider under \"auth\" authenticates callers") \
    X(ANY_CALLER, "any-caller", HIGH,                                                              \
      "Clients on other machines need no credential and have the scope \"*\"")                     \
    X(ADMIN_REMOTE, "admin-remote", MEDIUM,                                                        \
      "Other machines can read health and metrics without a credential")                           \
    X(PLAIN_REMOTE, "plain-remote", MEDIUM,                                                        \
      "Other machines reach a listener without TLS, so that credentials can be read in transit")   \
    X(PROXY_ANY, "proxy-any", HIGH,                                                                \
      "Every address is a trusted proxy, so that clients can forge their address")                 \
    X(CORS_ANY, "cors-any", MEDIUM,                                                                \
      "Pages of every origin may call a gateway that needs no credential")                         \
    X(CORS_CREDENTIALS, "cors-credentials", MEDIUM,                                                \
      "Pages of an origin without TLS may call with the credentials of their visitors")            \
    X(SECRET_READABLE, "secret-readable", HIGH,                                                    \
      "Every user of the machine can read a file with a secret")                                   \
    X(SECRET_SHORT, "secret-short", MEDIUM,                                                        \
      "A secret that signs with HS256 has fewer than 32 bytes (RFC 7518, section 3.2)")            \
    X(UPSTREAM_PLAIN, "upstream-plain", MEDIUM,                                                    \
      "An upstream on another machine is called without TLS")                                      \
    X(UPSTREAM_UNVERIFIED, "upstream-unverified", HIGH,                                            \
      "The certificate of an upstream is not checked, so that other machines can impersonate it")  \
    X(REDIS_OPEN, "redis-open", HIGH,                                                              \
      "A Redis server on another machine is used without a password, so that other programs can "  \
      "change the counts and answers in it")                                                       \
    X(WRITABLE, "writable", HIGH,                                                                  \
      "Users other than the owner can change the config or the code that is loaded")               \
    X(TOKENS_UNLIMITED, "tokens-unlimited", MEDIUM, "A route that makes tokens has no rate limit") \
    X(STAYS_ROOT, "stays-root", HIGH,                                                              \
      "A gateway that root starts keeps running as root, since server.user is not set")            \
    X(CORE_DUMPS, "core-dumps", LOW, "Core dumps and debuggers may see secrets")                   \
    X(LOG_DEBUG, "log-debug", LOW, "The log has more details than operation needs")

enum grc_severity { GRC_SEVERITY_LOW = 1, GRC_SEVERITY_MEDIUM, GRC_SEVERITY_HIGH };
enum grc_audit_rule {
#define GRC_AUDIT_ENUM(name, id, severity, doc) GRC_AUDIT_##name,
    GRC_AUDIT_LIST(GRC_AUDIT_ENUM)
#undef GRC_AUDIT_ENUM
        GRC_AUDIT_COUNT
};

/* The pages about the API: /docs and /openapi.json. */
struct grc_docs_settings {
    bool is_public;  /* served by the listeners of the API too */
    const char *url; /* what clients put before paths; NULL: the first listener's */
};

/* Spans for a collector. */
struct grc_trace_settings {
    const char *url; /* NULL: off */
    double ratio;
    bool ignores_parent;      /* sampler = "traceidratio" */
    const char *service_name; /* "" or NULL: what resource says, or "greenroom" */
    const char *resource;     /* for this and the next, see base/pairs.h; "" or NULL: none */
    const char *headers;
    const char *ca_file;
    int64_t queue_max; /* spans */
    int64_t batch_max; /* spans */
    int64_t delay_ms;
    int64_t timeout_ms;
};

struct grc_settings {
    const char *dir; /* the config directory, as given with -c */
    /* server */
    struct grc_listen listen[GRC_LISTEN_MAX];
    size_t listen_count;
    struct grc_listen admin; /* port 0 and address NULL: no admin listener */
    bool admin_remote;       /* admin.allow_unauthenticated_remote */
    int64_t workers;
    int64_t requests_max;      /* in progress at a time, those that wait included */
    int64_t connections_max;   /* 0: as many as there are descriptors for */
    int64_t waiting_bytes_max; /* of bodies whose rest has not come yet */
    int64_t admin_workers;
    int64_t body_max_bytes;
    int64_t body_timeout_ms;
    int64_t header_timeout_ms;
    int64_t keep_alive_timeout_ms;
    int64_t header_max_bytes;
    int64_t uri_max_bytes;
    int64_t call_memory_max_bytes;
    int64_t drain_delay_ms;
    int64_t drain_timeout_ms;
    bool allow_unauthenticated_remote;
    const char *const *hosts; /* names in Host that are served without credentials; may be NULL */
    bool access_log;
    bool server_timing;
    bool trace_generates; /* server.trace = "generate" */
    struct grc_cors cors;
    struct grc_proxies proxies;
    struct grc_tls_settings tls;
    const char *user;  /* to become when everything that needs root is done; NULL: none */
    const char *group; /* NULL: the user's own */
    bool core_dumps;
    bool civetweb_any; /* no warning about an untested version of CivetWeb */
    /* upstreams and credentials */
    struct grc_credential *credentials;
    size_t credential_count;
    struct grc_upstream_settings *upstreams;
    size_t upstream_count;
    /* plugins */
    const char *plugin_dir;
    bool plugin_error_skips; /* plugins.on_error = "skip" */
    struct grc_plugin_settings *plugins;
    size_t plugin_count;
    /* other */
    const char *store; /* "sqlite:PATH" or "postgres://…"; NULL: none */
    const char *state_dir;
    enum gr_log_level log_level;
    bool log_plain;
    const char *log_file;              /* NULL: standard error */
    const char *log_journal;           /* "auto", "off" or a path */
    int64_t log_buffer_bytes;          /* 0: no queue */
    const char *const *audit_accepted; /* ids of rules whose findings the operator accepts */
    struct grc_auth_settings auth;
    struct grc_limits_settings limits;
    struct grc_gateway_cache_settings cache;
    struct grc_docs_settings docs;
    struct grc_trace_settings traces;
    struct grc_handover *handover; /* what was read: config/handover.h */
    json_t *root;                  /* owns the expanded text of everything above */
    struct grc_settings_own *own;  /* private to settings.c */
};

/*
 * Reads and checks a config directory. When anything is wrong, it calls report(arg, line) with each
 * problem ("etc/greenroom.json: server.workers: expected …, found …") and returns NULL.
 */
typedef void grc_report_fn(void *arg, const char *line);
struct grc_settings *grc_settings_load(const char *dir, grc_report_fn *report, void *arg);
/* Reads as much as it can, whatever is wrong. Only dir and state_dir are certain to be set. NULL
 * without memory. */
struct grc_settings *grc_settings_peek(const char *dir);
/* The default limit of the requests of one group, or of those that wait for one upstream: three
 * quarters of all requests, so that a slow group or upstream leaves room for the others. */
static inline int64_t grc_requests_share(int64_t requests)
{
    return requests < 4 ? requests : requests * 3 / 4;
}
/* True when a list of the settings (NULL: empty) holds the text. */
static inline bool grc_list_has(const char *const *list, gr_str text)
{
    for (; list && *list; list++) {
        if (gr_str_eq(gr_str_of(*list), text))
            return true;
    }
    return false;
}
/* NULL is fine. Wipes secrets. */
void grc_settings_free(struct grc_settings *settings);
const struct grc_upstream_settings *grc_settings_upstream(const struct grc_settings *settings,
                                                          const char *name);
const struct grc_credential *grc_settings_credential(const struct grc_settings *settings,
                                                     const char *name);
/* Parses one object as under "upstreams", for gr_upstream_define(). Messages start with `where`.
 * The caller releases the settings with grc_upstream_settings_free(). */
struct grc_upstream_settings *grc_upstream_settings_parse(const char *where, const char *name,
                                                          const json_t *object,
                                                          grc_report_fn *report, void *arg);
void grc_upstream_settings_free(struct grc_upstream_settings *settings);
/* The JSON schema (draft 2020-12) of greenroom.json. New reference. */
json_t *grc_settings_schema(void);
/* The JSON schema of a plugins.d file. New reference. */
json_t *grc_plugin_file_schema(void);
/* Markdown tables of both files' keys. */
struct grc_buf;
enum gr_err grc_settings_markdown(struct grc_buf *buf);
