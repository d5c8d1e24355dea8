/* The table for people. */
#include "wire/preflight_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"

static struct preflight preflight;

static void
add(enum preflight_verdict verdict, const char *name, const char *source,
    const char *destination, const char *why)
{
    struct preflight_row *row = &preflight.rows[preflight.count++];

    if (verdict > preflight.verdict)
        preflight.verdict = verdict;
    row->verdict = verdict;
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->side[0], sizeof row->side[0], "%s", source);
    snprintf(row->side[1], sizeof row->side[1], "%s", destination);
    snprintf(row->why, sizeof row->why, "%s", why);
}

static int
set_up(void **state)
{
    (void)state;
    memset(&preflight, 0, sizeof preflight);
    return 0;
}

static void
assert_text(unsigned width, const char *expected)
{
    char *text = preflight_text(&preflight, width);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void
rows_stand_in_columns(void **state)
{
    (void)state;
    add(PREFLIGHT_OK, "QEMU", "7.2.22", "9.1.0", "");
    add(PREFLIGHT_STOP, "machine", "pc-i440fx-7.2", "pc-i440fx-7.1",
        "other machine type: the destination's QEMU refuses the VM; start it "
        "with -machine pc-i440fx-7.2");
    add(PREFLIGHT_OK, "blocked", "no", "", "");
    assert_text(
        80,
        "         what           source                      destination\n"
        "ok       QEMU           7.2.22                      9.1.0\n"
        "STOP     machine        pc-i440fx-7.2               pc-i440fx-7.1\n"
        "         other machine type: the destination's QEMU refuses the VM; "
        "start it\n"
        "         with -machine pc-i440fx-7.2\n"
        "ok       blocked        no\n"
        "STOP: 1 to put right, 0 warnings\n");
}

static void
a_long_cell_goes_on_below_itself(void **state)
{
    (void)state;
    add(PREFLIGHT_WARNING, "UUID", "11111111-2222-3333-4444-555555555555",
        "short", "");
    add(PREFLIGHT_OK, "a name that is long", "x",
        "virtio-net-pci 52:54:00:00:00:01 tap n0", "");
    assert_text(
        80,
        "         what           source                      destination\n"
        "warning  UUID           11111111-2222-3333-4444-    short\n"
        "                        555555555555\n"
        "ok       a name that is x                           virtio-net-pci\n"
        "         long                                       "
        "52:54:00:00:00:01 tap n0\n"
        "ok: nothing stops the migration, 1 warning\n");
}

static void
the_end_counts_what_there_is(void **state)
{
    (void)state;
    assert_text(80, "         what           source                      "
                    "destination\n"
                    "ok: nothing stops the migration, 0 warnings\n");
    preflight.left_out = 3;
    preflight.verdict = PREFLIGHT_STOP;
    assert_text(80, "         what           source                      "
                    "destination\n"
                    "3 more rows are left out\n"
                    "STOP: 0 to put right, 0 warnings\n");
    add(PREFLIGHT_WARNING, "a", "b", "c", "");
    assert_text(80, "         what           source                      "
                    "destination\n"
                    "warning  a              b                           c\n"
                    "3 more rows are left out\n"
                    "STOP: 0 to put right, 1 warning\n");
}

/* No line is longer than it may be, none ends with a space, and nothing is
 * lost. */
static void
check_width(unsigned asked, unsigned width)
{
    char *text = preflight_text(&preflight, asked);
    unsigned letters = 0;

    assert_non_null(text);
    for (char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        assert_true(length > 0);
        assert_true(length <= width);
        assert_true(line[length - 1] != ' ');
        line += length + 1;
    }
    for (char *at = text; *at != '\0'; at++)
        letters += *at == 'Z';
    assert_int_equal(letters, 63 + 2 * 191 + 511);
    free(text);
}

static void
every_width_holds_everything(void **state)
{
    char text[PREFLIGHT_WHY_MAX];

    (void)state;
    memset(text, 'Z', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    add(PREFLIGHT_WARNING, text, text, text, text);
    for (unsigned width = PREFLIGHT_COLUMNS_MIN; width <= PREFLIGHT_COLUMNS_MAX;
         width++)
        check_width(width, width);
    check_width(0, PREFLIGHT_COLUMNS_MIN);
    check_width(1000, PREFLIGHT_COLUMNS_MAX);
}

static void
words_are_parted_at_spaces_only_if_there_are_any(void **state)
{
    (void)state;
    add(PREFLIGHT_OK, "n", "/a/long/path/to/an/image/file.qcow2", "", "");
    add(PREFLIGHT_OK, "n", "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", "", "");
    assert_text(
        80, "         what           source                      destination\n"
            "ok       n              /a/long/path/to/an/image/\n"
            "                        file.qcow2\n"
            "ok       n              ZZZZZZZZZZZZZZZZZZZZZZZZZZZ\n"
            "                        ZZZZZZZ\n"
            "ok: nothing stops the migration, 0 warnings\n");
}

static void
a_wide_terminal_gives_names_more_room(void **state)
{
    char expected[400], end[] = "ok: nothing stops the migration, 0 warnings\n";

    (void)state;
    add(PREFLIGHT_OK, "0000:00:03.0/e1000.rom", "x", "y", "");
    snprintf(expected, sizeof expected,
             "%-9s%-23s%-34s%s\n%-9s%-23s%-34s%s\n%s", "", "what", "source",
             "destination", "ok", "0000:00:03.0/e1000.rom", "x", "y", end);
    assert_text(100, expected);
    snprintf(expected, sizeof expected,
             "%-9s%-15s%-38s%s\n%-9s%-15s%-38s%s\n%9s%s\n%s", "", "what",
             "source", "destination", "ok", "0000:00:03.0/", "x", "y", "",
             "e1000.rom", end);
    assert_text(99, expected);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_stand_in_columns, set_up),
        cmocka_unit_test_setup(a_long_cell_goes_on_below_itself, set_up),
        cmocka_unit_test_setup(the_end_counts_what_there_is, set_up),
        cmocka_unit_test_setup(every_width_holds_everything, set_up),
        cmocka_unit_test_setup(words_are_parted_at_spaces_only_if_there_are_any,
                               set_up),
        cmocka_unit_test_setup(a_wide_terminal_gives_names_more_room, set_up),
    };

    return RUN_TESTS(tests);
}
