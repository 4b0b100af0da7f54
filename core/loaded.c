/*
 * Refers to all functions of the libraries that the program loads when it needs them, and is linked
 * with these libraries. So the build fails when one of them lacks a function, and dpkg-shlibdeps
 * finds the packages that greenroom needs. It is not installed and never runs.
 */
#include "store/libpq.h"
#include "upstream/libcurl.h"

#define CURL_FUNCTION(name_) (void (*)(void)) curl_##name_,
#define PQ_FUNCTION(name_) (void (*)(void)) name_,

extern void (*const gr_loaded[])(void);
__attribute__((visibility("default"))) void (*const gr_loaded[])(void) = {
    GRC_CURL_FUNCTIONS(CURL_FUNCTION) GRC_PQ_FUNCTIONS(PQ_FUNCTION)};
