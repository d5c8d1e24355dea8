/* The QMP socket is found in a QEMU's command line. */
#include "wire/qemu_args.h"

#include <string.h>

#include "support_test.h"

/* Arguments are separated by a blank here, for they have none. */
static enum qemu_args_result
find(const char *line, struct qmp_target *target, const char **why)
{
    char args[2048];
    size_t len = strlen(line) + 1;

    assert_true(len <= sizeof args);
    for (size_t i = 0; i < len; i++)
        args[i] = line[i];
    for (char *at = args; (at = strchr(at, ' ')) != NULL; at++)
        *at = '\0';
    *why = NULL;
    return qemu_args_find_qmp(args, len, target, why);
}

static void
assert_path(const char *line, const char *path)
{
    struct qmp_target target;
    const char *why;

    if (find(line, &target, &why) != QEMU_ARGS_FOUND)
        fail_msg("%s: %s", line, why != NULL ? why : "no QMP");
    assert_string_equal(target.path, path);
}

static void
assert_tcp(const char *line, const char *host, unsigned port)
{
    struct qmp_target target;
    const char *why;

    if (find(line, &target, &why) != QEMU_ARGS_FOUND)
        fail_msg("%s: %s", line, why != NULL ? why : "no QMP");
    assert_string_equal(target.path, "");
    assert_string_equal(target.address.host, host);
    assert_int_equal(target.address.port, port);
}

static void
assert_none(const char *line)
{
    struct qmp_target target;
    const char *why;

    assert_int_equal(find(line, &target, &why), QEMU_ARGS_NONE);
    assert_null(why);
}

static void
assert_no_socket(const char *line, const char *part)
{
    struct qmp_target target;
    const char *why;

    assert_int_equal(find(line, &target, &why), QEMU_ARGS_NO_SOCKET);
    assert_non_null(why);
    if (strstr(why, part) == NULL)
        fail_msg("%s: %s", line, why);
}

static void
qmp_on_a_unix_socket_is_found(void **state)
{
    (void)state;
    assert_path("qemu -m 64 -qmp unix:/run/q,server=on,wait=off -S", "/run/q");
    assert_path("qemu --qmp unix:/run/q,server,nowait", "/run/q");
    assert_path("qemu -qmp-pretty unix:q,wait=off,server=yes", "q");
    assert_path("qemu --qmp-pretty unix:/a=b,server=true", "/a=b");
    assert_path("qemu -qmp unix:/a,,b,server=y", "/a,b");
}

static void
qmp_on_tcp_is_found(void **state)
{
    (void)state;
    assert_tcp("qemu -qmp tcp:10.0.0.1:4444,server=on", "10.0.0.1", 4444);
    assert_tcp("qemu -qmp tcp::4444,server,nowait", "localhost", 4444);
    assert_tcp("qemu -qmp tcp:0.0.0.0:4444,server", "localhost", 4444);
    assert_tcp("qemu -qmp tcp:[::]:4444,server", "::1", 4444);
}

static void
a_monitor_on_a_chardev_is_found_in_either_order(void **state)
{
    (void)state;
    assert_path("qemu -chardev socket,id=m,path=/q,server=on,wait=off "
                "-mon chardev=m,mode=control",
                "/q");
    assert_path("qemu --mon m,mode=control,pretty=on "
                "--chardev socket,path=/q,server,nowait,id=m",
                "/q");
    assert_path("qemu -qmp chardev:m -chardev backend=socket,id=m,path=/q,"
                "server=on",
                "/q");
    assert_tcp("qemu -chardev socket,id=m,host=::1,port=55,server=on "
               "-mon chardev=m,mode=control",
               "::1", 55);
    assert_tcp("qemu -chardev socket,id=m,port=55,server=on "
               "-mon chardev=m,mode=control",
               "localhost", 55);
}

static void
the_chardev_with_the_right_id_counts(void **state)
{
    (void)state;
    assert_path("qemu -chardev socket,id=a,path=/a,server=on "
                "-chardev stdio,id=b -chardev socket,id=m,path=/q,server=on "
                "-mon chardev=b,mode=readline -mon chardev=m,mode=control",
                "/q");
}

static void
the_first_usable_monitor_counts(void **state)
{
    (void)state;
    assert_path("qemu -qmp stdio -qmp unix:/q,server=on -qmp unix:/r,server",
                "/q");
}

static void
a_monitor_for_people_is_no_qmp(void **state)
{
    (void)state;
    assert_none("qemu");
    assert_none("qemu -monitor unix:/q,server=on");
    assert_none("qemu -chardev socket,id=m,path=/q,server=on -mon chardev=m");
    assert_none("qemu -qmp");
    assert_none("qmp unix:/q,server=on");
}

static void
a_command_line_that_was_cut_is_survived(void **state)
{
    struct qmp_target target;
    const char *why = NULL;

    (void)state;
    assert_int_equal(qemu_args_find_qmp("", 0, &target, &why), QEMU_ARGS_NONE);
    assert_int_equal(
        qemu_args_find_qmp("-qmp\0unix:/q,server", 19, &target, &why),
        QEMU_ARGS_NONE);
    assert_int_equal(qemu_args_find_qmp("\0\0\0", 3, &target, &why),
                     QEMU_ARGS_NONE);
}

static void
a_monitor_that_nobody_can_connect_to_is_named(void **state)
{
    (void)state;
    assert_no_socket("qemu -qmp stdio", "neither unix: nor tcp:");
    assert_no_socket("qemu -qmp unix:/q", "client");
    assert_no_socket("qemu -qmp unix:/q,server=off", "client");
    assert_no_socket("qemu -qmp unix:/q,noserver", "client");
    assert_no_socket("qemu -qmp unix:q,abstract=on,server", "abstract");
    assert_no_socket("qemu -qmp unix:,server", "path");
    assert_no_socket("qemu -qmp tcp:nowhere,server", "HOST:PORT");
    assert_no_socket("qemu -qmp chardev:m", "not on the command line");
    assert_no_socket("qemu -mon mode=control", "names no -chardev");
}

static void
a_chardev_that_nobody_can_connect_to_is_named(void **state)
{
#define MON "qemu -mon chardev=m,mode=control -chardev "
    (void)state;
    assert_no_socket(MON "stdio,id=m", "no socket");
    assert_no_socket(MON "socket,id=m,fd=3,server=on", "libvirt");
    assert_no_socket(MON "socket,id=m,path=/q", "client");
    assert_no_socket(MON "socket,id=m,path=q,abstract=on,server", "abstract");
    assert_no_socket(MON "socket,id=m,port=1,server,telnet=on", "telnet");
    assert_no_socket(MON "socket,id=m,port=1,server,websocket=on", "websocket");
    assert_no_socket(MON "socket,id=m,server=on", "neither a path nor a port");
    assert_no_socket(MON "socket,id=m,port=x,server=on", "HOST:PORT");
    assert_no_socket(MON "socket,id=other,path=/q,server=on",
                     "not on the command line");
#undef MON
}

static void
a_value_of_any_length_is_survived(void **state)
{
    char line[1500] = "qemu -qmp unix:/";
    size_t len = strlen(line);

    (void)state;
    memset(line + len, 'x', sizeof line - 1 - len);
    memcpy(line + sizeof line - 8, ",server", 8);
    assert_no_socket(line, "path");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(qmp_on_a_unix_socket_is_found),
        cmocka_unit_test(qmp_on_tcp_is_found),
        cmocka_unit_test(a_monitor_on_a_chardev_is_found_in_either_order),
        cmocka_unit_test(the_chardev_with_the_right_id_counts),
        cmocka_unit_test(the_first_usable_monitor_counts),
        cmocka_unit_test(a_monitor_for_people_is_no_qmp),
        cmocka_unit_test(a_command_line_that_was_cut_is_survived),
        cmocka_unit_test(a_monitor_that_nobody_can_connect_to_is_named),
        cmocka_unit_test(a_chardev_that_nobody_can_connect_to_is_named),
        cmocka_unit_test(a_value_of_any_length_is_survived),
    };

    return RUN_TESTS(tests);
}
