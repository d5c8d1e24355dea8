/* Making TCP connections, and trying again. */
#include "io/dialer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_acceptor.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

/* The loop's clock is coarse: a timer may be so much early. */
enum { EARLY_MS = 20 };

struct call {
    struct stage stage;
    struct dialer *dialer;
    unsigned done;
    int fd;
    char why[256];
    uint64_t start_ms;
    uint64_t done_ms;
    unsigned retries;
    char retry_why[256];
    uint64_t retry_ms[64];
};

static void
on_done(void *arg, int fd, const char *why)
{
    struct call *call = arg;

    call->done++;
    call->fd = fd;
    call->done_ms = stage_now_ms();
    dialer_free(call->dialer);
    call->dialer = NULL;
    snprintf(call->why, sizeof call->why, "%s", why != NULL ? why : "");
}

static void
on_retry(void *arg, const char *why)
{
    struct call *call = arg;

    call->retry_ms[call->retries++] = stage_now_ms();
    snprintf(call->retry_why, sizeof call->retry_why, "%s", why);
}

static void
call_open(struct call *call)
{
    *call = (struct call){ .fd = -1 };
    stage_open(&call->stage);
}

static void
call_start(struct call *call, const char *host, uint16_t port, uint64_t wait_ms)
{
    struct dialer_options options = {
        .address = { .port = port },
        .wait_ms = wait_ms,
        .attempt_ms = 100,
        .on_done = on_done,
        .on_retry = on_retry,
        .arg = call,
    };

    snprintf(options.address.host, sizeof options.address.host, "%s", host);
    call->start_ms = stage_now_ms();
    call->dialer = dialer_new(call->stage.loop, &options);
    assert_non_null(call->dialer);
    assert_int_equal(call->done, 0);
}

static void
call_close(struct call *call)
{
    dialer_free(call->dialer);
    if (call->fd >= 0)
        close(call->fd);
    stage_close(&call->stage);
}

static void
a_connection_is_made_once(void **state)
{
    int on = 0, listener;
    socklen_t length = sizeof on;
    struct call call;
    uint16_t port;

    (void)state;
    call_open(&call);
    listener = net_listen_tcp(&port, 1);
    call_start(&call, "127.0.0.1", port, 0);
    STAGE_UNTIL(&call.stage, call.done > 0);
    assert_true(call.fd >= 0);
    assert_int_equal(call.retries, 0);
    assert_true((fcntl(call.fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(call.fd, F_GETFD) & FD_CLOEXEC) != 0);
    getsockopt(call.fd, IPPROTO_TCP, TCP_NODELAY, &on, &length);
    assert_int_not_equal(on, 0);
    assert_int_equal(stage_turns_in(&call.stage, 50), 0);
    assert_int_equal(call.done, 1);
    close(listener);
    call_close(&call);
}

static void
each_address_of_a_name_is_tried(void **state)
{
    struct call call;
    uint16_t port;
    int listener;

    (void)state; /* localhost may be ::1 first, where nobody listens */
    call_open(&call);
    listener = net_listen_tcp(&port, 1);
    call_start(&call, "localhost", port, 0);
    STAGE_UNTIL(&call.stage, call.done > 0);
    assert_true(call.fd >= 0);
    close(listener);
    call_close(&call);
}

static void
without_time_to_wait_there_is_one_attempt(void **state)
{
    struct call call;

    (void)state;
    call_open(&call);
    call_start(&call, "127.0.0.1", net_unused_port(), 0);
    STAGE_UNTIL(&call.stage, call.done > 0);
    assert_int_equal(call.fd, -1);
    assert_int_equal(call.retries, 0);
    assert_string_equal(call.why, "Connection refused");
    call_close(&call);
}

static void
a_name_that_nobody_knows_is_the_reason(void **state)
{
    struct call call;

    (void)state;
    call_open(&call);
    call_start(&call, "300.0.0.1.", 80, 0);
    STAGE_UNTIL(&call.stage, call.done > 0);
    assert_int_equal(call.fd, -1);
    assert_int_not_equal(strlen(call.why), 0);
    assert_string_not_equal(call.why, "Connection refused");
    call_close(&call);
}

static void
it_tries_again_until_someone_listens(void **state)
{
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    struct call call;
    uint16_t port;
    int fd;

    (void)state;
    call_open(&call);
    /* Bound but not listening: refused, and nobody else takes the port. */
    fd = net_listen_tcp(&port, 1);
    getsockname(fd, (struct sockaddr *)&in, &length);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    call_start(&call, "127.0.0.1", port, 20000);
    STAGE_UNTIL(&call.stage, call.retries == 2);
    assert_string_equal(call.retry_why, "Connection refused");
    listen(fd, 1);
    STAGE_UNTIL(&call.stage, call.done > 0);
    assert_true(call.fd >= 0);
    assert_int_equal(call.retries, 2);
    close(fd);
    call_close(&call);
}

static void
the_pauses_grow(void **state)
{
    struct call call;

    (void)state;
    call_open(&call);
    call_start(&call, "127.0.0.1", net_unused_port(), 20000);
    STAGE_UNTIL(&call.stage, call.retries == 4);
    for (unsigned i = 1; i < 4; i++)
        assert_true(call.retry_ms[i] - call.retry_ms[i - 1] + EARLY_MS >=
                    (uint64_t)100 << (i - 1));
    assert_int_equal(call.done, 0);
    call_close(&call);
}

static void
the_last_attempt_is_made_when_the_time_is_over(void **state)
{
    struct call call;

    (void)state;
    call_open(&call);
    call_start(&call, "127.0.0.1", net_unused_port(), 250);
    STAGE_UNTIL(&call.stage, call.done > 0);
    assert_int_equal(call.fd, -1);
    assert_string_equal(call.why, "Connection refused");
    assert_true(call.done_ms - call.start_ms + EARLY_MS >= 250);
    /* After 0 and 100 ms; the timer may be a little early for the last. */
    assert_in_range(call.retries, 2, 3);
    assert_int_equal(stage_turns_in(&call.stage, 50), 0);
    assert_int_equal(call.done, 1);
    call_close(&call);
}

/* A listener that answers nobody: its backlog is full. */
static int
listen_deaf(uint16_t *port, int crowd[2])
{
    int fd = net_listen_tcp(port, 0);

    crowd[0] = net_connect_tcp(NULL, *port);
    crowd[1] = -1;
    return fd;
}

static void
an_address_that_does_not_answer_is_given_up(void **state)
{
    struct call call;
    int listener, crowd[2];
    uint16_t port;

    (void)state;
    call_open(&call);
    listener = listen_deaf(&port, crowd);
    call_start(&call, "127.0.0.1", port, 0);
    STAGE_UNTIL(&call.stage, call.done > 0);
    assert_int_equal(call.fd, -1);
    assert_string_equal(call.why, "Connection timed out");
    assert_true(call.done_ms - call.start_ms + EARLY_MS >= 100);
    close(crowd[0]);
    close(listener);
    call_close(&call);
}

static void
a_dialer_may_be_freed_at_any_time(void **state)
{
    unsigned fds = net_open_fds();
    int listener, crowd[2];
    struct call call;
    uint16_t port;

    (void)state;
    listener = listen_deaf(&port, crowd);
    for (unsigned turns = 0; turns < 4; turns++) {
        call_open(&call);
        call_start(&call, "127.0.0.1", port, 20000);
        for (unsigned i = 0; i < turns; i++)
            stage_turn(&call.stage);
        call_close(&call);
        assert_int_equal(call.done, 0);
    }
    dialer_free(NULL);
    close(crowd[0]);
    close(listener);
    while (net_open_fds() > fds) /* the resolver's threads close theirs */
        assert_int_not_equal(usleep(1000), -1);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_made_once),
        cmocka_unit_test(each_address_of_a_name_is_tried),
        cmocka_unit_test(without_time_to_wait_there_is_one_attempt),
        cmocka_unit_test(a_name_that_nobody_knows_is_the_reason),
        cmocka_unit_test(it_tries_again_until_someone_listens),
        cmocka_unit_test(the_pauses_grow),
        cmocka_unit_test(the_last_attempt_is_made_when_the_time_is_over),
        cmocka_unit_test(an_address_that_does_not_answer_is_given_up),
        cmocka_unit_test(a_dialer_may_be_freed_at_any_time),
    };

    return RUN_TESTS(tests);
}
