#include "io/net_cli.h"

#include <string.h>

#include "base/value.h"

const char *
net_cli_rate(const char *value, uint64_t *rate)
{
    uint64_t asked;

    if (value_rate(value, &asked) != 0 ||
        (asked > 0 && asked < VALUE_BANDWIDTH_MIN))
        return "a rate from 16K, such as 50M or 500Mbit, or 0 for no limit";
    *rate = asked;
    return NULL;
}

const char *
net_cli_take(struct net_cli *cli, int key, const char *value)
{
    struct net_options *net = &cli->options;

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
    case NET_BANDWIDTH: return net_cli_rate(value, &cli->bandwidth);
    }
    return NULL;
}
