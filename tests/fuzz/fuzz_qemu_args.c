/* The command line of a process that says it is a QEMU. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/qemu_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of just that size, so that a byte beyond it is found. */
    char *args = malloc(size > 0 ? size : 1);
    struct qmp_target target;
    const char *why = NULL;

    if (args == NULL)
        abort();
    if (size > 0)
        memcpy(args, data, size);
    switch (qemu_args_find_qmp(args, size, &target, &why)) {
    case QEMU_ARGS_FOUND:
        if (target.path[0] == '\0' && target.address.port == 0)
            abort();
        break;
    case QEMU_ARGS_NO_SOCKET:
        if (why == NULL)
            abort();
        break;
    case QEMU_ARGS_NONE: break;
    }
    free(args);
    return 0;
}
