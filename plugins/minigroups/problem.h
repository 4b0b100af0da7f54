/* The group's error format: {"type", "title", "status", "detail"}. */
#pragma once

#include <greenroom/plugin.h>

/* type, status, title */
#define MG_PROBLEM_LIST(X)                                                                         \
    X(MG_NO_TOKEN, "no_authentication_token", 401, "No authentication token")                      \
    X(MG_BAD_TOKEN, "invalid_authentication", 401, "Invalid authentication")                       \
    X(MG_ACCESS_DENIED, "access_denied", 403, "Access denied")                                     \
    X(MG_AUTHZ_FAILED, "authorization_failed", 422, "Authorization failed")                        \
    X(MG_BAD_PARAMETER, "invalid_parameter", 400, "Invalid parameter")                             \
    X(MG_BAD_PAYLOAD, "invalid_payload", 400, "Invalid payload")                                   \
    X(MG_BAD_QUERY, "invalid_query_string", 400, "Invalid query string")                           \
    X(MG_TOO_LARGE, "payload_too_large", 413, "Payload too large")                                 \
    X(MG_NO_CLASS, "class_not_found", 404, "Class not found")                                      \
    X(MG_NO_CLASS_PROPERTY, "class_property_not_found", 404, "Class property not found")           \
    X(MG_NO_RECORDING, "recording_not_found", 404, "Recording not found")                          \
    X(MG_NO_ACCOUNT, "account_not_found", 404, "Account not found")                                \
    X(MG_NO_ACCOUNT_PROPERTY, "account_property_not_found", 404, "Account property not found")     \
    X(MG_NO_PATH, "not_found", 404, "Not found")                                                   \
    X(MG_BAD_METHOD, "method_not_allowed", 405, "Method not allowed")                              \
    X(MG_ESTABLISHED, "class_already_established", 422, "Class already established")               \
    X(MG_NO_WHITEBOARD, "creation_whiteboard_failed", 422, "Creation whiteboard failed")           \
    X(MG_UPSTREAM_FAILED, "mqtt_request_failed", 500, "Upstream request failed")                   \
    X(MG_EVENT_UNREACHABLE, "event_service_unreachable", 502, "Event service unreachable")         \
    X(MG_NO_DATABASE, "database_connection_acquisition_failed", 422,                               \
      "Database connection acquisition failed")                                                    \
    X(MG_BAD_DATABASE, "database_query_failed", 422, "Database query failed")                      \
    X(MG_INTERNAL, "internal_failure", 500, "Internal failure")                                    \
    X(MG_CLOSING_FAILED, "class_closing_failed", 422, "Class closing failed")                      \
    X(MG_TRANSCODING_FAILED, "transcoding_flow_failed", 422, "Transcoding flow failed")            \
    X(MG_EDITION_FAILED, "edition_flow_failed", 422, "Edition flow failed")                        \
    X(MG_OTHER_AUDIENCE, "audience_does_not_match", 422, "Audience does not match")

enum mg_problem {
#define MG_PROBLEM_ENUM(name, type, status, title) name,
    MG_PROBLEM_LIST(MG_PROBLEM_ENUM)
#undef MG_PROBLEM_ENUM
        MG_PROBLEM_COUNT
};

/* Fails the call with a problem of the group. detail is for the client; "" leaves it out. */
enum gr_err mg_fail(struct gr_call *call, enum mg_problem problem, const char *detail);
/* Fails the call for a store or memory error; passes an error on whose cause was noted already. */
enum gr_err mg_fail_store(struct gr_call *call, enum gr_err err);
gr_render_error_fn mg_render_error;
