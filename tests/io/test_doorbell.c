/* Asking the helper that waits on this host to release the guest. */
#include "migrate/doorbell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_stage.h"
#include "support_test.h"

enum { NOBODY_THERE = 100, STRANGER = 65534, POLL_MS = 10 };

/* A monitor's socket file, and the one that waits. */
struct waiting {
    struct stage stage;
    char dir[32];
    struct qmp_target target;
    struct doorbell *doorbell;
    unsigned rung;
};

static void
on_ring(void *arg)
{
    struct waiting *waiting = arg;

    waiting->rung++;
}

static void
make_socket(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
}

static void
open_waiting(struct waiting *waiting)
{
    memset(waiting, 0, sizeof *waiting);
    snprintf(waiting->dir, sizeof waiting->dir, "/tmp/mig-test-XXXXXX");
    assert_non_null(mkdtemp(waiting->dir));
    assert_int_equal(chmod(waiting->dir, 0755), 0);
    snprintf(waiting->target.path, sizeof waiting->target.path, "%s/qmp",
             waiting->dir);
    make_socket(waiting->target.path);
    stage_open(&waiting->stage);
    waiting->doorbell =
        doorbell_new(waiting->stage.loop, &waiting->target, on_ring, waiting);
    assert_non_null(waiting->doorbell);
}

static void
close_waiting(struct waiting *waiting)
{
    doorbell_free(waiting->doorbell);
    unlink(waiting->target.path);
    rmdir(waiting->dir);
    stage_close(&waiting->stage);
}

/* Another process asks, as ${user}, and exits with the answer. */
static pid_t
ask(const struct qmp_target *target, uid_t user)
{
    enum exit_status status = STATUS_USAGE;
    pid_t pid = fork();

    assert_int_not_equal(pid, -1);
    if (pid != 0)
        return pid;
    if (user != geteuid() && setuid(user) != 0)
        _exit(STATUS_USAGE);
    _exit(doorbell_ring(target, &status) ? (int)status : NOBODY_THERE);
}

static int
answer_to(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
who_asks_hears_what_came_of_it(void **state)
{
    static const enum exit_status answers[] = { STATUS_DONE, STATUS_FAILED,
                                                STATUS_UNKNOWN };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct waiting waiting;
        pid_t pid;

        open_waiting(&waiting);
        pid = ask(&waiting.target, geteuid());
        STAGE_UNTIL(&waiting.stage, waiting.rung == 1);
        doorbell_answer(waiting.doorbell, answers[i]);
        assert_int_equal(answer_to(pid), answers[i]);
        close_waiting(&waiting);
    }
}

static void
monitor_has_the_same_doorbell_by_every_path(void **state)
{
    struct waiting waiting;
    struct qmp_target other = { .path = "" };
    pid_t pid;

    (void)state;
    open_waiting(&waiting);
    snprintf(other.path, sizeof other.path, "%s/link", waiting.dir);
    assert_int_equal(symlink(waiting.target.path, other.path), 0);
    pid = ask(&other, geteuid());
    STAGE_UNTIL(&waiting.stage, waiting.rung == 1);
    doorbell_answer(waiting.doorbell, STATUS_DONE);
    assert_int_equal(answer_to(pid), STATUS_DONE);
    unlink(other.path);
    close_waiting(&waiting);
}

static void
where_nobody_waits_nobody_is_asked(void **state)
{
    struct qmp_target nowhere = { .path = "/nowhere/qmp" };
    enum exit_status status;

    (void)state;
    assert_false(doorbell_ring(&nowhere, &status));
}

static void
who_waits_and_ends_without_a_word_leaves_it_unknown(void **state)
{
    struct waiting waiting;
    pid_t pid;

    (void)state;
    open_waiting(&waiting);
    pid = ask(&waiting.target, geteuid());
    STAGE_UNTIL(&waiting.stage, waiting.rung == 1);
    doorbell_free(waiting.doorbell);
    waiting.doorbell = NULL;
    assert_int_equal(answer_to(pid), STATUS_UNKNOWN);
    close_waiting(&waiting);
}

/* As when a stranger has taken the name. */
static void
doorbell_that_is_never_answered_is_not_waited_for(void **state)
{
    enum { CALLERS = 32 }; /* more than may wait to be let in */
    struct waiting waiting;
    pid_t pids[CALLERS];
    unsigned turned_away = 0;

    (void)state;
    open_waiting(&waiting);
    for (unsigned i = 0; i < CALLERS; i++)
        pids[i] = ask(&waiting.target, geteuid());
    while (turned_away == 0) {
        usleep(POLL_MS * 1000);
        for (unsigned i = 0; i < CALLERS; i++) {
            int status = -1;

            if (pids[i] == 0 || waitpid(pids[i], &status, WNOHANG) != pids[i])
                continue;
            assert_int_equal(WEXITSTATUS(status), NOBODY_THERE);
            pids[i] = 0;
            turned_away++;
        }
    }
    doorbell_free(waiting.doorbell);
    waiting.doorbell = NULL;
    for (unsigned i = 0; i < CALLERS; i++)
        if (pids[i] != 0)
            waitpid(pids[i], NULL, 0);
    close_waiting(&waiting);
}

static bool
has_ended(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

static void
stranger_can_release_nothing(void **state)
{
    struct waiting waiting;
    int status = -1;
    pid_t pid;

    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: only root can be somebody else\n");
        skip();
    }
    open_waiting(&waiting);
    pid = ask(&waiting.target, STRANGER);
    while (!has_ended(pid, &status))
        stage_turns_in(&waiting.stage, POLL_MS);
    assert_int_equal(WEXITSTATUS(status), STATUS_UNKNOWN);
    assert_int_equal(waiting.rung, 0);
    close_waiting(&waiting);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_hears_what_came_of_it),
        cmocka_unit_test(monitor_has_the_same_doorbell_by_every_path),
        cmocka_unit_test(where_nobody_waits_nobody_is_asked),
        cmocka_unit_test(who_waits_and_ends_without_a_word_leaves_it_unknown),
        cmocka_unit_test(doorbell_that_is_never_answered_is_not_waited_for),
        cmocka_unit_test(stranger_can_release_nothing),
    };

    return RUN_TESTS(tests);
}
