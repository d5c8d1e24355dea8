/* QEMUs that leave numbers out: every one in turn, always or now and then, and
 * numbers that go back.  Whatever is said of them has to make sense. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"
#include "wire/progress_json.h"
#include "wire/progress_text.h"

enum { UPDATES = 8, MIB = 1024 * 1024 };

static const char *const names[] = { "total-time",
                                     "setup-time",
                                     "downtime",
                                     "expected-downtime",
                                     "cpu-throttle-percentage",
                                     "transferred",
                                     "remaining",
                                     "total",
                                     "normal-bytes",
                                     "duplicate",
                                     "page-size",
                                     "dirty-pages-rate",
                                     "dirty-sync-count",
                                     "mbps",
                                     "ram" };

enum { NAMES = sizeof names / sizeof *names };

/* The update ${i} of a migration. */
static json_t *
reply(int i, bool over)
{
    json_int_t sent = (json_int_t)(i + 1) * 20 * MIB;

    return json_pack(
        "{s:s, s:I, s:i, s:i, s:i, s:i, s:{s:I, s:I, s:I, s:I, s:i, s:i, "
        "s:i, s:i, s:f}}",
        "status", over ? "completed" : "active", "total-time",
        (json_int_t)(i + 1) * 500, "setup-time", 3, "downtime", 20,
        "expected-downtime", 300, "cpu-throttle-percentage", 20, "ram",
        "transferred", sent, "remaining", (json_int_t)(UPDATES - i) * 5 * MIB,
        "total", (json_int_t)200 * MIB, "normal-bytes", sent, "duplicate", i,
        "page-size", 4096, "dirty-pages-rate", 9000, "dirty-sync-count", i,
        "mbps", 330.5);
}

static void
assert_sense(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        bool minus = *at == '-' && isdigit((unsigned char)at[1]);
        bool word = at == text || !isalpha((unsigned char)at[-1]);

        if (minus || (word && (strncmp(at, "nan", 3) == 0 ||
                               strncmp(at, "inf", 3) == 0)))
            fail_msg("no sense: %s", text);
    }
}

static void
assert_json_sense(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    assert_non_null(text);
    assert_sense(text);
    free(text);
    json_decref(object);
}

static void
assert_all_sense(const struct progress *progress)
{
    const struct progress_result result = { .result = "completed",
                                            .message = "over",
                                            .progress = progress };
    char text[PROGRESS_TEXT_MAX];

    for (unsigned width = 20; width <= 120; width += 50) {
        progress_live_text(text, progress, width);
        assert_sense(text);
    }
    progress_plain_text(text, progress);
    assert_sense(text);
    progress_stuck_text(text, progress);
    assert_sense(text);
    progress_report_text(text, progress);
    assert_sense(text);
    assert_json_sense(progress_json(progress));
    assert_json_sense(progress_status_json(progress));
    assert_json_sense(progress_result_json(&result));
}

/* Change the number ${name} of ${update}, or take it out with NULL. */
static void
change(json_t *update, const char *name, json_t *value)
{
    json_t *ram = json_object_get(update, "ram");
    json_t *where = json_object_get(ram, name) != NULL ? ram : update;

    assert_non_null(json_object_get(where, name));
    if (value != NULL)
        json_object_set_new(where, name, value);
    else
        json_object_del(where, name);
}

/* A whole migration, in which ${name} is ${value} in every update for which
 * ${when} has a bit. */
static void
move_with(const char *name, const json_t *value, unsigned when)
{
    static const struct progress_options options = { .downtime_limit_ms = 300 };
    struct progress progress;

    progress_init(&progress, &options, 1000);
    assert_all_sense(&progress);
    for (int i = 0; i < UPDATES; i++) {
        json_t *update = reply(i, i == UPDATES - 1);
        struct migration migration;

        if ((when >> i & 1) != 0)
            change(update, name, value != NULL ? json_deep_copy(value) : NULL);
        migration_parse(&migration, update);
        json_decref(update);
        progress_take(&progress, &migration, 1000 + (uint64_t)(i + 1) * 500);
        assert_all_sense(&progress);
    }
}

static const unsigned patterns[] = { 0xff, 0x55, 0xaa, 0x01,
                                     0x80, 0x0f, 0xf0, 0x10 };

enum { PATTERNS = sizeof patterns / sizeof *patterns };

static void
a_number_that_is_missing_makes_no_nonsense(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        for (size_t k = 0; k < PATTERNS; k++)
            move_with(names[i], NULL, patterns[k]);
}

static void
a_number_that_is_another_makes_no_nonsense(void **state)
{
    static const char *const values[] = {
        "0",        "-1",   "1",  "1e300", "-1e300",
        "\"many\"", "null", "[]", "{}",    "9223372036854775807"
    };

    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        for (size_t k = 0; k < PATTERNS; k++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                json_t *value = json_loads(values[v], JSON_DECODE_ANY, NULL);

                assert_non_null(value);
                move_with(names[i], value, patterns[k]);
                json_decref(value);
            }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_that_is_missing_makes_no_nonsense),
        cmocka_unit_test(a_number_that_is_another_makes_no_nonsense),
    };

    return RUN_TESTS(tests);
}
