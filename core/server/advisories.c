#define PCRE2_CODE_UNIT_WIDTH 8

#include "server/advisories.h"

#include "base/file.h"
#include "base/log.h"
#include "upstream/upstream.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <pcre2.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_FILE "/var/lib/dpkg/status"
#define STATUS_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* --- what runs --- */

static const char *curl_runs(char *buffer, size_t size)
{
    (void)buffer;
    (void)size;
    return grc_upstreams_library_version();
}

static const char *openssl_runs(char *buffer, size_t size)
{
    snprintf(buffer, size, "%u.%u.%u", OPENSSL_version_major(), OPENSSL_version_minor(),
             OPENSSL_version_patch());
    return buffer;
}

static const char *pcre2_runs(char *buffer, size_t size)
{
    char text[64] = "";

    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) >= (int)sizeof(text) ||
        pcre2_config(PCRE2_CONFIG_VERSION, text) < 0)
        return NULL;
    snprintf(buffer, size, "%.*s", (int)strcspn(text, " "), text); /* "10.42 2022-12-11" */
    return buffer;
}

static const char *sqlite_runs(char *buffer, size_t size)
{
    (void)buffer;
    (void)size;
    return sqlite3_libversion();
}

static const char *libpq_runs(char *buffer, size_t size)
{
    int version = PQlibVersion(); /* 150020 is 15.20 */

    snprintf(buffer, size, "%d.%d", version / 10000, version % 10000);
    return buffer;
}

const struct grc_advisory grc_advisories[] = {
    {"OpenSSL", openssl_runs, "3.0.0", "3.0.7", "libssl3", NULL, "CVE-2022-3602, CVE-2022-3786",
     true, "a certificate of an upstream or of a client can overflow a buffer while it is checked"},
    {"libjwt", NULL, NULL, "1.12.0", "libjwt0", "1.10.2-1+deb12u1", "CVE-2024-25189", true,
     "the time that a wrong signature takes tells how much of it was right"},
    {"PCRE2", pcre2_runs, "10.20", "10.40", "libpcre2-8-0", NULL, "CVE-2022-1586, CVE-2022-1587",
     true, "patterns that check requests can read beyond their memory"},
    {"libcurl", curl_runs, "7.69.0", "8.4.0", "libcurl4", "7.88.1-10+deb12u4", "CVE-2023-38545",
     false, "SOCKS proxies cannot be configured"},
    {"libcurl", curl_runs, "7.44.0", "8.7.0", "libcurl4", "7.88.1-10+deb12u6", "CVE-2024-2398",
     false, "pushed answers of HTTP/2 are never asked for"},
    {"libcurl", curl_runs, "6.5", "8.11.1", "libcurl4", "7.88.1-10+deb12u10", "CVE-2024-11053",
     false, "redirects are not followed and .netrc is not read"},
    {"SQLite", sqlite_runs, NULL, "3.50.2", "libsqlite3-0", NULL, "CVE-2025-6965", false,
     "statements are part of the program or of a plugin, never of a request"},
    {"libpq", libpq_runs, NULL, "15.11", "libpq5", NULL, "CVE-2025-1094", false,
     "values go as parameters, and nothing is quoted into a statement"},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL},
};

/* --- versions --- */

/* The end of the string is less than a letter, a tilde is less than the end. */
static int order(char c)
{
    if (c == '~')
        return -1;
    if (isdigit((unsigned char)c) || c == '\0')
        return 0;
    return isalpha((unsigned char)c) ? (unsigned char)c : (unsigned char)c + 256;
}

static int compare_digits(const char **a, const char **b)
{
    int first = 0;

    while (**a == '0')
        (*a)++;
    while (**b == '0')
        (*b)++;
    while (isdigit((unsigned char)**a) && isdigit((unsigned char)**b)) {
        if (first == 0)
            first = **a - **b;
        (*a)++;
        (*b)++;
    }
    if (isdigit((unsigned char)**a))
        return 1;
    return isdigit((unsigned char)**b) ? -1 : first;
}

static int compare_part(const char *a, const char *b)
{
    while (*a || *b) {
        while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
            int difference = order(*a) - order(*b);

            if (difference != 0)
                return difference;
            a += *a != '\0';
            b += *b != '\0';
        }
        int difference = compare_digits(&a, &b);
        if (difference != 0)
            return difference;
    }
    return 0;
}

/* Splits "EPOCH:UPSTREAM-REVISION" into copies; false when it is too long to be a version. */
static bool split(const char *text, char ret_upstream[96], char ret_revision[96], long *ret_epoch)
{
    const char *colon = strchr(text, ':');
    const char *rest = colon ? colon + 1 : text;
    const char *dash = strrchr(rest, '-');
    size_t len = dash ? (size_t)(dash - rest) : strlen(rest);

    *ret_epoch = colon ? strtol(text, NULL, 10) : 0;
    if (len >= 96 || (dash && strlen(dash) >= 96))
        return false;
    memcpy(ret_upstream, rest, len);
    ret_upstream[len] = '\0';
    snprintf(ret_revision, 96, "%s", dash ? dash + 1 : "");
    return true;
}

int grc_debian_version_compare(const char *a, const char *b)
{
    char upstream[2][96];
    char revision[2][96];
    long epoch[2];

    if (!split(a, upstream[0], revision[0], &epoch[0]) ||
        !split(b, upstream[1], revision[1], &epoch[1]))
        return strcmp(a, b);
    if (epoch[0] != epoch[1])
        return epoch[0] < epoch[1] ? -1 : 1;
    int difference = compare_part(upstream[0], upstream[1]);
    return difference ? difference : compare_part(revision[0], revision[1]);
}

bool grc_advisory_holds(const struct grc_advisory *advisory, const char *version,
                        const char *package)
{
    /* Of a package, its own first mended version is what counts. */
    if (package && advisory->package_fixed &&
        grc_debian_version_compare(package, advisory->package_fixed) >= 0)
        return false;
    if (!version && !package)
        return false; /* nothing is known, so nothing is said */
    const char *found = version ? version : package;
    if (advisory->from && grc_debian_version_compare(found, advisory->from) < 0)
        return false;
    return grc_debian_version_compare(found, advisory->fixed) < 0;
}

/* --- packages --- */

/* The stanza "Package: NAME" up to the empty line. */
const char *grc_package_version(const char *status, const char *package, char *buffer, size_t size)
{
    size_t len = strlen(package);
    const char *at = status;

    while ((at = strstr(at, "Package: ")) != NULL) {
        const char *name = at + strlen("Package: ");
        const char *end = strstr(name, "\n\n");

        if ((at == status || at[-1] == '\n') && strncmp(name, package, len) == 0 &&
            name[len] == '\n') {
            const char *version = strstr(name, "\nVersion: ");
            const char *installed = strstr(name, "\nStatus: install ok installed");

            if (version && installed && (!end || (version < end && installed < end))) {
                version += strlen("\nVersion: ");
                snprintf(buffer, size, "%.*s", (int)strcspn(version, "\n"), version);
                return buffer;
            }
        }
        at = name;
    }
    return NULL;
}

size_t grc_advisories_report(void)
{
    const char *reason = NULL;
    size_t len = 0;
    char *status = grc_file_read(STATUS_FILE, STATUS_MAX_BYTES, &len, &reason);
    size_t concern = 0;

    for (const struct grc_advisory *row = grc_advisories; row->library; row++) {
        char buffers[2][64];
        const char *version = row->version ? row->version(buffers[0], sizeof(buffers[0])) : NULL;
        const char *package =
            status && row->package
                ? grc_package_version(status, row->package, buffers[1], sizeof(buffers[1]))
                : NULL;
        const char *shown = package ? package : version;

        if (!shown)
            grc_debug("%s: its version cannot be told, so %s cannot be ruled out", row->library,
                      row->id);
        if (!grc_advisory_holds(row, version, package))
            continue;
        concern += row->exposed;
        if (row->exposed)
            grc_warn("%s %s has %s (fixed in %s): %s; update it", row->library, shown, row->id,
                     package && row->package_fixed ? row->package_fixed : row->fixed, row->why);
        else
            grc_debug("%s %s may have %s, which does not concern this program: %s", row->library,
                      shown, row->id, row->why);
    }
    free(status);
    return concern;
}
