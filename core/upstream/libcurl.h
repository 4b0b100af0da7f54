/* The functions of libcurl, which is loaded when an upstream is first called. For core/upstream
 * only; base/library.h says why. */
#pragma once

#include "base/library.h"

#include <curl/curl.h>
#include <greenroom/plugin.h>

/* The functions that are used: X(name in libcurl, without "curl_"). */
#define GRC_CURL_FUNCTIONS(X)                                                                      \
    X(easy_cleanup)                                                                                \
    X(easy_getinfo)                                                                                \
    X(easy_init)                                                                                   \
    X(easy_recv)                                                                                   \
    X(easy_send)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(free)                                                                                        \
    X(global_init)                                                                                 \
    X(multi_add_handle)                                                                            \
    X(multi_assign)                                                                                \
    X(multi_cleanup)                                                                               \
    X(multi_info_read)                                                                             \
    X(multi_init)                                                                                  \
    X(multi_perform)                                                                               \
    X(multi_poll)                                                                                  \
    X(multi_remove_handle)                                                                         \
    X(multi_setopt)                                                                                \
    X(multi_socket_action)                                                                         \
    X(share_cleanup)                                                                               \
    X(share_init)                                                                                  \
    X(share_setopt)                                                                                \
    X(url)                                                                                         \
    X(url_cleanup)                                                                                 \
    X(url_get)                                                                                     \
    X(url_set)                                                                                     \
    X(version)                                                                                     \
    X(version_info)

struct grc_curl {
#define GRC_CURL_MEMBER(name_) __typeof__(curl_##name_) *name_;
    GRC_CURL_FUNCTIONS(GRC_CURL_MEMBER)
#undef GRC_CURL_MEMBER
};

/* Loads and initialises libcurl; later calls return at once. The work is done on a thread of its
 * own, because libraries may want more stack than a fiber has, while the callers wait. Returns
 * GR_ERR_UPSTREAM_CONNECT with a reason when it cannot be loaded, which the next call tries again;
 * another error when the wait ended early, with the reason "". Thread-safe. */
enum gr_err grc_curl_load(int64_t deadline_ms, char reason[GRC_LIBRARY_REASON]);
bool grc_curl_is_loaded(void);
/* Waits until no thread loads libcurl, so that the process may end. */
void grc_curl_settle(void);
/* The loaded functions; all NULL before grc_curl_load() has succeeded. */
const struct grc_curl *grc_curl(void);

/*
 * Sets an option of an easy or a multi handle. curl.h checks the type of the value only in calls of
 * its own names, so the build fails here when the value is no number of the right size although the
 * option takes one (or the other way round). The number of an option tells what it takes.
 */
#define GRC_CURL_IS_NUMBER(option_)                                                                \
    ((option_) / 10000 == CURLOPTTYPE_LONG / 10000 ||                                              \
     (option_) / 10000 == CURLOPTTYPE_OFF_T / 10000)
#define GRC_CURL_FITS(option_, value_)                                                             \
    _Generic((value_), long                                                                        \
             : GRC_CURL_IS_NUMBER(option_), long long                                              \
             : GRC_CURL_IS_NUMBER(option_), default                                                \
             : !GRC_CURL_IS_NUMBER(option_))
#define grc_easy_setopt(easy_, option_, value_)                                                    \
    ((void)sizeof(char[GRC_CURL_FITS(option_, value_) ? 1 : -1]),                                  \
     grc_curl()->easy_setopt(easy_, option_, value_))
#define grc_multi_setopt(multi_, option_, value_)                                                  \
    ((void)sizeof(char[GRC_CURL_FITS(option_, value_) ? 1 : -1]),                                  \
     grc_curl()->multi_setopt(multi_, option_, value_))
