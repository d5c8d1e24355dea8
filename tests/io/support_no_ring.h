/* Rings for which there is no memory. */
#ifndef SUPPORT_NO_RING_H
#define SUPPORT_NO_RING_H

/**
 * no_ring_after(rings):
 * From now on, make ${rings} rings, and for the next one there is no memory.
 */
void no_ring_after(unsigned rings);

#endif
