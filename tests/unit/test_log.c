/* Log lines, and the limit on those that a peer can cause. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support_capture.h"
#include "support_test.h"

/* The longest line with its newline; see LINE_MAX_BYTES in log.c. */
enum { LINE_MAX_BYTES = 1024 };

static int
reset_log(void **state)
{
    (void)state;
    log_open(NULL, LOG_LEVEL_NORMAL);
    log_set_hook(NULL, NULL);
    return 0;
}

static const char *
say_one_of_each(void)
{
    capture_start();
    errno = ENOENT;
    log_debug("a %d", 1);
    log_info("b %d", 2);
    log_warnx("c %d", 3);
    log_warn("d %d", 4);
    return capture_stop();
}

static void
a_quiet_log_has_warnings_only(void **state)
{
    (void)state;
    log_open("prog", LOG_LEVEL_QUIET);
    assert_string_equal(say_one_of_each(),
                        "prog: c 3\nprog: d 4: No such file or directory\n");
}

static void
a_normal_log_has_events_too(void **state)
{
    (void)state;
    log_open("prog", LOG_LEVEL_NORMAL);
    assert_string_equal(
        say_one_of_each(),
        "prog: b 2\nprog: c 3\nprog: d 4: No such file or directory\n");
}

static void
a_verbose_log_has_everything(void **state)
{
    (void)state;
    log_open("prog", LOG_LEVEL_VERBOSE);
    assert_string_equal(say_one_of_each(),
                        "prog: a 1\nprog: b 2\nprog: c 3\n"
                        "prog: d 4: No such file or directory\n");
}

static void
a_log_that_was_not_opened_names_no_program(void **state)
{
    (void)state;
    assert_string_equal(say_one_of_each(),
                        "b 2\nc 3\nd 4: No such file or directory\n");
}

static void
errno_is_kept(void **state)
{
    (void)state;
    capture_start();
    log_open(NULL, LOG_LEVEL_QUIET);
    errno = EXDEV;
    log_debug("not written");
    log_warnx("written");
    log_warn("written");
    (void)capture_stop();
    assert_int_equal(errno, EXDEV);
}

static void
bytes_that_steer_a_terminal_are_replaced(void **state)
{
    (void)state;
    capture_start();
    log_info("[%s] ~!", "\x1b[2J\n\t\x7f\x80\xff");
    assert_string_equal(capture_stop(), "[?[2J?????] ~!\n");
}

static void
assert_line_length(size_t text, size_t expected)
{
    char line[2 * LINE_MAX_BYTES] = { 0 };
    const char *out;

    memset(line, 'x', text);
    capture_start();
    log_info("%s", line);
    out = capture_stop();
    assert_int_equal(strlen(out), expected);
    assert_int_equal(strcspn(out, "\n"), expected - 1);
}

static void
a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    assert_line_length(0, 1);
    assert_line_length(1, 2);
    assert_line_length(LINE_MAX_BYTES - 3, LINE_MAX_BYTES - 2);
    assert_line_length(LINE_MAX_BYTES - 2, LINE_MAX_BYTES - 1);
    assert_line_length(LINE_MAX_BYTES - 1, LINE_MAX_BYTES - 1);
    assert_line_length(2 * LINE_MAX_BYTES - 1, LINE_MAX_BYTES - 1);
}

static void
a_long_warning_loses_its_end_and_nothing_more(void **state)
{
    char line[LINE_MAX_BYTES] = { 0 };

    (void)state;
    memset(line, 'x', sizeof line - 1);
    capture_start();
    errno = ENOENT;
    log_warn("%s", line);
    log_warn("%.*s", LINE_MAX_BYTES - 6, line);
    assert_int_equal(strlen(capture_stop()), 2 * (LINE_MAX_BYTES - 1));
}

static void
on_line(void *arg)
{
    ++*(unsigned *)arg;
}

static void
the_hook_is_called_for_each_line_that_is_written(void **state)
{
    unsigned calls = 0;

    (void)state;
    log_set_hook(on_line, &calls);
    say_one_of_each();
    assert_int_equal(calls, 3);
    log_set_hook(NULL, NULL);
    say_one_of_each();
    assert_int_equal(calls, 3);
}

enum { WRITERS = 4, LINES = 100 };

static void *
write_lines(void *arg)
{
    unsigned writer = *(const unsigned *)arg;

    for (unsigned i = 0; i < LINES; i++)
        log_info("writer %u says %u, and that this is a line of its own",
                 writer, i);
    return NULL;
}

static void
lines_of_several_threads_stay_whole(void **state)
{
    unsigned numbers[WRITERS], next[WRITERS] = { 0 };
    pthread_t writers[WRITERS];
    const char *line;

    (void)state;
    capture_start();
    for (unsigned i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(
            pthread_create(&writers[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    for (line = capture_stop(); *line != '\0'; line = strchr(line, '\n') + 1) {
        char expected[LINE_MAX_BYTES];
        unsigned writer = (unsigned)(line[sizeof "writer " - 1] - '0');

        assert_in_range(writer, 0, WRITERS - 1);
        snprintf(expected, sizeof expected,
                 "writer %u says %u, and that this is a line of its own\n",
                 writer, next[writer]++);
        assert_memory_equal(line, expected, strlen(expected));
    }
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(next[i], LINES);
}

static void
a_limit_lets_a_burst_through_and_then_one_an_interval(void **state)
{
    struct log_limit limit = { .burst = 2, .interval_ms = 100 };
    uint64_t dropped = 99;

    (void)state;
    assert_true(log_limit_pass(&limit, 1000, &dropped));
    assert_true(log_limit_pass(&limit, 1000, &dropped));
    assert_int_equal(dropped, 0);
    assert_false(log_limit_pass(&limit, 1000, &dropped));
    assert_false(log_limit_pass(&limit, 1099, &dropped));
    assert_true(log_limit_pass(&limit, 1100, &dropped));
    assert_int_equal(dropped, 2);
    assert_false(log_limit_pass(&limit, 1199, &dropped));
    assert_true(log_limit_pass(&limit, 1200, &dropped));
    assert_int_equal(dropped, 1);
}

static void
a_limit_gives_the_whole_burst_back_in_time(void **state)
{
    struct log_limit limit = { .burst = 3, .interval_ms = 10 };
    uint64_t dropped;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(log_limit_pass(&limit, 0, &dropped));
    for (int i = 0; i < 3; i++)
        assert_true(log_limit_pass(&limit, 1000000, &dropped));
    assert_false(log_limit_pass(&limit, 1000000, &dropped));
}

static void
a_limit_without_a_burst_lets_nothing_through(void **state)
{
    struct log_limit limit = { .interval_ms = 10 };
    uint64_t dropped;

    (void)state;
    assert_false(log_limit_pass(&limit, 0, &dropped));
    assert_false(log_limit_pass(&limit, 1000, &dropped));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_log_that_was_not_opened_names_no_program,
                               reset_log),
        cmocka_unit_test_setup(a_quiet_log_has_warnings_only, reset_log),
        cmocka_unit_test_setup(a_normal_log_has_events_too, reset_log),
        cmocka_unit_test_setup(a_verbose_log_has_everything, reset_log),
        cmocka_unit_test_setup(errno_is_kept, reset_log),
        cmocka_unit_test_setup(bytes_that_steer_a_terminal_are_replaced,
                               reset_log),
        cmocka_unit_test_setup(a_long_line_is_cut_and_still_ends, reset_log),
        cmocka_unit_test_setup(a_long_warning_loses_its_end_and_nothing_more,
                               reset_log),
        cmocka_unit_test_setup(the_hook_is_called_for_each_line_that_is_written,
                               reset_log),
        cmocka_unit_test_setup(lines_of_several_threads_stay_whole, reset_log),
        cmocka_unit_test(a_limit_lets_a_burst_through_and_then_one_an_interval),
        cmocka_unit_test(a_limit_gives_the_whole_burst_back_in_time),
        cmocka_unit_test(a_limit_without_a_burst_lets_nothing_through),
    };

    return RUN_TESTS(tests);
}
