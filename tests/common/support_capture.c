#include "support_capture.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_ROOM = 64 << 10 };

/* Where a sanitizer, if there is one, writes: its report must not be lost. */
void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

static char text[TEXT_ROOM];
static int saved_fd = -1;

static void
report_to(int fd)
{
    if (__sanitizer_set_report_fd != NULL)
        __sanitizer_set_report_fd((void *)(intptr_t)fd);
}

void
capture_start(void)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC);

    /* Of a memfd the kernel does not guard the offset, and threads that write
     * at once would overwrite each other's lines. */
    if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) != 0 ||
        (saved_fd = dup(STDERR_FILENO)) < 0 || dup2(fd, STDERR_FILENO) < 0)
        abort();
    close(fd);
    report_to(saved_fd);
}

const char *
capture_text(void)
{
    ssize_t length = pread(STDERR_FILENO, text, sizeof text - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    return text;
}

const char *
capture_stop(void)
{
    capture_text();
    dup2(saved_fd, STDERR_FILENO);
    report_to(STDERR_FILENO);
    close(saved_fd);
    return text;
}

unsigned
capture_count(const char *where, const char *part)
{
    unsigned count = 0;

    for (; (where = strstr(where, part)) != NULL; where += strlen(part))
        count++;
    return count;
}
