#include "support_no_room.h"

#include <errno.h>

#include "io/transport.h"

static unsigned left;

int __real_transport_shutdown_write(struct transport *transport);
int __wrap_transport_shutdown_write(struct transport *transport);

void
no_room_for_ends(unsigned times)
{
    left = times;
}

unsigned
no_room_for_ends_left(void)
{
    return left;
}

int
__wrap_transport_shutdown_write(struct transport *transport)
{
    if (left == 0)
        return __real_transport_shutdown_write(transport);
    left--;
    errno = EAGAIN;
    return -1;
}
