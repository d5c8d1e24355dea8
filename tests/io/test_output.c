/* Where progress goes. */
#include "migrate/output.h"

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
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
    strcpy(migration.status_name, "active");
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
    assert_non_null(strstr(text, "50.0%"));
    assert_int_equal(capture_count(text, "\033[K"), 1);
    capture_start();
    log_info("one");
    log_info("two");
    assert_string_equal(capture_stop(), "test: one\ntest: two\n");
    assert_int_equal(capture_count(text, "\033[K"), 2);
    assert_string_equal(text + len - 4, "\r\033[K");
    output_progress(output, &progress);
    assert_int_equal(capture_count(text, "50.0%"), 2);
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
    assert_string_equal(text, "\r   50.0%  1.0 KiB sent\033[K");
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
        cmocka_unit_test(nobody_reads_and_nothing_happens),
    };

    return RUN_TESTS(tests);
}
