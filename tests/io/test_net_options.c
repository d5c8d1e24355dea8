/* Sockets of the kind that the operator asks for. */
#include "io/net_options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/net_cli.h"
#include "support_capture.h"
#include "support_no_mptcp.h"
#include "support_test.h"

enum { EF = 46, EF_BYTE = EF << 2 };

static int
protocol_of(int fd)
{
    int protocol = 0;
    socklen_t length = sizeof protocol;

    assert_int_equal(
        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length), 0);
    return protocol;
}

static int
option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;

    assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

/* A kernel without MPTCP has nothing to test it with. */
static void
skip_without_mptcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

    if (fd >= 0) {
        close(fd);
        return;
    }
    print_message("             skipped: the kernel has no MPTCP\n");
    skip();
}

/* Connect a socket of ${client} to one of ${server}, both on loopback. */
static void
connect_two(const struct net_options *client, const struct net_options *server,
            int fds[2])
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof at;
    int listener = net_socket(server, AF_INET);

    fds[0] = net_socket(client, AF_INET);
    assert_true(listener >= 0 && fds[0] >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    assert_true(connect(fds[0], (struct sockaddr *)&at, sizeof at) == 0 ||
                errno == EINPROGRESS);
    do
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (fds[1] < 0 && errno == EAGAIN);
    assert_true(fds[1] >= 0);
    net_prepare(server, fds[1]);
    close(listener);
}

static void
close_two(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void
a_socket_is_tcp_unless_mptcp_is_asked_for(void **state)
{
    int fd = net_socket(NULL, AF_INET);

    (void)state;
    assert_int_equal(protocol_of(fd), IPPROTO_TCP);
    assert_int_not_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    close(fd);
}

static void
two_ends_with_mptcp_speak_it(void **state)
{
    static const struct net_options both = { .mptcp = true };
    int fds[2];

    (void)state;
    skip_without_mptcp();
    connect_two(&both, &both, fds);
    for (int i = 0; i < 2; i++) {
        assert_true(net_is_mptcp(fds[i]));
        assert_int_not_equal(option_of(fds[i], IPPROTO_TCP, TCP_NODELAY), 0);
    }
    capture_start();
    net_say(&both, fds[0], "session 1234");
    assert_non_null(strstr(capture_stop(), "session 1234: over MPTCP\n"));
    close_two(fds);
}

static void
one_end_without_mptcp_makes_it_tcp_with_a_line(void **state)
{
    static const struct net_options with = { .mptcp = true }, without = { 0 };
    const struct net_options *ends[2][2] = { { &with, &without },
                                             { &without, &with } };
    int fds[2];

    (void)state;
    skip_without_mptcp();
    for (int i = 0; i < 2; i++) {
        connect_two(ends[i][0], ends[i][1], fds);
        assert_false(net_is_mptcp(fds[0]));
        assert_false(net_is_mptcp(fds[1]));
        capture_start();
        net_say(&with, fds[i], "session 1234");
        assert_non_null(strstr(capture_stop(), "session 1234: over plain TCP"));
        capture_start();
        net_say(&without, fds[!i], "session 1234");
        net_say(NULL, fds[!i], "session 1234");
        assert_string_equal(capture_stop(), "");
        close_two(fds);
    }
}

static void
a_kernel_without_mptcp_is_told_of_once_and_tcp_is_used(void **state)
{
    static const int errors[] = { ENOPROTOOPT, EPROTONOSUPPORT, EINVAL };
    char why[NET_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct net_options net = { .mptcp = true };
        int fd;

        no_mptcp(errors[i]);
        fd = net_socket(&net, AF_INET); /* it may be switched off later */
        assert_int_equal(protocol_of(fd), IPPROTO_TCP);
        close(fd);
        capture_start();
        assert_int_equal(net_options_check(&net, why), 0);
        net_say(&net, -1, "session 1234");
        assert_int_equal(capture_count(capture_stop(), "no MPTCP here"), 1);
        assert_false(net.mptcp);
        no_mptcp(0);
    }
}

static void
a_congestion_control_is_set(void **state)
{
    struct net_options net = { .congestion = "reno" };
    char why[NET_WHY_MAX], name[NET_CONGESTION_MAX] = "";
    socklen_t length = sizeof name;
    int fd;

    (void)state;
    assert_int_equal(net_options_check(&net, why), 0);
    fd = net_socket(&net, AF_INET6);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length),
                     0);
    assert_string_equal(name, "reno");
    close(fd);
}

static void
a_congestion_control_that_there_is_not_is_an_error_with_those_that_there_are(
    void **state)
{
    struct net_options net = { .congestion = "no-such-one" };
    char why[NET_WHY_MAX];

    (void)state;
    assert_int_equal(net_options_check(&net, why), -1);
    assert_non_null(strstr(why, "'no-such-one'"));
    assert_non_null(strstr(why, "there is: "));
    assert_non_null(strstr(why, "reno"));
}

static void
packets_are_marked_in_both_families(void **state)
{
    static const struct net_options net = { .dscp = EF };
    int four = net_socket(&net, AF_INET), six = net_socket(&net, AF_INET6);

    (void)state;
    assert_int_equal(option_of(four, IPPROTO_IP, IP_TOS), EF_BYTE);
    if (six >= 0) {
        assert_int_equal(option_of(six, IPPROTO_IPV6, IPV6_TCLASS), EF_BYTE);
        assert_int_equal(option_of(six, IPPROTO_IP, IP_TOS), EF_BYTE);
        close(six);
    }
    close(four);
}

static void
what_mptcp_sockets_lack_does_no_harm(void **state)
{
    struct net_options net = { .mptcp = true,
                               .congestion = "reno",
                               .dscp = EF };
    char why[NET_WHY_MAX];
    int fds[2];

    (void)state;
    skip_without_mptcp();
    capture_start();
    assert_int_equal(net_options_check(&net, why), 0);
    (void)capture_stop(); /* IPv6 may go unmarked, with a line */
    connect_two(&net, &net, fds);
    for (int i = 0; i < 2; i++) {
        assert_true(net_is_mptcp(fds[i]));
        assert_int_equal(option_of(fds[i], IPPROTO_IP, IP_TOS), EF_BYTE);
    }
    close_two(fds);
}

static void
options_are_taken_or_refused(void **state)
{
    struct net_cli cli = { .bandwidth = 0 };
    struct net_options *net = &cli.options;

    (void)state;
    assert_null(net_cli_take(&cli, NET_MPTCP, NULL));
    assert_true(net->mptcp);
    assert_null(net_cli_take(&cli, NET_CONGESTION, "fifteen-letters"));
    assert_string_equal(net->congestion, "fifteen-letters");
    assert_non_null(net_cli_take(&cli, NET_CONGESTION, "sixteen--letters"));
    assert_non_null(net_cli_take(&cli, NET_CONGESTION, ""));
    assert_string_equal(net->congestion, "fifteen-letters");
    assert_null(net_cli_take(&cli, NET_DSCP, "ef"));
    assert_int_equal(net->dscp, EF);
    assert_non_null(net_cli_take(&cli, NET_DSCP, "64"));
    assert_int_equal(net->dscp, EF);
    assert_null(net_cli_take(&cli, NET_BANDWIDTH, "16K"));
    assert_int_equal(cli.bandwidth, 16 << 10);
    assert_non_null(net_cli_take(&cli, NET_BANDWIDTH, "16383"));
    assert_non_null(net_cli_take(&cli, NET_BANDWIDTH, "fast"));
    assert_int_equal(cli.bandwidth, 16 << 10);
    assert_null(net_cli_take(&cli, NET_BANDWIDTH, "0"));
    assert_int_equal(cli.bandwidth, 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_is_tcp_unless_mptcp_is_asked_for),
        cmocka_unit_test(two_ends_with_mptcp_speak_it),
        cmocka_unit_test(one_end_without_mptcp_makes_it_tcp_with_a_line),
        cmocka_unit_test(
            a_kernel_without_mptcp_is_told_of_once_and_tcp_is_used),
        cmocka_unit_test(a_congestion_control_is_set),
        cmocka_unit_test(
            a_congestion_control_that_there_is_not_is_an_error_with_those_that_there_are),
        cmocka_unit_test(packets_are_marked_in_both_families),
        cmocka_unit_test(what_mptcp_sockets_lack_does_no_harm),
        cmocka_unit_test(options_are_taken_or_refused),
    };

    return RUN_TESTS(tests);
}
