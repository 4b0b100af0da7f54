#include "trace/context.h"

#include "base/secure.h"

#include <stdio.h>
#include <stdlib.h>

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

bool grc_context_accept(gr_str header, char ret_context[GRC_CONTEXT_BYTES])
{
    const char *text = header.ptr;

    if (header.len < TEXT_LEN || !version_good(header) || text[2] != '-' || text[35] != '-' ||
        text[52] != '-' || !is_hex(text + TRACE_AT, 32) || is_zero(text + TRACE_AT, 32) ||
        !is_hex(text + SPAN_AT, 16) || is_zero(text + SPAN_AT, 16) || !is_hex(text + FLAGS_AT, 2))
        return false;
    snprintf(ret_context, GRC_CONTEXT_BYTES, "00-%.49s-0%c", text + TRACE_AT,
             is_sampled(text[FLAGS_AT + 1]) ? '1' : '0');
    return true;
}

/* Random, and never zero. */
static uint64_t random_id(void)
{
    uint64_t id = grc_random_fast();

    return id ? id : 1;
}

void grc_context_begin(char ret_context[GRC_CONTEXT_BYTES])
{
    snprintf(ret_context, GRC_CONTEXT_BYTES, "00-%016llx%016llx-%016llx-01",
             (unsigned long long)random_id(), (unsigned long long)random_id(),
             (unsigned long long)random_id());
}

void grc_context_child(const char parent[GRC_CONTEXT_BYTES], char ret_child[GRC_CONTEXT_BYTES])
{
    char span[17];

    snprintf(span, sizeof(span), "%016llx", (unsigned long long)random_id());
    if (ret_child != parent)
        memcpy(ret_child, parent, GRC_CONTEXT_BYTES);
    memcpy(ret_child + SPAN_AT, span, 16);
}

void grc_context_sample(char context[GRC_CONTEXT_BYTES], bool sampled)
{
    context[FLAGS_AT + 1] = sampled ? '1' : '0';
}

bool grc_context_sampled(const char context[GRC_CONTEXT_BYTES])
{
    return context[0] && is_sampled(context[FLAGS_AT + 1]);
}

uint64_t grc_context_randomness(const char context[GRC_CONTEXT_BYTES])
{
    char digits[15];

    memcpy(digits, context + TRACE_AT + 18, 14);
    digits[14] = '\0';
    return strtoull(digits, NULL, 16);
}

gr_str grc_context_trace_id(const char context[GRC_CONTEXT_BYTES])
{
    return context[0] ? (gr_str){context + TRACE_AT, 32} : (gr_str){NULL, 0};
}

gr_str grc_context_span_id(const char context[GRC_CONTEXT_BYTES])
{
    return context[0] ? (gr_str){context + SPAN_AT, 16} : (gr_str){NULL, 0};
}

bool grc_context_state_good(gr_str state)
{
    for (size_t i = 0; i < state.len; i++) {
        if (state.ptr[i] < ' ' || state.ptr[i] > '~')
            return false;
    }
    return state.len > 0 && state.len <= STATE_MAX;
}
