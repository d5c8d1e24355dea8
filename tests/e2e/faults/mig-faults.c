/*
 * A TCP proxy that fails on command:
 *
 *   mig-faults PORT SERVER-PORT CONTROL
 *
 * listens on PORT of 127.0.0.1, forwards each connection to SERVER-PORT, and
 * takes commands, one a line, from one connection to the Unix socket CONTROL.
 * Each is answered with "ok" or "error".  When that connection ends, so does
 * the proxy.
 *
 *   reset         reset all connections, at both ends
 *   stall         read and write nothing any more, accept nothing
 *   blackhole     read everything, forward nothing; also of new connections
 *   refuse        reset all connections and listen no more
 *   resume        forward and accept again; what a black hole has had a byte
 *                 of stays in it until an end gives up
 *   record FILE   keep what goes through each connection made from now on, in
 *                 FILE.N.there and FILE.N.back, where N counts connections
 *   rule ...      see rule.h
 *   clear         forget all rules
 *   report        ok CONNECTIONS OPEN FAULTS BYTES-FROM-CLIENT BYTES-BACK
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "rule.h"

enum {
    LINKS_MAX = 512,
    BACKLOG = 128,
    LINE_MAX_BYTES = 256,
    CUT_LOOK_MS = 1, /* while a cut waits for the last bytes to arrive */

    /* Places in the list that poll(2) gets. */
    AT_CONTROL = 0,
    AT_LISTENER,
    AT_LINKS
};

enum mode { FORWARDING, STALLED, BLACKHOLE };

struct proxy {
    unsigned port, server_port;
    int listener;
    bool refusing;
    int control;
    enum mode mode;
    struct link_list links;
    unsigned open, connections, faults;
    uint64_t bytes[2];           /* of links that are gone */
    char record[LINE_MAX_BYTES]; /* empty: nothing is kept */
    char line[LINE_MAX_BYTES];
    size_t line_bytes;
    struct pollfd fds[AT_LINKS + 2 * LINKS_MAX];
};

__attribute__((noreturn)) static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct sockaddr_in
loopback(unsigned port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int
listen_tcp(unsigned port)
{
    struct sockaddr_in sin = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
        listen(fd, BACKLOG) < 0)
        die("listen");
    return fd;
}

/* The one who commands connects once, right at the start. */
static int
accept_control(const char *path)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
        listen(listener, 1) < 0 || (fd = accept(listener, NULL, NULL)) < 0)
        die(path);
    close(listener);
    return fd;
}

static int
connect_server(const struct proxy *proxy)
{
    struct sockaddr_in sin = loopback(proxy->server_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void
record(const struct proxy *proxy, struct link *link)
{
    char prefix[LINE_MAX_BYTES + 16];

    if (proxy->record[0] == '\0')
        return;
    snprintf(prefix, sizeof(prefix), "%s.%u", proxy->record,
             proxy->connections);
    link_record(link, prefix);
}

static void
accept_link(struct proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = -1;
    struct link *link;

    if (client < 0)
        return;
    proxy->connections++;
    if (proxy->mode == FORWARDING)
        server = connect_server(proxy);
    link = link_new(client, server);
    if (proxy->open >= LINKS_MAX || (proxy->mode == FORWARDING && server < 0)) {
        link_free(link);
        return;
    }
    record(proxy, link);
    TAILQ_INSERT_TAIL(&proxy->links, link, entry);
    proxy->open++;
}

static void
drop(struct proxy *proxy, struct link *link)
{
    for (int side = 0; side < 2; side++)
        proxy->bytes[side] += link->streams[side].forwarded;
    TAILQ_REMOVE(&proxy->links, link, entry);
    proxy->open--;
    link_free(link);
}

static void
reset_all(struct proxy *proxy)
{
    while (!TAILQ_EMPTY(&proxy->links))
        drop(proxy, TAILQ_FIRST(&proxy->links));
}

static void
refuse(struct proxy *proxy)
{
    /* It keeps the port, which nobody else must get meanwhile. */
    shutdown(proxy->listener, SHUT_RDWR);
    proxy->refusing = true;
    reset_all(proxy);
}

static void
blackhole(struct proxy *proxy)
{
    struct link *link;

    proxy->mode = BLACKHOLE;
    TAILQ_FOREACH (link, &proxy->links, entry)
        link->dead = true;
}

static void
resume(struct proxy *proxy)
{
    proxy->mode = FORWARDING;
    if (proxy->refusing && listen(proxy->listener, BACKLOG) < 0)
        die("listen");
    proxy->refusing = false;
}

static void
report(const struct proxy *proxy)
{
    uint64_t bytes[2] = { proxy->bytes[0], proxy->bytes[1] };
    const struct link *link;

    TAILQ_FOREACH (link, &proxy->links, entry) {
        bytes[0] += link->streams[0].forwarded;
        bytes[1] += link->streams[1].forwarded;
    }
    dprintf(proxy->control, "ok %u %u %u %" PRIu64 " %" PRIu64 "\n",
            proxy->connections, proxy->open, proxy->faults, bytes[0], bytes[1]);
}

static void
obey(struct proxy *proxy, const char *line)
{
    bool ok = true;

    if (strcmp(line, "report") == 0) {
        report(proxy);
        return;
    }
    if (strcmp(line, "reset") == 0)
        reset_all(proxy);
    else if (strcmp(line, "stall") == 0)
        proxy->mode = STALLED;
    else if (strcmp(line, "blackhole") == 0)
        blackhole(proxy);
    else if (strcmp(line, "refuse") == 0)
        refuse(proxy);
    else if (strcmp(line, "resume") == 0)
        resume(proxy);
    else if (strcmp(line, "clear") == 0)
        rule_clear();
    else if (strncmp(line, "record ", 7) == 0)
        snprintf(proxy->record, sizeof(proxy->record), "%.*s",
                 (int)sizeof(proxy->record) - 1, line + 7);
    else
        ok = strncmp(line, "rule ", 5) == 0 && rule_add(line + 5);
    dprintf(proxy->control, "%s\n", ok ? "ok" : "error");
}

static void
read_control(struct proxy *proxy)
{
    ssize_t n = read(proxy->control, proxy->line + proxy->line_bytes,
                     sizeof(proxy->line) - proxy->line_bytes);
    char *end;

    if (n <= 0)
        exit(0);
    proxy->line_bytes += (size_t)n;
    while ((end = memchr(proxy->line, '\n', proxy->line_bytes)) != NULL) {
        size_t used = (size_t)(end - proxy->line) + 1;

        *end = '\0';
        obey(proxy, proxy->line);
        proxy->line_bytes -= used;
        memmove(proxy->line, end + 1, proxy->line_bytes);
    }
    if (proxy->line_bytes == sizeof(proxy->line))
        exit(1);
}

static void
act(struct proxy *proxy, struct link *link)
{
    proxy->faults++;
    switch (link->streams[link->cut].watch.action) {
    case ACTION_RESET: drop(proxy, link); break;
    case ACTION_RESET_ALL: reset_all(proxy); break;
    case ACTION_BLACKHOLE: blackhole(proxy); break;
    case ACTION_REFUSE: refuse(proxy); break;
    }
}

/* Return whether a cut waits.  At most one is carried out, for it may end any
 * link. */
static bool
check_cuts(struct proxy *proxy)
{
    bool waiting = false;
    int64_t now = now_ms();
    struct link *link;

    if (proxy->mode != FORWARDING)
        return false;
    TAILQ_FOREACH (link, &proxy->links, entry) {
        if (link->cut < 0 || link->dead)
            continue;
        if (link->cut_ms == 0)
            link->cut_ms = now;
        if (link_cut_due(link, now)) {
            act(proxy, link);
            return true;
        }
        waiting = true;
    }
    return waiting;
}

static nfds_t
fill(struct proxy *proxy)
{
    nfds_t count = AT_LINKS;
    struct link *link;

    proxy->fds[AT_CONTROL] =
        (struct pollfd){ .fd = proxy->control, .events = POLLIN };
    proxy->fds[AT_LISTENER] = (struct pollfd){
        .fd = proxy->mode == STALLED || proxy->refusing ? -1 : proxy->listener,
        .events = POLLIN
    };
    if (proxy->mode == STALLED)
        return count;
    TAILQ_FOREACH (link, &proxy->links, entry) {
        link_poll(link, proxy->fds + count);
        count += 2;
    }
    return count;
}

static void
step_links(struct proxy *proxy, nfds_t count)
{
    struct link *link = TAILQ_FIRST(&proxy->links), *next;

    for (nfds_t at = AT_LINKS; at < count; at += 2, link = next) {
        next = TAILQ_NEXT(link, entry);
        if (!link_step(link, proxy->fds + at))
            drop(proxy, link);
    }
}

static void
run(struct proxy *proxy)
{
    for (;;) {
        bool cutting = check_cuts(proxy);
        nfds_t count = fill(proxy);

        if (poll(proxy->fds, count, cutting ? CUT_LOOK_MS : -1) < 0)
            die("poll");
        step_links(proxy, count);
        if (proxy->fds[AT_LISTENER].revents != 0)
            accept_link(proxy);
        if (proxy->fds[AT_CONTROL].revents != 0)
            read_control(proxy);
    }
}

int
main(int argc, char **argv)
{
    static struct proxy proxy;

    if (argc != 4) {
        fprintf(stderr, "usage: mig-faults PORT SERVER-PORT CONTROL\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    TAILQ_INIT(&proxy.links);
    proxy.port = (unsigned)strtoul(argv[1], NULL, 10);
    proxy.server_port = (unsigned)strtoul(argv[2], NULL, 10);
    proxy.listener = listen_tcp(proxy.port);
    proxy.control = accept_control(argv[3]);
    run(&proxy);
    return 0;
}
