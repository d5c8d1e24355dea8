/*
 * What the first bytes of a connection show.  Raw mode has no other way to
 * tell a QEMU from a port scanner.
 */
#ifndef WIRE_SNIFF_H
#define WIRE_SNIFF_H

#include <stddef.h>

enum sniff_kind {
    SNIFF_MORE,    /* too few bytes to tell */
    SNIFF_MAIN,    /* QEMU's main channel */
    SNIFF_RESUME,  /* QEMU's main channel, resumed after postcopy-paused */
    SNIFF_MULTIFD, /* a multifd channel, which comes after a main one */
    SNIFF_TLS,     /* a TLS client, such as a QEMU with tls-creds */
    SNIFF_FOREIGN, /* nothing that a QEMU sends first */
};

/* No verdict needs more bytes than this. */
enum { SNIFF_BYTES = 6 };

/**
 * sniff_stream(bytes, length):
 * Judge a stream by its first ${length} bytes at ${bytes}.  Never SNIFF_MORE
 * when ${length} is at least SNIFF_BYTES.
 *
 * Sources: QEMU_VM_FILE_MAGIC and QEMU_VM_COMMAND in QEMU's
 * migration/savevm.h and savevm.c, MULTIFD_MAGIC in migration/multifd.c;
 * the TLS record and handshake headers in RFC 8446, 5.1 and 4.
 */
enum sniff_kind sniff_stream(const void *bytes, size_t length);

#endif
