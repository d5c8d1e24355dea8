#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/fd.h"
#include "base/log.h"
#include "proc.h"

enum { LOOK_MS = 5, MS_NS = 1000000 };

union any_address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_un un;
};

static const char *
unix_path(const char *uri)
{
    return strncmp(uri, "unix:", 5) == 0 ? uri + 5 : NULL;
}

static socklen_t
parse_unix(const char *path, union any_address *any)
{
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof(any->un.sun_path))
        return 0;
    any->un.sun_family = AF_UNIX;
    memcpy(any->un.sun_path, path, length);
    return (socklen_t)sizeof(any->un);
}

static socklen_t
parse_tcp(const char *text, union any_address *any)
{
    struct address address;

    if (address_parse(text, 0, &address) != NULL)
        return 0;
    any->in.sin_family = AF_INET;
    any->in.sin_port = htons(address.port);
    if (inet_pton(AF_INET, address.host, &any->in.sin_addr) != 1)
        return 0;
    return (socklen_t)sizeof(any->in);
}

/* The length of the address that ${uri} stands for, or 0 after a line. */
static socklen_t
parse_uri(const char *uri, union any_address *any)
{
    const char *path = unix_path(uri);
    socklen_t length = 0;

    memset(any, 0, sizeof(*any));
    if (path != NULL)
        length = parse_unix(path, any);
    else if (strncmp(uri, "tcp:", 4) == 0)
        length = parse_tcp(uri + 4, any);
    if (length == 0)
        log_warnx("%s: expected unix:PATH or tcp:IPV4:PORT", uri);
    return length;
}

static int
open_socket(const union any_address *any)
{
    static const int on = 1;
    int fd = socket(any->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && any->sa.sa_family == AF_INET) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return fd;
}

int
endpoint_connect(const char *uri)
{
    union any_address any;
    socklen_t length = parse_uri(uri, &any);
    int fd;

    if (length == 0)
        return -1;
    fd = open_socket(&any);
    if (fd < 0 || connect(fd, &any.sa, length) != 0) {
        log_warn("%s: can't connect", uri);
        fd_close(&fd);
    }
    return fd;
}

int
endpoint_listen(const char *uri, int backlog)
{
    union any_address any;
    socklen_t length = parse_uri(uri, &any);
    int fd;

    if (length == 0)
        return -1;
    endpoint_remove(uri);
    fd = open_socket(&any);
    if (fd < 0 || bind(fd, &any.sa, length) != 0 || listen(fd, backlog) != 0) {
        log_warn("%s: can't listen", uri);
        fd_close(&fd);
    }
    return fd;
}

int
endpoint_await(const char *uri, uint64_t timeout_ms)
{
    static const struct timespec look_again = { 0, (long)LOOK_MS * MS_NS };
    const char *path = unix_path(uri);

    if (path == NULL)
        return 0;
    for (uint64_t ms = 0; ms < timeout_ms; ms += LOOK_MS) {
        if (proc_listens_unix(getpid(), path))
            return 0;
        nanosleep(&look_again, NULL);
    }
    log_warnx("%s: nobody listens", uri);
    return -1;
}

int
endpoint_free_port(void)
{
    union any_address any;
    socklen_t length = (socklen_t)sizeof(any.in);
    int fd = -1;
    int port = -1;

    memset(&any, 0, sizeof(any));
    any.in.sin_family = AF_INET;
    any.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = open_socket(&any);
    if (fd < 0 || bind(fd, &any.sa, length) != 0 ||
        getsockname(fd, &any.sa, &length) != 0)
        log_warn("no free port");
    else
        port = ntohs(any.in.sin_port);
    fd_close(&fd);
    return port;
}

void
endpoint_remove(const char *uri)
{
    const char *path = unix_path(uri);

    if (path != NULL)
        unlink(path);
}
