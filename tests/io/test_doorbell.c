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

#include "support_session_clock.h"
#include "support_stage.h"
#include "support_test.h"

enum { STRANGER = 65534, POLL_MS = 10, FASTER = 50 };

/* A monitor's socket file, and the one that waits. */
struct waiting {
    struct stage stage;
    char dir[32];
    struct qmp_target target;
    struct doorbell *doorbell;
    unsigned rung;
    unsigned answers; /* to those who ask */
    enum exit_status answer;
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

static void
on_answer(void *arg, enum exit_status status)
{
    struct waiting *waiting = arg;

    waiting->answers++;
    waiting->answer = status;
}

/* The one who waits and the one who asks are on the same loop, so that neither
 * may hold it up. */
static struct ring *
ask(struct waiting *waiting, const struct qmp_target *target)
{
    struct ring *ring =
        ring_new(waiting->stage.loop, target, on_answer, waiting);

    assert_non_null(ring);
    return ring;
}

static enum exit_status
answer_to(struct waiting *waiting, struct ring *ring)
{
    STAGE_UNTIL(&waiting->stage, waiting->answers > 0);
    stage_rest(&waiting->stage);
    assert_int_equal(waiting->answers, 1);
    ring_free(ring);
    return waiting->answer;
}

static void
who_asks_hears_what_came_of_it(void **state)
{
    static const enum exit_status answers[] = { STATUS_DONE, STATUS_FAILED,
                                                STATUS_UNKNOWN };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct waiting waiting;
        struct ring *ring;

        open_waiting(&waiting);
        ring = ask(&waiting, &waiting.target);
        STAGE_UNTIL(&waiting.stage, waiting.rung == 1);
        assert_int_equal(waiting.answers, 0);
        doorbell_answer(waiting.doorbell, answers[i]);
        assert_int_equal(answer_to(&waiting, ring), answers[i]);
        close_waiting(&waiting);
    }
}

static void
monitor_has_the_same_doorbell_by_every_path(void **state)
{
    struct waiting waiting;
    struct qmp_target other = { .path = "" };
    struct ring *ring;

    (void)state;
    open_waiting(&waiting);
    snprintf(other.path, sizeof other.path, "%s/link", waiting.dir);
    assert_int_equal(symlink(waiting.target.path, other.path), 0);
    ring = ask(&waiting, &other);
    STAGE_UNTIL(&waiting.stage, waiting.rung == 1);
    doorbell_answer(waiting.doorbell, STATUS_DONE);
    assert_int_equal(answer_to(&waiting, ring), STATUS_DONE);
    unlink(other.path);
    close_waiting(&waiting);
}

static void
where_nobody_waits_nobody_is_asked(void **state)
{
    struct qmp_target nowhere = { .path = "/nowhere/qmp" };
    struct waiting waiting;

    (void)state;
    open_waiting(&waiting);
    assert_null(ring_new(waiting.stage.loop, &nowhere, on_answer, &waiting));
    close_waiting(&waiting);
}

static void
who_waits_and_ends_without_a_word_leaves_it_unknown(void **state)
{
    struct waiting waiting;
    struct ring *ring;

    (void)state;
    open_waiting(&waiting);
    ring = ask(&waiting, &waiting.target);
    STAGE_UNTIL(&waiting.stage, waiting.rung == 1);
    doorbell_free(waiting.doorbell);
    waiting.doorbell = NULL;
    assert_int_equal(answer_to(&waiting, ring), STATUS_UNKNOWN);
    close_waiting(&waiting);
}

static void
who_waits_and_never_answers_leaves_it_unknown(void **state)
{
    struct waiting waiting;
    struct ring *ring;

    (void)state;
    open_waiting(&waiting);
    session_clock_speed(FASTER);
    ring = ask(&waiting, &waiting.target);
    assert_int_equal(answer_to(&waiting, ring), STATUS_UNKNOWN);
    session_clock_speed(1);
    assert_int_equal(waiting.rung, 1);
    close_waiting(&waiting);
}

static void
who_asks_and_leaves_is_not_missed(void **state)
{
    struct waiting waiting;
    struct ring *ring;

    (void)state;
    open_waiting(&waiting);
    ring = ask(&waiting, &waiting.target);
    STAGE_UNTIL(&waiting.stage, waiting.rung == 1);
    ring_free(ring);
    doorbell_answer(waiting.doorbell, STATUS_DONE);
    ring = ask(&waiting, &waiting.target);
    STAGE_UNTIL(&waiting.stage, waiting.rung == 2);
    doorbell_answer(waiting.doorbell, STATUS_FAILED);
    assert_int_equal(answer_to(&waiting, ring), STATUS_FAILED);
    close_waiting(&waiting);
}

/* As when a stranger has taken the name. */
static void
doorbell_that_is_never_answered_is_not_waited_for(void **state)
{
    enum { CALLERS = 32 }; /* more than may wait to be let in */
    struct ring *rings[CALLERS];
    struct waiting waiting;
    unsigned let_in = 0;

    (void)state;
    open_waiting(&waiting);
    for (unsigned i = 0; i < CALLERS; i++) {
        rings[i] =
            ring_new(waiting.stage.loop, &waiting.target, on_answer, &waiting);
        let_in += rings[i] != NULL;
    }
    assert_in_range(let_in, 1, CALLERS - 1);
    for (unsigned i = 0; i < CALLERS; i++)
        ring_free(rings[i]);
    close_waiting(&waiting);
}

/* Another process asks, as ${user}, and exits with the answer. */
static pid_t
ask_as(const struct qmp_target *target, uid_t user)
{
    struct waiting other = { .answer = STATUS_USAGE };
    pid_t pid = fork();

    assert_int_not_equal(pid, -1);
    if (pid != 0)
        return pid;
    if (setuid(user) != 0)
        _exit(STATUS_USAGE);
    stage_open(&other.stage);
    ask(&other, target);
    STAGE_UNTIL(&other.stage, other.answers > 0);
    _exit((int)other.answer);
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
    pid = ask_as(&waiting.target, STRANGER);
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
        cmocka_unit_test(who_waits_and_never_answers_leaves_it_unknown),
        cmocka_unit_test(who_asks_and_leaves_is_not_missed),
        cmocka_unit_test(doorbell_that_is_never_answered_is_not_waited_for),
        cmocka_unit_test(stranger_can_release_nothing),
    };

    return RUN_TESTS(tests);
}
