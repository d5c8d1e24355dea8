/* What the exit status of each of the four programs means. */
#ifndef BASE_EXIT_STATUS_H
#define BASE_EXIT_STATUS_H

enum exit_status {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,    /* the VM is where it was */
    STATUS_USAGE = 2,     /* the command line is wrong */
    STATUS_CANCELLED = 3, /* a person or the peer stopped it */
    STATUS_TIMED_OUT = 4,
    STATUS_UNKNOWN = 5, /* only a look at both hosts can tell */
};

#endif
