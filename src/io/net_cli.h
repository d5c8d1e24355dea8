/* The options about the net, which mig-client and mig-server share. */
#ifndef IO_NET_CLI_H
#define IO_NET_CLI_H

#include <stdint.h>

#include "io/credentials_cli.h"
#include "io/net_options.h"

/* Keys of these options; a program's own come after the last. */
enum {
    NET_MPTCP = CREDENTIALS_OPTIONS_END,
    NET_CONGESTION,
    NET_DSCP,
    NET_BANDWIDTH,
    NET_OPTIONS_END,
};

/* What both programs say of them in --help. */
/* clang-format off */
#define NET_MPTCP_OPTION                                                      \
    { NET_MPTCP, "mptcp", NULL,                                               \
      "several paths at once (MPTCP), where both kernels\n"                   \
      "have it; else plain TCP, with a line" }
#define NET_CONGESTION_OPTION                                                 \
    { NET_CONGESTION, "congestion", "NAME",                                   \
      "the congestion control of the connections, such as\n"                  \
      "bbr (the system's)" }
#define NET_DSCP_OPTION                                                       \
    { NET_DSCP, "dscp", "VALUE",                                              \
      "mark packets for the routers on the way: 0 to 63, or\n"                \
      "a name such as af11, cs1 or ef (unmarked)" }
#define NET_BANDWIDTH_OPTION                                                  \
    { NET_BANDWIDTH, "bandwidth", "RATE",                                     \
      "send at most so many bytes a second to the other\n"                    \
      "host, such as 50M or 500Mbit (no limit)" }
/* clang-format on */

struct net_cli {
    struct net_options options;
    uint64_t bandwidth; /* bytes a second; 0 is no limit */
};

/**
 * net_cli_take(cli, key, value):
 * Take the option ${key}, one of the above, with ${value}.  Return NULL, or a
 * static text that says what was expected.
 */
const char *net_cli_take(struct net_cli *cli, int key, const char *value);

/**
 * net_cli_rate(value, rate):
 * Take a bandwidth of any option: as net_cli_take.
 */
const char *net_cli_rate(const char *value, uint64_t *rate);

#endif
