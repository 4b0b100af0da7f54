/* Looks whether the libraries this process runs with have known holes that it is exposed to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One advisory. Versions are those of the library itself, first affected to first fixed. */
struct grc_advisory {
    const char *library;
    const char *(*version)(char *buffer, size_t size); /* NULL: the library does not tell */
    const char *from;                                  /* NULL: since ever */
    const char *fixed;
    const char *package;       /* Debian's, which mends holes without a new version; NULL: none */
    const char *package_fixed; /* NULL: the package follows the library's versions */
    const char *id;
    bool exposed;
    const char *why; /* what it comes to here, or why it does not concern this program */
};
/* Ends with a row without library. */
extern const struct grc_advisory grc_advisories[];

/* Warns of every advisory that concerns this process; says the others at level debug. Reads dpkg's
 * list of packages where there is one. Returns how many concern it. */
size_t grc_advisories_report(void);

/* < 0, 0, > 0 as dpkg orders two versions (deb-version(7)). */
int grc_debian_version_compare(const char *a, const char *b);
/* True when an advisory holds for these versions; NULL: not known. package is dpkg's version. */
bool grc_advisory_holds(const struct grc_advisory *advisory, const char *version,
                        const char *package);
/* The version of an installed package in the text of dpkg's status file, in buffer; NULL: none. */
const char *grc_package_version(const char *status, const char *package, char *buffer, size_t size);
