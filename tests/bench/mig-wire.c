/*
 * A long wire between two hosts that are network namespaces: whatever packet
 * enters at one end leaves at the other as much later as was asked for.  Unlike
 * a relay that ends TCP connections, it leaves the two hosts' TCP with each
 * other, and with the round trip that it makes.
 *
 * Theory of operation.  Each end is a TUN device, which is there as long as
 * this program is.  What is read from one is kept, in order, with the time at
 * which it is due, and written to the other then.  Packets come as the host
 * would give them to a network card that cuts them itself, up to 64 KiB each
 * with what is still to be done in front of it, and go as such; else a fast
 * wire would cost more of the processor than what it is there to measure.  How
 * fast the wire is, and what its queue holds, is up to a tbf on each device.
 * When more is under way than HELD_MAX_BYTES nothing is read, and the device
 * drops packets.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/value.h"
#include "hosts.h"

enum {
    /* Of IPv4's longest packet and of what stands in front of it. */
    PACKET_MAX_BYTES = 65536 + 64,
    HELD_MAX_BYTES = 64 << 20,
    /* Read from one end before the other has its turn. */
    BATCH = 64,
};

static const int64_t NS_PER_S = 1000000000;

struct packet {
    STAILQ_ENTRY(packet) next;
    int64_t due_ns;
    size_t bytes;
    char data[];
};

/* What has entered at one end. */
struct way {
    STAILQ_HEAD(, packet) packets;
    size_t held_bytes;
};

struct config {
    const char *hosts[2];
    const char *interface;
    uint64_t delay_us;
};

/* What is read from fd[i] goes through ways[i] to fd[!i]. */
struct wire {
    int fd[2];
    struct way ways[2];
    int64_t delay_ns;
};

static const char *
on_option(void *arg, int key, const char *value)
{
    struct config *config = arg;

    switch (key) {
    case 'n': config->hosts[0] = value; return NULL;
    case 'f': config->hosts[1] = value; return NULL;
    case 'i':
        config->interface = value;
        return strlen(value) < IFNAMSIZ ? NULL : "an interface's name";
    default:
        return value_count(value, 0, 10000000, &config->delay_us) != 0
                   ? "microseconds up to 10 s"
                   : NULL;
    }
}

static const struct cli_option options[] = {
    { 'n', "near", "NETNS", "network namespace of one end" },
    { 'f', "far", "NETNS", "network namespace of the other" },
    { 'i', "interface", "NAME", "what the device is called at both ends" },
    { 'd', "delay", "US", "microseconds in each direction" },
};

static const struct cli cli = {
    .program = "mig-wire",
    .synopsis = "--near NETNS --far NETNS --interface NAME --delay US",
    .summary = "Join two network namespaces by a wire that takes its time.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .on_option = on_option,
    .footer =
        "Both devices are there when it says \"up\" on stdout, without an "
        "address, and\ngo when it is killed.",
};

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Make the device in the namespace in which we are. */
static int
make_device(const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        log_warn("/dev/net/tun");
        return -1;
    }
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) == 0 &&
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) == 0)
        return fd;
    log_warn("%s", name);
    close(fd);
    return -1;
}

static int
open_end(const char *host, const char *interface)
{
    int home = hosts_enter(host);
    int fd;

    if (home < 0)
        return -1;
    fd = make_device(interface);
    if (hosts_return(home) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Read what has come to an end.  Return -1 if the device is gone. */
static int
take(struct wire *wire, int end)
{
    static char data[PACKET_MAX_BYTES];
    struct way *way = &wire->ways[end];

    for (int i = 0; i < BATCH; i++) {
        ssize_t n = read(wire->fd[end], data, sizeof(data));
        struct packet *packet;

        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
        packet = malloc(sizeof(*packet) + (size_t)n);
        if (packet == NULL)
            return 0; /* lost, as packets are */
        packet->due_ns = now_ns() + wire->delay_ns;
        packet->bytes = (size_t)n;
        memcpy(packet->data, data, (size_t)n);
        STAILQ_INSERT_TAIL(&way->packets, packet, next);
        way->held_bytes += (size_t)n;
    }
    return 0;
}

/* Write what is due.  A device that does not take a packet has lost it. */
static void
give(struct wire *wire, int end)
{
    struct way *way = &wire->ways[end];
    int64_t now = now_ns();
    struct packet *packet;

    while ((packet = STAILQ_FIRST(&way->packets)) != NULL &&
           packet->due_ns <= now) {
        (void)!write(wire->fd[!end], packet->data, packet->bytes);
        STAILQ_REMOVE_HEAD(&way->packets, next);
        way->held_bytes -= packet->bytes;
        free(packet);
    }
}

static int
serve(struct wire *wire)
{
    int64_t now = now_ns();
    int64_t until = now + NS_PER_S;
    struct pollfd fds[2] = { { .fd = -1 }, { .fd = -1 } };
    struct timespec wait;

    for (int i = 0; i < 2; i++) {
        const struct packet *first = STAILQ_FIRST(&wire->ways[i].packets);

        if (wire->ways[i].held_bytes < HELD_MAX_BYTES)
            fds[i] = (struct pollfd){ .fd = wire->fd[i], .events = POLLIN };
        if (first != NULL && first->due_ns < until)
            until = first->due_ns;
    }
    until = until > now ? until - now : 0;
    wait.tv_sec = until / NS_PER_S;
    wait.tv_nsec = until % NS_PER_S;
    if (ppoll(fds, 2, &wait, NULL) < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < 2; i++) {
        if (fds[i].revents != 0 && take(wire, i) != 0)
            return -1;
        give(wire, i);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    struct config config = { 0 };
    struct wire wire = { .fd = { -1, -1 } };

    switch (cli_parse(&cli, argc, argv, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    default: break;
    }
    if (config.hosts[0] == NULL || config.hosts[1] == NULL ||
        config.interface == NULL)
        return cli_error(&cli, "--near, --far and --interface are needed");
    wire.delay_ns = (int64_t)config.delay_us * 1000;
    for (int i = 0; i < 2; i++) {
        STAILQ_INIT(&wire.ways[i].packets);
        wire.fd[i] = open_end(config.hosts[i], config.interface);
        if (wire.fd[i] < 0)
            return STATUS_FAILED;
    }
    puts("up");
    fflush(stdout);
    while (serve(&wire) == 0)
        continue;
    log_warn("a device is gone");
    return STATUS_FAILED;
}
