/* What knocks at a TCP port and is no migration. */
#ifndef SUPPORT_PROBE_H
#define SUPPORT_PROBE_H

enum probe {
    PROBE_CLOSE,   /* connects and closes */
    PROBE_RESET,   /* connects and resets */
    PROBE_GARBAGE, /* sends bytes that mean nothing, waits to be dropped */
    PROBE_HTTP,    /* asks for a page, waits to be dropped */
    PROBE_PART,    /* sends the first bytes of a QEMU stream and closes */
    PROBE_KINDS,
    PROBE_QEMU /* sends a QEMU stream, where that is no migration */
};

/**
 * probe_port(port, kind):
 * Knock at the TCP port ${port} of 127.0.0.1.  Return when the probe has ended.
 * The test fails if the other side does not end it where it should, or sends
 * a byte.
 */
void probe_port(unsigned port, enum probe kind);

/**
 * probe_connect(port):
 * Return a connection to ${port} that says nothing; the caller closes it.
 */
int probe_connect(unsigned port);

#endif
