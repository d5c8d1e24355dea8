/* Accepting connections, also when there are no descriptors left. */
#include "io/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support_capture.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

enum { ACCEPTED_MAX = 64, FULL = 40 };

struct door {
    struct stage stage;
    struct listener *listener;
    bool frees;
    unsigned count;
    int fds[ACCEPTED_MAX];
    struct sockaddr_storage peer;
    char why[LISTENER_WHY_MAX];
};

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct door *door = arg;

    assert_true(peer_len <= sizeof door->peer);
    memcpy(&door->peer, peer, peer_len);
    door->fds[door->count++] = fd;
    if (door->frees) {
        listener_free(door->listener);
        door->listener = NULL;
    }
}

static void
door_open(struct door *door)
{
    *door = (struct door){ 0 };
    stage_open(&door->stage);
}

static void
door_listen(struct door *door, const char *host, uint16_t port)
{
    struct address address = { .port = port };

    snprintf(address.host, sizeof address.host, "%s", host);
    door->listener = listener_new_tcp(
        door->stage.loop, &address,
        &(struct listener_options){ .on_accept = on_accept, .arg = door },
        door->why);
}

static void
door_close(struct door *door)
{
    listener_free(door->listener);
    for (unsigned i = 0; i < door->count; i++)
        close(door->fds[i]);
    stage_close(&door->stage);
}

static void
a_connection_is_handed_over_with_its_peer(void **state)
{
    struct door door;
    struct sockaddr_in *in = (struct sockaddr_in *)&door.peer;
    int fd;

    (void)state;
    door_open(&door);
    door_listen(&door, "127.0.0.1", 0);
    assert_non_null(door.listener);
    fd = net_connect_tcp("127.0.0.2", net_listening_port());
    STAGE_UNTIL(&door.stage, door.count > 0);
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohl(in->sin_addr.s_addr), 0x7f000002);
    assert_true((fcntl(door.fds[0], F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(door.fds[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(stage_turns_in(&door.stage, 50), 0);
    close(fd);
    door_close(&door);
}

static void
connections_are_handed_over_in_their_order(void **state)
{
    struct door door;
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    uint16_t ports[10];
    int fds[10];

    (void)state;
    door_open(&door);
    door_listen(&door, "127.0.0.1", 0);
    for (int i = 0; i < 10; i++) {
        fds[i] = net_connect_tcp(NULL, net_listening_port());
        getsockname(fds[i], (struct sockaddr *)&in, &length);
        ports[i] = in.sin_port;
    }
    STAGE_UNTIL(&door.stage, door.count == 10);
    for (int i = 0; i < 10; i++) {
        getpeername(door.fds[i], (struct sockaddr *)&in, &length);
        assert_int_equal(in.sin_port, ports[i]);
        close(fds[i]);
    }
    door_close(&door);
}

static void
no_host_is_every_address_of_the_machine(void **state)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    uint16_t port = net_unused_port();
    unsigned expected = 1;
    struct door door;
    int four, six;

    (void)state;
    door_open(&door);
    door_listen(&door, "", port);
    assert_non_null(door.listener);
    four = net_connect_tcp(NULL, port);
    six = socket(AF_INET6, SOCK_STREAM, 0);
    in6.sin6_port = htons(port);
    if (connect(six, (struct sockaddr *)&in6, sizeof in6) == 0)
        expected++;
    else
        print_message("no IPv6 here: %s\n", strerror(errno));
    STAGE_UNTIL(&door.stage, door.count == expected);
    close(four);
    close(six);
    door_close(&door);
}

static void
a_port_in_use_is_refused_with_a_line(void **state)
{
    struct door door;
    char expected[64];
    uint16_t port;
    int fd;

    (void)state;
    fd = net_listen_tcp(&port, 1);
    door_open(&door);
    door_listen(&door, "127.0.0.1", port);
    assert_null(door.listener);
    snprintf(expected, sizeof expected,
             "cannot listen on 127.0.0.1:%u: Address already in use", port);
    assert_string_equal(door.why, expected);
    close(fd);
    door_close(&door);
}

static void
an_address_that_is_not_ours_is_refused_with_a_line(void **state)
{
    struct door door;

    (void)state;
    door_open(&door);
    door_listen(&door, "192.0.2.1", 9);
    assert_null(door.listener);
    assert_string_equal(
        door.why,
        "cannot listen on 192.0.2.1:9: Cannot assign requested address");
    door_listen(&door, "300.0.0.1.", 9);
    assert_null(door.listener);
    assert_int_equal(capture_count(door.why, "cannot listen on 300.0.0.1.:9: "),
                     1);
    door_close(&door);
}

static void
a_listener_may_be_freed_in_its_callback(void **state)
{
    struct door door;
    int first, second;
    char byte;

    (void)state;
    door_open(&door);
    door_listen(&door, "127.0.0.1", 0);
    door.frees = true;
    first = net_connect_tcp(NULL, net_listening_port());
    second = net_connect_tcp(NULL, net_listening_port());
    STAGE_UNTIL(&door.stage, door.count > 0);
    assert_null(door.listener);
    assert_int_equal(stage_turns_in(&door.stage, 20), 0);
    assert_int_equal(door.count, 1);
    /* What was handed over before that is open still. */
    assert_int_equal(write(first, "x", 1), 1);
    assert_int_equal(read(door.fds[0], &byte, 1), 1);
    close(first);
    close(second);
    door_close(&door);
}

/* Let this process open no more than ${limit} descriptors. */
static void
limit_fds(rlim_t limit)
{
    struct rlimit rlimit;

    assert_return_code(getrlimit(RLIMIT_NOFILE, &rlimit), errno);
    rlimit.rlim_cur = limit;
    assert_return_code(setrlimit(RLIMIT_NOFILE, &rlimit), errno);
}

/* Every number below ${limit} is in use after this. */
static unsigned
use_up_fds(int fds[FULL], rlim_t limit)
{
    unsigned count = 0;
    int fd;

    limit_fds(limit);
    while ((fd = dup(STDIN_FILENO)) >= 0)
        fds[count++] = fd;
    return count;
}

static void
accepting_pauses_without_descriptors_and_goes_on_by_itself(void **state)
{
    struct rlimit before;
    struct door door;
    int fds[FULL], clients[3];
    unsigned used;
    const char *said;
    unsigned long turns;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    door_open(&door);
    door_listen(&door, "127.0.0.1", 0);
    capture_start();
    for (int i = 0; i < 3; i++)
        clients[i] = net_connect_tcp(NULL, net_listening_port());
    used = use_up_fds(fds, FULL);

    turns = stage_turns_in(&door.stage, 1200); /* two pauses and some */
    for (unsigned i = 0; i < used; i++)
        close(fds[i]);
    limit_fds(before.rlim_cur);
    assert_int_equal(door.count, 0);
    STAGE_UNTIL(&door.stage, door.count == 3);

    said = capture_stop();
    assert_in_range(turns, 1, 10);
    assert_int_equal(capture_count(said, "cannot accept a connection: "), 1);
    assert_int_equal(capture_count(said, "ulimit -n"), 1);
    assert_int_equal(capture_count(said, "Too many open files"), 1);
    assert_int_equal(capture_count(said, "accepting connections again"), 1);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    door_close(&door);
}

static void
a_paused_listener_may_be_freed(void **state)
{
    struct rlimit before;
    struct door door;
    int fds[FULL], client;
    unsigned used;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    door_open(&door);
    door_listen(&door, "127.0.0.1", 0);
    capture_start();
    client = net_connect_tcp(NULL, net_listening_port());
    used = use_up_fds(fds, FULL);
    stage_turns_in(&door.stage, 20);
    listener_free(door.listener);
    door.listener = NULL;
    stage_turns_in(&door.stage, 600);
    for (unsigned i = 0; i < used; i++)
        close(fds[i]);
    limit_fds(before.rlim_cur);
    assert_int_equal(
        capture_count(capture_stop(), "cannot accept a connection: "), 1);
    close(client);
    door_close(&door);
}

static void
a_listening_socket_may_be_given(void **state)
{
    struct door door;
    uint16_t port;
    int client;

    (void)state;
    door_open(&door);
    door.listener = listener_new_fd(
        door.stage.loop, net_listen_tcp(&port, 1),
        &(struct listener_options){ .on_accept = on_accept, .arg = &door });
    assert_non_null(door.listener);
    client = net_connect_tcp(NULL, port);
    STAGE_UNTIL(&door.stage, door.count > 0);
    listener_free(door.listener);
    door.listener = NULL;
    close(client);
    door_close(&door);
    listener_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_handed_over_with_its_peer),
        cmocka_unit_test(connections_are_handed_over_in_their_order),
        cmocka_unit_test(no_host_is_every_address_of_the_machine),
        cmocka_unit_test(a_port_in_use_is_refused_with_a_line),
        cmocka_unit_test(an_address_that_is_not_ours_is_refused_with_a_line),
        cmocka_unit_test(a_listener_may_be_freed_in_its_callback),
        cmocka_unit_test(
            accepting_pauses_without_descriptors_and_goes_on_by_itself),
        cmocka_unit_test(a_paused_listener_may_be_freed),
        cmocka_unit_test(a_listening_socket_may_be_given),
    };

    return RUN_TESTS(tests);
}
