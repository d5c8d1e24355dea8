#include "hosts.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

enum { PATH_ROOM = 256 };

int
hosts_enter(const char *name)
{
    char path[PATH_ROOM];
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there;

    if (home < 0) {
        log_warn("/proc/self/ns/net");
        return -1;
    }
    snprintf(path, sizeof(path), "/run/netns/%s", name);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET) != 0) {
        log_warn("%s", path);
        close(home);
        home = -1;
    }
    if (there >= 0)
        close(there);
    return home;
}

int
hosts_return(int home)
{
    int outcome = setns(home, CLONE_NEWNET);

    if (outcome != 0)
        log_warn("the network namespace before");
    close(home);
    return outcome;
}
