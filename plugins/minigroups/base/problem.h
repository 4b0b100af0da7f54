/* The error format of the group: {"type", "title", "status", "detail"}. */
#pragma once

#include <greenroom/plugin.h>

/* type, status, title */
#define MINI_PROBLEM_LIST(X)                                                                       \
    X(MINI_NO_TOKEN, "no_authentication_token", 401, "No authentication token")                    \
    X(MINI_BAD_TOKEN, "invalid_authentication", 401, "Invalid authentication")                     \
    X(MINI_ACCESS_DENIED, "access_denied", 403, "Access denied")                                   \
    X(MINI_AUTHZ_FAILED, "authorization_failed", 422, "Authorization failed")                      \
    X(MINI_BAD_PARAMETER, "invalid_parameter", 400, "Invalid parameter")                           \
    X(MINI_BAD_PAYLOAD, "invalid_payload", 400, "Invalid payload")                                 \
    X(MINI_BAD_QUERY, "invalid_query_string", 400, "Invalid query string")                         \
    X(MINI_TOO_LARGE, "payload_too_large", 413, "Payload too large")                               \
    X(MINI_NO_CLASS, "class_not_found", 404, "Class not found")                                    \
    X(MINI_NO_CLASS_PROPERTY, "class_property_not_found", 404, "Class property not found")         \
    X(MINI_NO_RECORDING, "recording_not_found", 404, "Recording not found")                        \
    X(MINI_NO_ACCOUNT, "account_not_found", 404, "Account not found")                              \
    X(MINI_NO_ACCOUNT_PROPERTY, "account_property_not_found", 404, "Account property not found")   \
    X(MINI_NO_PATH, "not_found", 404, "Not found")                                                 \
    X(MINI_BAD_METHOD, "method_not_allowed", 405, "Method not allowed")                            \
    X(MINI_ESTABLISHED, "class_already_established", 422, "Class already established")             \
    X(MINI_NO_WHITEBOARD, "creation_whiteboard_failed", 422, "Creation whiteboard failed")         \
    X(MINI_UPSTREAM_FAILED, "mqtt_request_failed", 500, "Upstream request failed")                 \
    X(MINI_EVENT_UNREACHABLE, "event_service_unreachable", 502, "Event service unreachable")       \
    X(MINI_NO_DATABASE, "database_connection_acquisition_failed", 422,                             \
      "Database connection acquisition failed")                                                    \
    X(MINI_BAD_DATABASE, "database_query_failed", 422, "Database query failed")                    \
    X(MINI_INTERNAL, "internal_failure", 500, "Internal failure")                                  \
    X(MINI_CLOSING_FAILED, "class_closing_failed", 422, "Class closing failed")                    \
    X(MINI_TRANSCODING_FAILED, "transcoding_flow_failed", 422, "Transcoding flow failed")          \
    X(MINI_EDITION_FAILED, "edition_flow_failed", 422, "Edition flow failed")                      \
    X(MINI_OTHER_AUDIENCE, "audience_does_not_match", 422, "Audience does not match")

enum mini_problem {
#define MINI_PROBLEM_ENUM(name, type, status, title) name,
    MINI_PROBLEM_LIST(MINI_PROBLEM_ENUM)
#undef MINI_PROBLEM_ENUM
        MINI_PROBLEM_COUNT
};

/* Fails the call with a problem of the group. detail is a text for the client; "": none. */
enum gr_err mini_fail(struct gr_call *call, enum mini_problem problem, const char *detail);
/* Fails the call for an error of the store. Other errors, which have failed the call already, and
 * GR_OK are returned unchanged. */
enum gr_err mini_fail_store(struct gr_call *call, enum gr_err err);
gr_render_error_fn mini_render_error;
/* The schema of the body that it renders. */
extern const struct gr_field mini_error_body[1];
