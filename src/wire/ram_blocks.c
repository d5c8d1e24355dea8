#include "wire/ram_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "0x...", as QEMU pads it, after spaces. */
static bool
take_number(const char **at, const char *end, uint64_t *number)
{
    char *after;

    *at += strspn(*at, " ");
    if (end - *at < 3 || (*at)[0] != '0' || (*at)[1] != 'x')
        return false;
    errno = 0;
    *number = strtoull(*at, &after, 16);
    *at = after;
    return errno == 0 && after <= end;
}

/* Before ${end} stand the name, the size of a page and its unit; cut the two
 * off.  Names may have spaces, so it is read from the right. */
static const char *
name_end(const char *line, const char *end)
{
    for (int word = 0; word < 2; word++) {
        while (end > line && end[-1] == ' ')
            end--;
        while (end > line && end[-1] != ' ')
            end--;
    }
    while (end > line && end[-1] == ' ')
        end--;
    return end;
}

static bool
take_line(const char *line, const char *end, struct ram_block *block)
{
    const char *numbers = strstr(line, " 0x");
    uint64_t offset;

    if (numbers == NULL || numbers >= end)
        return false;
    const char *at = numbers, *name = line + strspn(line, " ");
    if (!take_number(&at, end, &offset) ||
        !take_number(&at, end, &block->used_bytes) ||
        !take_number(&at, end, &block->total_bytes))
        return false;
    const char *after = name_end(line, numbers);
    if (after <= name || (size_t)(after - name) >= sizeof block->name)
        return false;
    memcpy(block->name, name, (size_t)(after - name));
    block->name[after - name] = '\0';
    return true;
}

bool
ram_blocks_next(const char **text, struct ram_block *block)
{
    while (**text != '\0') {
        const char *line = *text;
        const char *end = line + strcspn(line, "\r\n");

        *text = end + strspn(end, "\r\n");
        if (take_line(line, end, block))
            return true;
    }
    return false;
}
