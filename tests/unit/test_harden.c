/* What a program gives up. */
#include "base/harden.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include "support_test.h"

static int
dumpable(void)
{
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static int
start_dumpable(void **state)
{
    (void)state;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void
no_new_rights_can_be_had(void **state)
{
    (void)state;
    harden_process();
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    harden_process();
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

static void
what_is_created_is_for_its_user_alone(void **state)
{
    mode_t before = umask(0);

    (void)state;
    harden_process();
    assert_int_equal(umask(before), 077);
}

static void
hardening_alone_keeps_the_process_dumpable(void **state)
{
    (void)state;
    harden_process();
    assert_int_equal(dumpable(), 1);
}

static void
no_core_is_dumped_while_keys_are_loaded(void **state)
{
    (void)state;
    harden_keys_loaded();
    assert_int_equal(dumpable(), 0);
    harden_keys_gone();
    assert_int_equal(dumpable(), 1);
}

static void
the_last_key_that_goes_counts(void **state)
{
    (void)state;
    harden_keys_loaded();
    harden_keys_loaded();
    harden_keys_loaded();
    assert_int_equal(dumpable(), 0);
    harden_keys_gone();
    assert_int_equal(dumpable(), 0);
    harden_keys_gone();
    assert_int_equal(dumpable(), 0);
    harden_keys_gone();
    assert_int_equal(dumpable(), 1);
    harden_keys_loaded();
    assert_int_equal(dumpable(), 0);
    harden_keys_gone();
    assert_int_equal(dumpable(), 1);
}

static void
a_key_that_was_never_there_changes_nothing(void **state)
{
    (void)state;
    harden_keys_gone();
    assert_int_equal(dumpable(), 1);
    harden_keys_loaded();
    assert_int_equal(dumpable(), 0);
    harden_keys_gone();
    assert_int_equal(dumpable(), 1);
}

static void
a_process_that_was_not_dumpable_stays_so(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
    harden_keys_loaded();
    assert_int_equal(dumpable(), 0);
    harden_keys_gone();
    assert_int_equal(dumpable(), 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_new_rights_can_be_had),
        cmocka_unit_test(what_is_created_is_for_its_user_alone),
        cmocka_unit_test_setup(hardening_alone_keeps_the_process_dumpable,
                               start_dumpable),
        cmocka_unit_test_setup(no_core_is_dumped_while_keys_are_loaded,
                               start_dumpable),
        cmocka_unit_test_setup(the_last_key_that_goes_counts, start_dumpable),
        cmocka_unit_test_setup(a_key_that_was_never_there_changes_nothing,
                               start_dumpable),
        cmocka_unit_test_setup(a_process_that_was_not_dumpable_stays_so,
                               start_dumpable),
    };

    return RUN_TESTS(tests);
}
