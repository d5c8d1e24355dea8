#include "support_net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support_test.h"

enum { FDS_MAX = 1024 };

static struct sockaddr_in
loopback(const char *host, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

    inet_pton(AF_INET, host, &in.sin_addr);
    return in;
}

static struct sockaddr_un
unix_address(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    return un;
}

static void
set_nonblocking(int fd)
{
    assert_return_code(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

void
net_tcp_pair(int fds[2])
{
    static const int on = 1; /* small buffers would wait for slow ACKs */
    uint16_t port;
    int listener = net_listen_tcp(&port, 1);

    fds[0] = net_connect_tcp(NULL, port);
    set_nonblocking(fds[0]);
    fds[1] = -1;
    while (fds[1] < 0)
        fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    close(listener);
    for (int i = 0; i < 2; i++)
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void
net_unix_pair(int fds[2])
{
    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                       0);
}

static uint16_t
port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t length = sizeof in;

    assert_return_code(getsockname(fd, (struct sockaddr *)&in, &length), 0);
    return ntohs(in.sin_port);
}

int
net_listen_tcp(uint16_t *port, int backlog)
{
    struct sockaddr_in in = loopback("127.0.0.1", 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_return_code(fd, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_return_code(listen(fd, backlog), 0);
    *port = port_of(fd);
    return fd;
}

int
net_connect_tcp(const char *from, uint16_t port)
{
    struct sockaddr_in in = loopback("127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_return_code(fd, 0);
    if (from != NULL) {
        struct sockaddr_in own = loopback(from, 0);

        assert_return_code(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    }
    assert_return_code(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    set_nonblocking(fd);
    return fd;
}

uint16_t
net_unused_port(void)
{
    uint16_t port;

    close(net_listen_tcp(&port, 1));
    return port;
}

/* Whether ${fd} is a TCP socket that listens. */
static bool
listens_on_tcp(int fd)
{
    int listens = 0, domain = 0;
    socklen_t length = sizeof listens;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
           listens && domain == AF_INET;
}

uint16_t
net_listening_port(void)
{
    uint16_t port = 0;

    for (int fd = 0; fd < FDS_MAX; fd++) {
        if (!listens_on_tcp(fd))
            continue;
        assert_int_equal(port, 0);
        port = port_of(fd);
    }
    assert_int_not_equal(port, 0);
    return port;
}

bool
net_someone_listens(uint16_t port)
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (listens_on_tcp(fd) && port_of(fd) == port)
            return true;
    return false;
}

int
net_listen_unix(const char *path, int backlog)
{
    struct sockaddr_un un = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_return_code(fd, 0);
    assert_return_code(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    assert_return_code(listen(fd, backlog), 0);
    return fd;
}

int
net_connect_unix(const char *path)
{
    struct sockaddr_un un = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_return_code(fd, 0);
    if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0)
        return fd;
    close(fd);
    return -1;
}

void
net_send_buffer(int fd, int bytes)
{
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void
net_receive_buffer(int fd, int bytes)
{
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void
net_temp_dir(char path[NET_PATH_MAX])
{
    snprintf(path, NET_PATH_MAX, "/tmp/mig-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void
net_remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    assert_return_code(rmdir(path), 0);
}

unsigned
net_open_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < FDS_MAX; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}
