/* How it stands, from what QEMU and the programs at its host tell. */
#include "wire/standing.h"

#include <string.h>

#include "support_test.h"

static struct standing
standing_of(bool source, const char *vm, const char *status)
{
    struct standing standing = { .source = source };
    json_t *reply = json_pack("{s:s}", "status", status);

    snprintf(standing.vm, sizeof standing.vm, "%s", vm);
    migration_parse(&standing.migration, reply);
    json_decref(reply);
    return standing;
}

struct row {
    bool source;
    const char *vm;
    const char *status;
    bool fresh;
    enum standing_guest guest;
    const char *next;   /* part of it, without a helper */
    const char *cancel; /* part of why not; NULL if it may be tried */
};

static const struct row rows[] = {
    { true, "running", "none", false, GUEST_HERE, "", "nothing to cancel" },
    { true, "running", "failed", false, GUEST_HERE, "", "nothing to cancel" },
    { true, "paused", "cancelled", false, GUEST_HERE, "", "nothing to cancel" },
    { true, "running", "setup", false, GUEST_MOVING, "mig-send --attach",
      NULL },
    { true, "running", "active", false, GUEST_MOVING, "mig-send --cancel",
      NULL },
    { true, "finish-migrate", "device", false, GUEST_MOVING,
      "mig-send --attach", NULL },
    { true, "running", "something-new", false, GUEST_MOVING,
      "mig-send --attach", NULL },
    { true, "postmigrate", "completed", false, GUEST_GIVEN, "mig-send --attach",
      "given the guest away" },
    { true, "finish-migrate", "completed", false, GUEST_GIVEN,
      "mig-send --attach", "given the guest away" },
    { true, "prelaunch", "completed", false, GUEST_HERE, "",
      "nothing to cancel" },
    { true, "paused", "completed", false, GUEST_HERE, "", "nothing to cancel" },
    { true, "running", "completed", false, GUEST_HERE, "",
      "nothing to cancel" },
    { true, "postmigrate", "postcopy-active", false, GUEST_SPLIT,
      "mig-send --attach", "in postcopy" },
    { true, "postmigrate", "postcopy-recover", false, GUEST_SPLIT,
      "mig-send --attach", "in postcopy" },
    { true, "postmigrate", "postcopy-paused", false, GUEST_BROKEN,
      "mig-recv --recover", "in postcopy" },
    { true, "", "none", false, GUEST_UNKNOWN, "", NULL },
    { false, "inmigrate", "none", false, GUEST_NOT_COME, "mig-recv", NULL },
    { false, "inmigrate", "setup", false, GUEST_NOT_COME, "mig-recv", NULL },
    { false, "inmigrate", "active", false, GUEST_MOVING, "mig-recv --attach",
      "mig-send --cancel" },
    { false, "paused", "completed", true, GUEST_ARRIVED, "mig-recv --attach",
      "mig-send --cancel" },
    { false, "paused", "completed", false, GUEST_HERE, "",
      "given the guest away" },
    { false, "running", "completed", false, GUEST_HERE, "",
      "given the guest away" },
    { false, "running", "none", false, GUEST_HERE, "", "given the guest away" },
    { false, "running", "postcopy-active", false, GUEST_SPLIT,
      "mig-recv --attach", "in postcopy" },
    { false, "running", "postcopy-paused", false, GUEST_BROKEN,
      "mig-send --recover", "in postcopy" },
    { false, "inmigrate", "failed", false, GUEST_THERE, "", "at the source" },
};

static void
assert_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL || (part[0] == '\0') != (text[0] == '\0'))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void
every_state_says_where_the_guest_is_and_what_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct standing standing =
            standing_of(row->source, row->vm, row->status);
        const char *cancel;

        standing.fresh = row->fresh;
        assert_int_equal(standing_guest(&standing), row->guest);
        assert_true(strlen(standing_guest_text(&standing)) > 0);
        assert_part(standing_next_text(&standing), row->next);
        cancel = standing_refuses_cancel(&standing);
        if (row->cancel != NULL)
            assert_part(cancel, row->cancel);
        else
            assert_null(cancel);
    }
}

static void
a_helper_at_work_goes_on_by_itself(void **state)
{
    struct standing standing = standing_of(true, "running", "active");

    (void)state;
    standing.helper = true;
    assert_string_equal(standing_next_text(&standing), "");
    standing = standing_of(true, "postmigrate", "completed");
    standing.helper = true;
    assert_part(standing_next_text(&standing), "mig-recv --attach");
    standing.tunnel = STANDING_PARTNER;
    assert_string_equal(standing_next_text(&standing), "");
    standing = standing_of(false, "paused", "completed");
    standing.helper = standing.fresh = true;
    assert_part(standing_next_text(&standing), "mig-send --attach");
    standing = standing_of(false, "running", "postcopy-paused");
    standing.helper = true;
    assert_part(standing_next_text(&standing), "mig-recv --recover");
}

static void
a_helper_that_has_not_begun_can_be_cancelled(void **state)
{
    struct standing standing = standing_of(true, "running", "none");

    (void)state;
    standing.helper = true;
    assert_null(standing_refuses_cancel(&standing));
    standing.begun = true;
    assert_non_null(standing_refuses_cancel(&standing));
    standing = standing_of(false, "inmigrate", "none");
    standing.helper = standing.begun = true;
    assert_part(standing_refuses_cancel(&standing), "mig-send --cancel");
    standing.tunnel = STANDING_PARTNER;
    assert_null(standing_refuses_cancel(&standing));
}

static void
what_a_helper_reports_is_taken_as_it_was(void **state)
{
    struct standing one = standing_of(false, "paused", "completed");
    struct standing other = { .source = false };
    json_t *report;

    (void)state;
    one.begun = one.fresh = true;
    one.migration.total_bytes = 4711;
    report = standing_report(&one);
    standing_take(&other, report);
    json_decref(report);
    assert_true(other.begun);
    assert_true(other.fresh);
    assert_string_equal(other.vm, "paused");
    assert_int_equal(other.migration.status, MIGRATION_COMPLETED);
    assert_int_equal(other.migration.total_bytes, 4711);
}

static void
a_report_without_anything_is_taken_too(void **state)
{
    struct standing standing = standing_of(true, "running", "active");
    json_t *empty = json_object(), *odd;

    (void)state;
    standing_take(&standing, empty);
    assert_string_equal(standing.vm, "");
    assert_int_equal(standing.migration.status, MIGRATION_NONE);
    json_decref(empty);
    odd = json_pack("{s:i, s:[], s:i}", "vm", 1, "migration", "begun", 3);
    standing_take(&standing, odd);
    assert_false(standing.begun);
    assert_int_equal(standing_guest(&standing), GUEST_UNKNOWN);
    json_decref(odd);
}

static void
programs_get_the_numbers_and_the_tunnel(void **state)
{
    struct standing standing = standing_of(true, "running", "active");
    json_t *json;

    (void)state;
    standing.migration.remaining_bytes = 4096;
    json = standing_json(&standing);
    assert_string_equal(json_string_value(json_object_get(json, "guest")),
                        "moving");
    assert_null(json_object_get(json, "tunnel"));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(json, "migration"),
                                           "remaining_bytes")),
        4096);
    json_decref(json);

    standing.tunnel = STANDING_PARTNER;
    standing.view.state = TUNNEL_RUNNING;
    snprintf(standing.view.session, sizeof standing.view.session, "3f2a1b2c");
    json = standing_json(&standing);
    assert_string_equal(json_string_value(json_object_get(json, "tunnel")),
                        "running");
    assert_string_equal(json_string_value(json_object_get(json, "session")),
                        "3f2a1b2c");
    assert_true(json_is_true(json_object_get(json, "partner")));
    json_decref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_says_where_the_guest_is_and_what_goes_on),
        cmocka_unit_test(a_helper_at_work_goes_on_by_itself),
        cmocka_unit_test(a_helper_that_has_not_begun_can_be_cancelled),
        cmocka_unit_test(what_a_helper_reports_is_taken_as_it_was),
        cmocka_unit_test(a_report_without_anything_is_taken_too),
        cmocka_unit_test(programs_get_the_numbers_and_the_tunnel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
