/* base/log.h: the queue between the threads that log and the reader of the log */
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define THREADS 4
#define LINES 5000
#define BUFFER_BYTES ((size_t)64 * 1024)

/* A reader of the log. */
struct reader {
    int ends[2];
    pthread_t thread;
    FILE *stream;
    long next[THREADS]; /* for each thread, the number that its next line must have */
    long seen;          /* the number of lines that the threads wrote */
    long told;          /* the number of lines that the log reports as lost */
    bool disordered;
    char last[256];
};

static void take_line(struct reader *reader, const char *line)
{
    const char *message = strstr(line, "\"message\":\"");
    long thread = 0, number = 0, lost = 0;

    assert_non_null(message);
    assert_int_equal(line[strlen(line) - 1], '\n');
    snprintf(reader->last, sizeof(reader->last), "%s", message);
    if (sscanf(message, "\"message\":\"%ld lines of the log were lost", &lost) == 1) {
        reader->told += lost;
    } else if (sscanf(message, "\"message\":\"thread %ld line %ld\"", &thread, &number) == 2) {
        reader->disordered |= number < reader->next[thread];
        reader->next[thread] = number + 1;
        reader->seen++;
    }
}

static void *read_log(void *arg)
{
    struct reader *reader = arg;
    char line[1024];

    while (fgets(line, sizeof(line), reader->stream))
        take_line(reader, line);
    return NULL;
}

static void log_to(struct reader *reader)
{
    *reader = (struct reader){0};
    assert_int_equal(pipe2(reader->ends, O_CLOEXEC), 0);
    reader->stream = fdopen(reader->ends[0], "r");
    assert_non_null(reader->stream);
    grc_log_fd_set(reader->ends[1]);
}

static void start_reading(struct reader *reader)
{
    assert_int_equal(pthread_create(&reader->thread, NULL, read_log, reader), 0);
}

/* The queue is stopped: everything has been written. */
static void finish_reading(struct reader *reader)
{
    grc_log_fd_set(STDERR_FILENO);
    close(reader->ends[1]);
    pthread_join(reader->thread, NULL);
    fclose(reader->stream);
}

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        grc_info("thread %ld line %d", (long)(intptr_t)arg, i);
    return NULL;
}

static void write_from_all_threads(void)
{
    pthread_t threads[THREADS];

    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void every_line_arrives_whole_and_in_order(void **state)
{
    struct reader reader;

    (void)state;
    uint64_t before = grc_log_lost();
    log_to(&reader);
    assert_int_equal(fcntl(reader.ends[1], F_SETFL, O_NONBLOCK),
                     0); /* as others may have left it */
    start_reading(&reader);
    assert_true(grc_log_queue_start((size_t)16 << 20));
    write_from_all_threads();
    grc_log_queue_stop();
    grc_info("afterwards");
    finish_reading(&reader);
    assert_int_equal(reader.seen, THREADS * LINES);
    assert_false(reader.disordered);
    assert_int_equal(grc_log_lost(), before);
    assert_non_null(strstr(reader.last, "afterwards")); /* lines are written immediately again */
}

static void a_reader_that_hangs_stops_nobody(void **state)
{
    struct reader reader;

    (void)state;
    uint64_t before = grc_log_lost();
    log_to(&reader);
    assert_true(grc_log_queue_start(BUFFER_BYTES));
    write_from_all_threads(); /* about ten times the size of pipe and buffers; would wait forever */
    uint64_t lost = grc_log_lost() - before;
    assert_true(lost > 0 && lost < THREADS * LINES);
    start_reading(&reader);
    grc_log_queue_stop();
    finish_reading(&reader);
    lost = grc_log_lost() - before;
    assert_int_equal(reader.seen + (long)lost, THREADS * LINES);
    assert_int_equal(reader.told, lost);
    assert_false(reader.disordered);
}

static void without_a_buffer_a_line_is_there_when_work_goes_on(void **state)
{
    struct reader reader;
    char line[256];

    (void)state;
    log_to(&reader);
    assert_true(grc_log_queue_start(0));
    grc_info("at once");
    assert_int_equal(fcntl(reader.ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_non_null(fgets(line, sizeof(line), reader.stream));
    assert_non_null(strstr(line, "at once"));
    grc_log_queue_stop(); /* nothing to stop */
    grc_log_fd_set(STDERR_FILENO);
    close(reader.ends[1]);
    fclose(reader.stream);
}

/* /dev/full refuses every write, as a full disk does. */
static void lines_that_cannot_be_written_are_counted_and_told_of(void **state)
{
    struct reader reader;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(full >= 0);
    uint64_t before = grc_log_lost();
    grc_log_fd_set(full);
    grc_info("written at once");
    assert_int_equal(grc_log_lost() - before, 1);
    assert_true(grc_log_queue_start(BUFFER_BYTES));
    grc_warn("urgent");
    while (grc_log_lost() - before < 2)
        sched_yield();
    log_to(&reader);
    start_reading(&reader);
    grc_warn("there is room again");
    grc_log_queue_stop();
    finish_reading(&reader);
    assert_int_equal(reader.told, 2);
    close(full);
}

static void it_starts_again(void **state)
{
    struct reader reader;

    (void)state;
    log_to(&reader);
    start_reading(&reader);
    for (int i = 0; i < 3; i++) {
        assert_true(grc_log_queue_start(1)); /* has room for some lines all the same */
        grc_info("thread 0 line %d", i);
        grc_log_queue_stop();
    }
    finish_reading(&reader);
    assert_int_equal(reader.seen, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_arrives_whole_and_in_order),
        cmocka_unit_test(a_reader_that_hangs_stops_nobody),
        cmocka_unit_test(without_a_buffer_a_line_is_there_when_work_goes_on),
        cmocka_unit_test(lines_that_cannot_be_written_are_counted_and_told_of),
        cmocka_unit_test(it_starts_again),
    };

    alarm(60); /* ends a test that waits for a reader that hangs */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
