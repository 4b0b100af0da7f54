#include "base/err.h"

struct err_row {
    enum gr_err err;
    int status;
    const char *slug;
    const char *doc;
};

static const struct err_row rows[] = {
#define ROW(name, number, status, slug, doc) {name, status, slug, doc},
    GR_ERR_LIST(ROW)
#undef ROW
};

static const struct err_row *find(enum gr_err err)
{
    /* The numbers of the list run from 0 downwards without a gap, so the negated number of an error
     * is the index of its row. */
    size_t at = (size_t) - (long)err;

    if (at < sizeof(rows) / sizeof(rows[0]) && rows[at].err == err)
        return &rows[at];
    return &rows[1];
}

int grc_err_status(enum gr_err err)
{
    return find(err)->status;
}

const char *grc_err_slug(enum gr_err err)
{
    return find(err)->slug;
}

const char *grc_err_doc(enum gr_err err)
{
    return find(err)->doc;
}

/* RFC 9110, section 15, and RFC 6585. */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *grc_status_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}
