#include "io/net_options.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/sockopt.h"

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { TYPE = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, LIST_MAX = 128 };

static int
set_congestion(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name,
                      (socklen_t)strlen(name));
}

/*
 * IP_TOS also holds for IPv4 within an IPv6 socket.  The two bits below are the
 * kernel's own (ECN), which it keeps.
 */
static int
set_dscp(int fd, unsigned dscp)
{
    int byte = (int)(dscp << 2), family = AF_INET;
    socklen_t length = sizeof family;

    setsockopt(fd, IPPROTO_IP, IP_TOS, &byte, sizeof byte);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0 ||
        family != AF_INET6)
        return 0;
    return setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &byte, sizeof byte);
}

/* The names that can be had, in words. */
static void
list_congestion(char list[LIST_MAX])
{
    FILE *file =
        fopen("/proc/sys/net/ipv4/tcp_available_congestion_control", "re");

    snprintf(list, LIST_MAX, "what there is can't be read");
    if (file == NULL)
        return;
    if (fgets(list, LIST_MAX, file) != NULL)
        list[strcspn(list, "\n")] = '\0';
    fclose(file);
}

/* A name may be of a module that is loaded when it is asked for. */
static int
check_congestion(const char *name, char why[NET_WHY_MAX])
{
    int fd = socket(AF_INET, TYPE, IPPROTO_TCP), error = 0;
    char list[LIST_MAX];

    if (fd < 0 || set_congestion(fd, name) != 0)
        error = errno;
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return 0;
    list_congestion(list);
    snprintf(why, NET_WHY_MAX,
             "--congestion: cannot have '%s' (%s); there is: %s", name,
             error == ENOENT ? "the kernel does not know it" : strerror(error),
             list);
    return -1;
}

static void
check_mptcp(struct net_options *net)
{
    int fd = socket(AF_INET, TYPE, IPPROTO_MPTCP);

    if (fd < 0) {
        log_warn("no MPTCP here, so plain TCP (sysctl net.mptcp.enabled)");
        net->mptcp = false;
        return;
    }
    close(fd);
    if (net->dscp == 0)
        return;
    fd = socket(AF_INET6, TYPE, IPPROTO_MPTCP);
    if (fd < 0)
        return;
    if (set_dscp(fd, net->dscp) != 0)
        log_warn("--dscp marks no IPv6 packets of MPTCP here");
    close(fd);
}

int
net_options_check(struct net_options *net, char why[NET_WHY_MAX])
{
    if (net->congestion[0] != '\0' &&
        check_congestion(net->congestion, why) != 0)
        return -1;
    if (net->mptcp)
        check_mptcp(net);
    return 0;
}

/* It may have been switched off since it was tried. */
static int
make_socket(const struct net_options *net, int family)
{
    int fd = -1;

    if (net != NULL && net->mptcp)
        fd = socket(family, TYPE, IPPROTO_MPTCP);
    if (fd < 0)
        fd = socket(family, TYPE, IPPROTO_TCP);
    return fd;
}

int
net_socket(const struct net_options *net, int family)
{
    int fd = make_socket(net, family);

    if (fd >= 0)
        net_prepare(net, fd);
    return fd;
}

void
net_prepare(const struct net_options *net, int fd)
{
    sockopt_tcp(fd);
    if (net == NULL)
        return;
    if (net->congestion[0] != '\0')
        (void)set_congestion(fd, net->congestion);
    if (net->dscp != 0)
        (void)set_dscp(fd, net->dscp);
}

bool
net_is_mptcp(int fd)
{
    struct mptcp_info info = { 0 };
    socklen_t length = sizeof info;

    return getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &length) == 0 &&
           (info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK) == 0;
}

void
net_say(const struct net_options *net, int fd, const char *label)
{
    if (net == NULL || !net->mptcp)
        return;
    if (net_is_mptcp(fd))
        log_info("%s: over MPTCP", label);
    else
        log_warnx(
            "%s: over plain TCP: the other end has no MPTCP, or something "
            "on the way takes it out",
            label);
}
