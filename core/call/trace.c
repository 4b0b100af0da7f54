#include "call/trace.h"

#include "base/secure.h"

#include <stdio.h>

#define TRACE_AT 3
#define SPAN_AT 36
#define FLAGS_AT 53
#define TEXT_LEN 55u
#define STATE_MAX 512u

static bool is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    }
    return true;
}

static bool is_zero(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '0')
            return false;
    }
    return true;
}

static bool is_sampled(char digit)
{
    int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;

    return (value & 1) != 0;
}

/* Later versions may have more after another dash. Version ff is invalid. */
static bool version_good(gr_str header)
{
    if (!is_hex(header.ptr, 2) || memcmp(header.ptr, "ff", 2) == 0)
        return false;
    if (memcmp(header.ptr, "00", 2) == 0)
        return header.len == TEXT_LEN;
    return header.len == TEXT_LEN || header.ptr[TEXT_LEN] == '-';
}

bool grc_trace_accept(gr_str header, char ret_parent[GRC_TRACE_BYTES])
{
    const char *text = header.ptr;

    if (header.len < TEXT_LEN || !version_good(header) || text[2] != '-' || text[35] != '-' ||
        text[52] != '-' || !is_hex(text + TRACE_AT, 32) || is_zero(text + TRACE_AT, 32) ||
        !is_hex(text + SPAN_AT, 16) || is_zero(text + SPAN_AT, 16) || !is_hex(text + FLAGS_AT, 2))
        return false;
    snprintf(ret_parent, GRC_TRACE_BYTES, "00-%.49s-0%c", text + TRACE_AT,
             is_sampled(text[FLAGS_AT + 1]) ? '1' : '0');
    return true;
}

/* Random, and never zero. */
static uint64_t random_id(void)
{
    uint64_t id = grc_random_fast();

    return id ? id : 1;
}

void grc_trace_begin(char ret_parent[GRC_TRACE_BYTES])
{
    snprintf(ret_parent, GRC_TRACE_BYTES, "00-%016llx%016llx-%016llx-01",
             (unsigned long long)random_id(), (unsigned long long)random_id(),
             (unsigned long long)random_id());
}

void grc_trace_child(const char parent[GRC_TRACE_BYTES], char ret_child[GRC_TRACE_BYTES],
                     char ret_span[GRC_SPAN_BYTES])
{
    snprintf(ret_span, GRC_SPAN_BYTES, "%016llx", (unsigned long long)random_id());
    snprintf(ret_child, GRC_TRACE_BYTES, "%.36s%.16s%.3s", parent, ret_span, parent + 52);
}

bool grc_trace_state_good(gr_str state)
{
    for (size_t i = 0; i < state.len; i++) {
        if (state.ptr[i] < ' ' || state.ptr[i] > '~')
            return false;
    }
    return state.len > 0 && state.len <= STATE_MAX;
}
