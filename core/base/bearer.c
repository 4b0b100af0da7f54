#include "base/bearer.h"

#include <strings.h>

gr_str grc_bearer_token(gr_str value)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof(scheme) - 1;

    if (value.len <= len || strncasecmp(value.ptr, scheme, len) != 0)
        return (gr_str){NULL, 0};
    gr_str token = {value.ptr + len, value.len - len};
    while (token.len && token.ptr[0] == ' ') {
        token.ptr++;
        token.len--;
    }
    if (token.len == 0 || memchr(token.ptr, ' ', token.len) || memchr(token.ptr, '\t', token.len))
        return (gr_str){NULL, 0};
    return token;
}
