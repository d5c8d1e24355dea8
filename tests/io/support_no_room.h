/* Ends of a stream for which a transport has no room yet. */
#ifndef SUPPORT_NO_ROOM_H
#define SUPPORT_NO_ROOM_H

/**
 * no_room_for_ends(times):
 * The next ${times} calls of transport_shutdown_write fail with EAGAIN.
 */
void no_room_for_ends(unsigned times);

/**
 * no_room_for_ends_left():
 * Return how many of these calls have not been made.
 */
unsigned no_room_for_ends_left(void);

#endif
