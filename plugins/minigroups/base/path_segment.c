#include "path_segment.h"

char *mini_encode_path_segment(struct gr_call *call, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~:@!$&'()*+,;=";
    char *out = gr_alloc(call, 3 * strlen(text) + 1);
    char *at = out;

    for (; out && *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (strchr(plain, c)) {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
        }
    }
    return out;
}
