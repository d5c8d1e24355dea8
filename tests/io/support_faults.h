/*
 * System calls that fail or fall short when a test wants them to.  What no
 * test has asked for goes through to the system.  Any thread may call them.
 */
#ifndef SUPPORT_FAULTS_H
#define SUPPORT_FAULTS_H

#include <stddef.h>

enum fault_call {
    FAULT_READV,
    FAULT_SENDMSG,
    FAULT_SPLICE,
    FAULT_PTHREAD_CREATE,
    FAULT_CALLS
};

/**
 * faults_clear():
 * Let everything through, and count from 0.
 */
void faults_clear(void);

/**
 * fault_error(call, times, error):
 * The next ${times} of these calls fail with errno ${error}, or return it
 * (pthread_create).
 */
void fault_error(enum fault_call call, unsigned times, int error);

/**
 * fault_short(call, bytes):
 * Each of these calls transfers ${bytes} at most, if it does transfer.
 */
void fault_short(enum fault_call call, size_t bytes);

/**
 * fault_count(call):
 * Return how many of these calls were made.
 */
unsigned long fault_count(enum fault_call call);

#endif
