#include "support_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_case.h"

int
probe_connect(unsigned port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    return fd;
}

static void
say(int fd, const char *text, size_t len)
{
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Wait for the end of the connection, clean or not, and for nothing else. */
static void
expect_drop(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    char byte;
    ssize_t n;

    assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
    n = recv(fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

void
probe_port(unsigned port, enum probe kind)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const char garbage[] = "\x80\x00\xff\x03 and so on \x00\x01\x02";
    static const char qemu[] = "QEVM\0\0\0\x03\x07\0\0\0\x0epc-i440fx-7.2";
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    int fd = probe_connect(port);

    switch (kind) {
    case PROBE_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        break;
    case PROBE_GARBAGE:
        say(fd, garbage, sizeof(garbage) - 1);
        expect_drop(fd);
        break;
    case PROBE_HTTP:
        say(fd, http, sizeof(http) - 1);
        expect_drop(fd);
        break;
    case PROBE_PART: say(fd, "QEV", 3); break;
    case PROBE_QEMU:
        say(fd, qemu, sizeof(qemu) - 1);
        expect_drop(fd);
        break;
    case PROBE_CLOSE:
    case PROBE_KINDS: break;
    }
    close(fd);
}
