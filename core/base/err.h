/* Facts about enum gr_err, from the one list in the public header. */
#pragma once

#include <greenroom/plugin.h>

/* The HTTP status an error is answered with by default. */
int grc_err_status(enum gr_err err);
/* The stable name of an error for programs. */
const char *grc_err_slug(enum gr_err err);
/* A short sentence about an error for people. */
const char *grc_err_doc(enum gr_err err);
/* The reason phrase of an HTTP status ("Not Found"); "Unknown" when there is none. */
const char *grc_status_reason(int status);
