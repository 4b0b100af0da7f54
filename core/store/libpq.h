/* The functions of libpq, which is loaded when a store in PostgreSQL is opened. For core/store
 * only; base/library.h says why. */
#pragma once

#include "base/library.h"

#include <libpq-fe.h>

/* The functions that are used: X(name in libpq). */
#define GRC_PQ_FUNCTIONS(X)                                                                        \
    X(PQclear)                                                                                     \
    X(PQcmdStatus)                                                                                 \
    X(PQcmdTuples)                                                                                 \
    X(PQconnectdbParams)                                                                           \
    X(PQconninfoFree)                                                                              \
    X(PQconninfoParse)                                                                             \
    X(PQconsumeInput)                                                                              \
    X(PQerrorMessage)                                                                              \
    X(PQfinish)                                                                                    \
    X(PQflush)                                                                                     \
    X(PQfreemem)                                                                                   \
    X(PQftype)                                                                                     \
    X(PQgetResult)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQgetlength)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQisBusy)                                                                                    \
    X(PQnfields)                                                                                   \
    X(PQntuples)                                                                                   \
    X(PQresultErrorField)                                                                          \
    X(PQresultStatus)                                                                              \
    X(PQsendPrepare)                                                                               \
    X(PQsendQuery)                                                                                 \
    X(PQsendQueryPrepared)                                                                         \
    X(PQsetNoticeReceiver)                                                                         \
    X(PQsetnonblocking)                                                                            \
    X(PQsocket)                                                                                    \
    X(PQstatus)                                                                                    \
    X(PQtransactionStatus)

struct grc_pq {
#define GRC_PQ_MEMBER(name_) __typeof__(name_) *name_;
    GRC_PQ_FUNCTIONS(GRC_PQ_MEMBER)
#undef GRC_PQ_MEMBER
};

/* Loads libpq; later calls return at once. Returns false with a reason. Thread-safe. */
bool grc_pq_load(char reason[GRC_LIBRARY_REASON]);
/* The loaded functions. Called after grc_pq_load() has succeeded. */
const struct grc_pq *grc_pq(void);
