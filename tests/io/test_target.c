/* A QEMU's QMP socket, found by its process id. */
#include "migrate/target.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_net.h"
#include "support_test.h"

/* A process that only looks like a QEMU: it sleeps, and its command line has
 * ${option} and ${value}. */
static pid_t
start(const char *dir, const char *option, const char *value)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_return_code(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* sh replaces itself by nothing, and reads from a pipe that stays
         * open: its command line is what it was given. */
        dup2(ready[1], STDOUT_FILENO);
        if (chdir(dir) == 0)
            execl("/bin/sh", "sh", "-c",
                  "echo; exec 1>&-; while :; do sleep 9; done", option, value,
                  (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void
stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void
assert_why(pid_t pid, const char *part)
{
    struct qmp_target target;
    char why[TARGET_WHY_MAX] = "";

    assert_int_equal(target_of_pid(pid, &target, why), -1);
    if (strstr(why, part) == NULL)
        fail_msg("%s", why);
}

static void
an_absolute_path_is_taken_as_it_is(void **state)
{
    struct qmp_target target;
    char why[TARGET_WHY_MAX];
    pid_t pid = start("/", "-qmp", "unix:/run/q,server=on,wait=off");

    (void)state;
    assert_int_equal(target_of_pid(pid, &target, why), 0);
    assert_string_equal(target.path, "/run/q");
    stop(pid);
}

static void
a_relative_path_is_in_the_working_directory_of_qemu(void **state)
{
    struct qmp_target target;
    char why[TARGET_WHY_MAX], dir[NET_PATH_MAX], expected[64];
    pid_t pid;

    (void)state;
    net_temp_dir(dir);
    pid = start(dir, "-qmp", "unix:q,server=on");
    assert_int_equal(target_of_pid(pid, &target, why), 0);
    snprintf(expected, sizeof expected, "%s/q", dir);
    assert_string_equal(target.path, expected);
    stop(pid);
    net_remove_dir(dir);
}

static void
a_relative_path_that_gets_too_long_goes_by_way_of_proc(void **state)
{
    struct qmp_target target;
    char why[TARGET_WHY_MAX], dir[NET_PATH_MAX], name[101], value[128];
    char expected[140];
    pid_t pid;

    (void)state;
    memset(name, 'x', sizeof name);
    name[85] = '\0';
    snprintf(value, sizeof value, "unix:%s,server=on", name);
    net_temp_dir(dir);
    pid = start(dir, "-qmp", value);
    assert_true(strlen(dir) + strlen(name) + 1 >= 100);
    assert_int_equal(target_of_pid(pid, &target, why), 0);
    if (strlen(dir) + 1 + strlen(name) >= sizeof target.path)
        snprintf(expected, sizeof expected, "/proc/%d/cwd/%s", (int)pid, name);
    else
        snprintf(expected, sizeof expected, "%s/%s", dir, name);
    assert_string_equal(target.path, expected);
    stop(pid);
    name[85] = 'x';
    name[100] = '\0';
    snprintf(value, sizeof value, "unix:%s,server=on", name);
    pid = start(dir, "-qmp", value);
    assert_why(pid, "too long a path");
    stop(pid);
    net_remove_dir(dir);
}

static void
tcp_is_found_as_well(void **state)
{
    struct qmp_target target;
    char why[TARGET_WHY_MAX];
    pid_t pid = start("/", "-qmp", "tcp::4444,server=on");

    (void)state;
    assert_int_equal(target_of_pid(pid, &target, why), 0);
    assert_string_equal(target.path, "");
    assert_int_equal(target.address.port, 4444);
    stop(pid);
}

static void
a_process_without_qmp_is_named(void **state)
{
    pid_t pid = start("/", "-monitor", "none");

    (void)state;
    assert_why(pid, "has no -qmp");
    stop(pid);
}

static void
a_qmp_monitor_without_a_socket_is_named(void **state)
{
    pid_t pid = start("/", "-qmp", "stdio");

    (void)state;
    assert_why(pid, "neither unix: nor tcp:");
    stop(pid);
}

static void
a_process_that_is_gone_is_named(void **state)
{
    pid_t pid = start("/", "-qmp", "unix:/q,server");

    (void)state;
    stop(pid);
    assert_why(pid, "there is no process");
}

static void
only_a_socket_may_be_a_qmp_socket(void **state)
{
    struct qmp_target target = { .path = "" };
    char why[TARGET_WHY_MAX] = "", dir[NET_PATH_MAX];
    int fd;

    (void)state;
    assert_int_equal(target_check(&target, why), 0);
    net_temp_dir(dir);
    snprintf(target.path, sizeof target.path, "%s/q", dir);
    assert_int_equal(target_check(&target, why), 0);
    fd = net_listen_unix(target.path, 1);
    assert_int_equal(target_check(&target, why), 0);
    close(fd);
    snprintf(target.path, sizeof target.path, "%s", dir);
    assert_int_equal(target_check(&target, why), -1);
    assert_non_null(strstr(why, "is no socket"));
    net_remove_dir(dir);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absolute_path_is_taken_as_it_is),
        cmocka_unit_test(a_relative_path_is_in_the_working_directory_of_qemu),
        cmocka_unit_test(
            a_relative_path_that_gets_too_long_goes_by_way_of_proc),
        cmocka_unit_test(tcp_is_found_as_well),
        cmocka_unit_test(a_process_without_qmp_is_named),
        cmocka_unit_test(a_qmp_monitor_without_a_socket_is_named),
        cmocka_unit_test(a_process_that_is_gone_is_named),
        cmocka_unit_test(only_a_socket_may_be_a_qmp_socket),
    };

    return RUN_TESTS(tests);
}
