/* The functions of libpq that the import uses. It is loaded for the import alone, since it brings
 * 20 more libraries, which would cost every gateway with accounts memory and time at its start. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

/* X(name in libpq) */
#define RIG_PQ_FUNCTIONS(X)                                                                        \
    X(PQclear)                                                                                     \
    X(PQconnectdb)                                                                                 \
    X(PQconninfoFree)                                                                              \
    X(PQconninfoParse)                                                                             \
    X(PQerrorMessage)                                                                              \
    X(PQexec)                                                                                      \
    X(PQfinish)                                                                                    \
    X(PQgetisnull)                                                                                 \
    X(PQgetlength)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQntuples)                                                                                   \
    X(PQresultErrorMessage)                                                                        \
    X(PQresultStatus)                                                                              \
    X(PQstatus)

struct rig_pq {
#define RIG_PQ_MEMBER(name_) __typeof__(name_) *name_;
    RIG_PQ_FUNCTIONS(RIG_PQ_MEMBER)
#undef RIG_PQ_MEMBER
};

/* Loads libpq. Returns false after a message to standard error. */
bool rig_pq_load(struct rig_pq *ret);
