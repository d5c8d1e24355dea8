/* Where a QMP socket is. */
#include "wire/qmp_target.h"

#include <string.h>

#include "support_test.h"

static void
assert_path(const char *text, const char *path)
{
    struct qmp_target target;
    char buf[QMP_TARGET_TEXT_MAX];

    assert_null(qmp_target_parse(text, &target));
    assert_string_equal(target.path, path);
    assert_string_equal(qmp_target_text(buf, &target), path);
}

static void
assert_tcp(const char *text, const char *host, unsigned port)
{
    struct qmp_target target;

    assert_null(qmp_target_parse(text, &target));
    assert_string_equal(target.path, "");
    assert_string_equal(target.address.host, host);
    assert_int_equal(target.address.port, port);
}

static void
a_path_is_a_path(void **state)
{
    (void)state;
    assert_path("/run/qmp.sock", "/run/qmp.sock");
    assert_path("qmp.sock", "qmp.sock");
    assert_path("./a:1", "./a:1");
    assert_path("unix:a:1", "a:1");
}

static void
host_and_port_are_tcp(void **state)
{
    (void)state;
    assert_tcp("localhost:4444", "localhost", 4444);
    assert_tcp(":4444", "localhost", 4444);
    assert_tcp("[::1]:4444", "::1", 4444);
    assert_tcp("tcp:10.0.0.1:1", "10.0.0.1", 1);
}

static void
a_tcp_target_is_written_with_its_port(void **state)
{
    struct qmp_target target;
    char buf[QMP_TARGET_TEXT_MAX];

    (void)state;
    assert_null(qmp_target_parse("[::1]:4444", &target));
    assert_string_equal(qmp_target_text(buf, &target), "[::1]:4444");
}

static void
what_is_neither_is_refused(void **state)
{
    struct qmp_target target;
    char path[110];

    (void)state;
    assert_non_null(qmp_target_parse("", &target));
    assert_non_null(qmp_target_parse("unix:", &target));
    assert_non_null(qmp_target_parse("host:", &target));
    assert_non_null(qmp_target_parse("host:99999", &target));
    assert_non_null(qmp_target_parse("tcp:host", &target));
    memset(path, 'x', sizeof path);
    path[108] = '\0';
    assert_non_null(qmp_target_parse(path, &target));
    path[107] = '\0';
    assert_null(qmp_target_parse(path, &target));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_a_path),
        cmocka_unit_test(host_and_port_are_tcp),
        cmocka_unit_test(a_tcp_target_is_written_with_its_port),
        cmocka_unit_test(what_is_neither_is_refused),
    };

    return RUN_TESTS(tests);
}
