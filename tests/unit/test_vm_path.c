/* Paths with a VM's name in them. */
#include "wire/vm_path.h"

#include <string.h>

#include "support_test.h"

static void
the_name_takes_its_place(void **state)
{
    char path[VM_PATH_MAX];

    (void)state;
    assert_true(vm_path(path, "/run/%n/x", "vm1"));
    assert_string_equal(path, "/run/vm1/x");
    assert_true(vm_path(path, "%n", "vm1"));
    assert_string_equal(path, "vm1");
    assert_true(vm_path(path, "/run/x", "vm1"));
    assert_string_equal(path, "/run/x");
    assert_true(vm_path_named("/run/%n"));
    assert_false(vm_path_named("/run/n%"));
}

static void
a_path_has_to_fit(void **state)
{
    char path[VM_PATH_MAX], pattern[VM_PATH_MAX + 2];

    (void)state;
    memset(pattern, 'x', sizeof pattern);
    memcpy(pattern, "%n", 2);
    pattern[VM_PATH_MAX] = '\0'; /* 106 characters and the name */
    assert_true(vm_path(path, pattern, "a"));
    assert_int_equal(strlen(path), VM_PATH_MAX - 1);
    assert_false(vm_path(path, pattern, "ab"));
    assert_false(vm_path(path, "", "a"));
}

static void
what_a_name_can_reach_is_known(void **state)
{
    static const struct {
        const char *path;
        const char *pattern;
        bool meets;
    } cases[] = {
        { "/r/a.ctl", "/r/%n", true },
        { "/r/.ctl", "/r/%n", false },   /* no name */
        { "/r/..ctl", "/r/%n", false },  /* "." is none */
        { "/r/...ctl", "/r/%n", false }, /* nor is ".." */
        { "/r/a.ctl.ctl", "/r/%n", true },
        { "/r/a", "/r/%n", false },
        { "/r/a b.ctl", "/r/%n", false },
        { "/r/a/b.ctl", "/r/%n", false },
        { "/s/a.ctl", "/r/%n", false },
        { "/r/a/m.ctl", "/r/%n/m", true },
        { "/r/a.ctl/m", "/r/%n/m", false },
        { "/r/a.ctl", "/r/%n.ctl", false },
        { "/r/a.ctl.ctl", "/r/%n.ctl", true },
        { "/r/x.ctl", "/r/x", true },
        { "/r/x", "/r/x", false },
        { "", "/r/%n", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (vm_path_meets(cases[i].path, cases[i].pattern, ".ctl") !=
            cases[i].meets)
            fail_msg("%s and %s", cases[i].path, cases[i].pattern);
    assert_true(vm_path_meets("/r/a", "/r/%n", ""));
}

static void
names_have_their_length(void **state)
{
    char path[4 + 65 + 1] = "/r/";

    (void)state;
    memset(path + 3, 'a', 64);
    assert_true(vm_path_meets(path, "/r/%n", ""));
    path[3 + 64] = 'a';
    assert_false(vm_path_meets(path, "/r/%n", ""));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_takes_its_place),
        cmocka_unit_test(a_path_has_to_fit),
        cmocka_unit_test(what_a_name_can_reach_is_known),
        cmocka_unit_test(names_have_their_length),
    };

    return RUN_TESTS(tests);
}
