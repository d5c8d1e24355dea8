/* The network namespaces that stand for hosts. */
#ifndef BENCH_HOSTS_H
#define BENCH_HOSTS_H

/**
 * hosts_enter(name):
 * Go to the network namespace that "ip netns" calls ${name}.  Return a
 * descriptor of the one that was left, for hosts_return(), or -1 after a line
 * in the log.
 */
int hosts_enter(const char *name);

/**
 * hosts_return(home):
 * Go back to ${home} and close it.  Return 0, or -1 after a line in the log.
 */
int hosts_return(int home);

#endif
