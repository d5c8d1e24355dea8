/*
 * Reads what HMP "info network" prints: the only way to learn from a QEMU which
 * NIC hangs on which backend.  It is made for people and varies by version, so
 * whatever is not understood is left out.
 *
 *   net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:01
 *    \ n0: index=0,type=tap,ifname=tap0,script=no,downscript=no
 *   hub 0
 *    \ hub0port1: u0: index=0,type=user,net=10.0.2.0,restrict=off
 *    \ hub0port0: e1000.0: index=0,type=nic,model=e1000,macaddr=...
 */
#ifndef WIRE_NETWORK_INFO_H
#define WIRE_NETWORK_INFO_H

#include <stdbool.h>
#include <stddef.h>

enum { NETWORK_NICS_MAX = 64, NETWORK_NAME_MAX = 64, NETWORK_INFO_MAX = 128 };

struct network_nic {
    char name[NETWORK_NAME_MAX];
    char model[NETWORK_NAME_MAX];
    char mac[NETWORK_NAME_MAX];
    char backend[NETWORK_NAME_MAX];      /* its kind: "tap"; "" for none */
    char backend_name[NETWORK_NAME_MAX]; /* its id */
    char info[NETWORK_INFO_MAX];         /* what QEMU says of it; may be "" */
};

struct network_info {
    struct network_nic nics[NETWORK_NICS_MAX];
    size_t count;
    bool cut; /* there are more */
};

/**
 * network_info_parse(info, text):
 * Read ${text} into ${info}.  A NIC with several queues is one NIC.  A text
 * that is too long for its field is cut.
 */
void network_info_parse(struct network_info *info, const char *text);

/**
 * network_is_cable(backend, info):
 * Return whether a backend of the kind ${backend}, of which QEMU says ${info},
 * is a cable between two fixed addresses, whose far end sends to this host
 * whatever becomes of the VM: UDP by "socket" or "dgram", or "l2tpv3".  A
 * multicast group is none.
 */
bool network_is_cable(const char *backend, const char *info);

/**
 * network_far_end(info):
 * Return where in ${info} the address begins that a cable sends to, or NULL if
 * QEMU does not tell it, as with "l2tpv3".
 */
const char *network_far_end(const char *info);

#endif
