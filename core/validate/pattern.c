#include "validate/pattern.h"

#include "base/format.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Far more than an honest value needs, and still only about a millisecond of work. */
#define MATCH_MAX 100000u
#define HEAP_MAX_KIB 1024u
#define PATTERN_MAX_BYTES 4096u
/* Without a separate stack, compiled patterns would use 32 KiB of the worker's stack. */
#define JIT_STACK_FIRST_BYTES ((size_t)8 * 1024)
#define JIT_STACK_MAX_BYTES ((size_t)256 * 1024)

struct grc_pattern {
    pcre2_code *code;
};

/* The memory that a match writes to. Each thread makes its own at its first match. */
struct scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;
static bool scratch_key_made;

static void free_scratch(void *arg)
{
    struct scratch *scratch = arg;

    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    free(scratch);
}

static void make_scratch_key(void)
{
    scratch_key_made = pthread_key_create(&scratch_key, free_scratch) == 0;
}

static struct scratch *new_scratch(void)
{
    struct scratch *scratch = calloc(1, sizeof(*scratch));

    if (!scratch)
        return NULL;
    scratch->data = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_FIRST_BYTES, JIT_STACK_MAX_BYTES, NULL);
    /* The stack is NULL when this PCRE2 has no JIT, which is fine: nothing needs it then. */
    if (!scratch->data || !scratch->context || pthread_setspecific(scratch_key, scratch) != 0) {
        free_scratch(scratch);
        return NULL;
    }
    pcre2_set_match_limit(scratch->context, MATCH_MAX);
    pcre2_set_heap_limit(scratch->context, HEAP_MAX_KIB);
    if (scratch->stack)
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    return scratch;
}

static struct scratch *get_scratch(void)
{
    pthread_once(&scratch_once, make_scratch_key);
    if (!scratch_key_made)
        return NULL;
    struct scratch *scratch = pthread_getspecific(scratch_key);
    return scratch ? scratch : new_scratch();
}

static char *explain(int code, size_t offset)
{
    PCRE2_UCHAR8 message[128];

    pcre2_get_error_message(code, message, sizeof(message));
    return grc_format("%s at offset %zu", (const char *)message, offset);
}

struct grc_pattern *grc_pattern_new(const char *text, char **ret_reason)
{
    /* \C is refused, since it could split a code point. $ matches only at the very end, not before
     * a last newline. */
    const uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_NEVER_BACKSLASH_C;
    int code = 0;
    size_t offset = 0;

    if (strlen(text) > PATTERN_MAX_BYTES) {
        *ret_reason = strdup("longer than 4096 bytes");
        return NULL;
    }
    struct grc_pattern *pattern = calloc(1, sizeof(*pattern));
    if (!pattern) {
        *ret_reason = NULL;
        return NULL;
    }
    pattern->code =
        pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &offset, NULL);
    if (!pattern->code) {
        *ret_reason = explain(code, offset);
        free(pattern);
        return NULL;
    }
    /* This fails on systems that forbid memory that is writable and executable. Matches are then
     * interpreted. */
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    return pattern;
}

void grc_pattern_free(struct grc_pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

enum gr_err grc_pattern_match(const struct grc_pattern *pattern, gr_str text)
{
    struct scratch *scratch = get_scratch();

    if (!scratch)
        return GR_ERR_NO_MEMORY;
    int result = pcre2_match(pattern->code, (PCRE2_SPTR)(text.len ? text.ptr : ""), text.len, 0, 0,
                             scratch->data, scratch->context);
    if (result >= 0)
        return GR_OK;
    return result == PCRE2_ERROR_NOMEMORY ? GR_ERR_NO_MEMORY : GR_ERR_INVALID;
}
