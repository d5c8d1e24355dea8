/* What the kernel offers for TLS. */
#ifndef IO_TLS_KERNEL_H
#define IO_TLS_KERNEL_H

#include <stdbool.h>

/**
 * tls_kernel_available():
 * Return whether the kernel can encrypt what goes over a TCP socket
 * (Documentation/networking/tls.rst there).
 */
bool tls_kernel_available(void);

#endif
