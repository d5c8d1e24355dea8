/* Where progress goes. */
#include "migrate/output.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "support_capture.h"
#include "support_test.h"

/* A migration with numbers, at a certain time. */
static void
begin(struct progress *progress, uint64_t now_ms)
{
    static const struct progress_options options = { .downtime_limit_ms = 300 };
    struct migration migration;

    migration_parse(&migration, NULL);
    migration.status = MIGRATION_ACTIVE;
    snprintf(migration.status_name, sizeof migration.status_name, "active");
    migration.transferred_bytes = 1024;
    migration.remaining_bytes = 50;
    migration.total_bytes = 100;
    progress_init(progress, &options, 0);
    progress_take(progress, &migration, now_ms);
}

static void
a_log_line_clears_the_live_line_first(void **state)
{
    struct progress progress;
    char *text = NULL;
    size_t len;
    FILE *terminal = open_memstream(&text, &len);
    struct output *output = output_new(NULL, terminal);

    (void)state;
    log_open("test", LOG_LEVEL_NORMAL);
    begin(&progress, 1000);
    output_progress(output, &progress);
    assert_ptr_equal(strstr(text, "\r["), text);
    assert_non_null(strstr(text, "50%"));
    assert_int_equal(capture_count(text, "\033[K"), 1);
    capture_start();
    log_info("one");
    log_info("two");
    assert_string_equal(capture_stop(), "test: one\ntest: two\n");
    assert_int_equal(capture_count(text, "\033[K"), 2);
    assert_string_equal(text + len - 4, "\r\033[K");
    output_progress(output, &progress);
    assert_int_equal(capture_count(text, "50%"), 2);
    output_free(output);
    assert_string_equal(text + len - 4, "\r\033[K");
    capture_start();
    log_info("three");
    capture_stop();
    assert_int_equal(capture_count(text, "\033[K"), 4);
    fclose(terminal);
    free(text);
}

static void
the_live_line_follows_the_width_of_the_terminal(void **state)
{
    struct winsize size = { .ws_row = 24, .ws_col = 24 };
    struct progress progress;
    struct output *output;
    char text[256];
    int master, slave;
    ssize_t len;
    FILE *terminal;

    (void)state;
    assert_return_code(openpty(&master, &slave, NULL, NULL, &size), 0);
    terminal = fdopen(slave, "w");
    output = output_new(NULL, terminal);
    begin(&progress, 1000);
    output_progress(output, &progress);
    len = read(master, text, sizeof text - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_string_equal(text, "\r 50% 1.0K 1.0K/s\033[K");
    output_free(output);
    fclose(terminal);
    close(master);
}

static void
without_a_terminal_there_is_a_line_every_five_seconds(void **state)
{
    struct output *output = output_new(NULL, NULL);
    struct progress progress;
    const char *text;

    (void)state;
    log_open("test", LOG_LEVEL_NORMAL);
    capture_start();
    for (uint64_t ms = 0; ms <= 12000; ms += 500) {
        begin(&progress, ms);
        output_progress(output, &progress);
    }
    text = capture_stop();
    assert_int_equal(capture_count(text, "\n"), 2);
    assert_int_equal(capture_count(text, "test: migration: 50.0%"), 2);
    output_free(output);
}

/* A pipe that takes nothing more.  Return how many bytes fill it. */
static size_t
fill(int fd)
{
    static const char zeros[4096];
    size_t len = 0;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, zeros, sizeof zeros) > 0)
        len += sizeof zeros;
    fcntl(fd, F_SETFL, 0);
    return len;
}

static void
drain(int fd, size_t len)
{
    char buf[4096];

    while (len > 0) {
        ssize_t got = read(fd, buf, len < sizeof buf ? len : sizeof buf);
        assert_true(got > 0);
        len -= (size_t)got;
    }
}

static void
a_reader_that_stalls_gets_what_matters_later(void **state)
{
    struct progress progress;
    struct output *output;
    char text[1024];
    FILE *json;
    size_t filled;
    int ends[2];

    (void)state;
    assert_return_code(pipe(ends), 0);
    json = fdopen(ends[1], "w");
    output = output_new(json, NULL);
    begin(&progress, 1000);
    filled = fill(ends[1]);
    alarm(10); /* whatever blocks here fails the test */
    output_status(output, &progress);
    for (int i = 0; i < 1000; i++)
        output_progress(output, &progress);
    snprintf(progress.migration.status_name,
             sizeof progress.migration.status_name, "device");
    output_status(output, &progress);
    output_flush(output);
    drain(ends[0], filled);
    output_flush(output);
    output_progress(output, &progress);
    alarm(0);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    assert_true(got > 0);
    text[got] = '\0';
    assert_int_equal(capture_count(text, "\n"), 3);
    assert_ptr_equal(strstr(text, "{\"type\":\"status\",\"status\":\"active\""),
                     text);
    assert_int_equal(capture_count(text, "\"status\":\"device\""), 2);
    assert_int_equal(capture_count(text, "\"type\":\"progress\""), 1);
    output_free(output);
    fclose(json);
    close(ends[0]);
}

/* The reader wakes up when it is all over. */
static void
the_result_waits_for_its_reader(void **state)
{
    struct progress_result result = { .result = "failed", .message = "" };
    int ends[2], status;
    FILE *json;

    (void)state;
    assert_return_code(pipe(ends), 0);
    json = fdopen(ends[1], "w");
    size_t filled = fill(ends[1]);
    pid_t reader = fork();
    assert_return_code(reader, 0);
    if (reader == 0) {
        char text[256];
        usleep(200 * 1000);
        drain(ends[0], filled);
        ssize_t got = read(ends[0], text, sizeof text - 1);
        text[got > 0 ? got : 0] = '\0';
        _exit(strstr(text, "\"type\":\"result\"") == NULL);
    }
    struct output *output = output_new(json, NULL);
    output_result(output, &result);
    output_free(output);
    fclose(json);
    close(ends[0]);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

static void
a_result_that_nobody_reads_holds_nothing_up_for_long(void **state)
{
    struct progress_result result = { .result = "failed", .message = "" };
    int ends[2];
    FILE *json;

    (void)state;
    assert_return_code(pipe(ends), 0);
    json = fdopen(ends[1], "w");
    fill(ends[1]);
    struct output *output = output_new(json, NULL);
    alarm(10);
    output_result(output, &result);
    alarm(0);
    output_free(output);
    fclose(json);
    close(ends[0]);
}

static void
a_terminal_that_is_stopped_stops_nothing(void **state)
{
    struct winsize size = { .ws_row = 24, .ws_col = 80 };
    struct progress progress;
    char text[256];
    int master, slave;

    (void)state;
    assert_return_code(openpty(&master, &slave, NULL, NULL, &size), 0);
    FILE *terminal = fdopen(slave, "w");
    struct output *output = output_new(NULL, terminal);
    begin(&progress, 1000);
    assert_return_code(tcflow(slave, TCOOFF), 0); /* Ctrl-S */
    alarm(10);
    for (int i = 0; i < 1000; i++)
        output_progress(output, &progress);
    assert_return_code(tcflow(slave, TCOON), 0);
    output_progress(output, &progress);
    alarm(0);
    ssize_t got = read(master, text, sizeof text - 1);
    assert_true(got > 0);
    text[got] = '\0';
    assert_int_equal(capture_count(text, "50%"), 1);
    output_free(output);
    fclose(terminal);
    close(master);
}

/* As when an ssh session is dropped. */
static void
a_terminal_or_a_reader_that_is_gone_stops_nothing(void **state)
{
    struct progress_result result = { .result = "failed", .message = "" };
    struct progress progress;
    int master, slave, ends[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as loop_new does */
    assert_return_code(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_return_code(pipe(ends), 0);
    FILE *terminal = fdopen(slave, "w"), *json = fdopen(ends[1], "w");
    struct output *output = output_new(json, terminal);
    begin(&progress, 1000);
    output_progress(output, &progress);
    close(master);
    close(ends[0]);
    output_status(output, &progress);
    output_progress(output, &progress);
    output_flush(output);
    output_result(output, &result);
    output_free(output);
    fclose(terminal);
    fclose(json);
}

static void
json_is_one_object_a_line(void **state)
{
    struct progress_result result = { .result = "failed",
                                      .exit_status = 1,
                                      .message = "a\nb" };
    struct progress progress;
    char *text = NULL;
    size_t len;
    FILE *json = open_memstream(&text, &len);
    struct output *output = output_new(json, NULL);

    (void)state;
    begin(&progress, 1000);
    output_status(output, &progress);
    output_progress(output, &progress);
    output_result(output, &result);
    assert_int_equal(capture_count(text, "\n"), 3);
    assert_int_equal(capture_count(text, "{\"type\":"), 3);
    assert_non_null(strstr(text, "\"percent\":50.0"));
    output_free(output);
    fclose(json);
    free(text);
}

static void
nobody_reads_and_nothing_happens(void **state)
{
    struct progress_result result = { .message = "" };
    struct output *output = output_new(NULL, NULL);
    struct progress progress;

    (void)state;
    begin(&progress, 1000);
    output_status(output, &progress);
    output_progress(output, &progress);
    output_result(output, &result);
    output_free(output);
    output_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_line_clears_the_live_line_first),
        cmocka_unit_test(the_live_line_follows_the_width_of_the_terminal),
        cmocka_unit_test(without_a_terminal_there_is_a_line_every_five_seconds),
        cmocka_unit_test(json_is_one_object_a_line),
        cmocka_unit_test(a_reader_that_stalls_gets_what_matters_later),
        cmocka_unit_test(the_result_waits_for_its_reader),
        cmocka_unit_test(a_result_that_nobody_reads_holds_nothing_up_for_long),
        cmocka_unit_test(a_terminal_that_is_stopped_stops_nothing),
        cmocka_unit_test(a_terminal_or_a_reader_that_is_gone_stops_nothing),
        cmocka_unit_test(nobody_reads_and_nothing_happens),
    };

    return RUN_TESTS(tests);
}
