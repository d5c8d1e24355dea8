#include "io/net_cli.h"

#include <string.h>

#include "base/value.h"

const char *
net_cli_take(struct net_options *net, int key, const char *value)
{
    switch (key) {
    case NET_MPTCP: net->mptcp = true; break;
    case NET_CONGESTION:
        if (value[0] == '\0' || strlen(value) >= sizeof net->congestion)
            return "1 to 15 characters, such as bbr";
        memcpy(net->congestion, value, strlen(value) + 1);
        break;
    case NET_DSCP:
        if (value_dscp(value, &net->dscp) != 0)
            return "0 to 63, or one of cs0 to cs7, af11 to af43, le, va, ef";
        break;
    }
    return NULL;
}
