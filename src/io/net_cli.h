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
/* clang-format on */

/**
 * net_cli_take(net, key, value):
 * Take the option ${key}, one of the above, with ${value}.  Return NULL, or a
 * static text that says what was expected.
 */
const char *net_cli_take(struct net_options *net, int key, const char *value);

#endif
