/*
 * Ends a job at any of the calls that may do so, by which it is seen whether
 * those who call know that.
 */
#ifndef SUPPORT_LAST_CALL_H
#define SUPPORT_LAST_CALL_H

/**
 * last_call(at):
 * Count from 0 the calls which may end the job that is started next, and let
 * the one with the number ${at} do so; 0 for none.  What is written to stderr
 * from then on is collected (support_capture.h).
 */
void last_call(unsigned at);

/**
 * last_call_count():
 * Return how many there have been.
 */
unsigned last_call_count(void);

#endif
