/* A kernel without MPTCP. */
#ifndef SUPPORT_NO_MPTCP_H
#define SUPPORT_NO_MPTCP_H

/**
 * no_mptcp(error):
 * Let each MPTCP socket be refused with errno ${error}; 0 makes them as the
 * system does.
 */
void no_mptcp(int error);

#endif
