#include "base/method.h"

const char *grc_method_name(enum gr_method method)
{
    switch (method) {
    case GR_METHOD_GET:
        return "GET";
    case GR_METHOD_POST:
        return "POST";
    case GR_METHOD_PUT:
        return "PUT";
    case GR_METHOD_PATCH:
        return "PATCH";
    case GR_METHOD_DELETE:
        return "DELETE";
    }
    return "?";
}
