#include "base/value.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit sizes[] = {
    { "", 1 },         { "b", 1 },        { "k", 0x1p10 },   { "kb", 0x1p10 },
    { "kib", 0x1p10 }, { "m", 0x1p20 },   { "mb", 0x1p20 },  { "mib", 0x1p20 },
    { "g", 0x1p30 },   { "gb", 0x1p30 },  { "gib", 0x1p30 }, { "t", 0x1p40 },
    { "tb", 0x1p40 },  { "tib", 0x1p40 },
};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes };

/* No unit makes a number that a double can't hold exactly below 2^53. */
static const double EXACT_MAX = 9007199254740992.0;

/*
 * Parse digits with an optional fraction; return what follows, or NULL.  The
 * first character is checked because strtod takes spaces, signs, hexadecimal
 * numbers, "inf" and "nan" too.
 */
static const char *
parse_decimal(const char *text, double *out)
{
    size_t digits = strspn(text, "0123456789");
    size_t length = digits;
    char *end;

    if (digits == 0)
        return NULL;
    if (text[length] == '.')
        length += 1 + strspn(text + length + 1, "0123456789");
    *out = strtod(text, &end);
    return end == text + length ? end : NULL;
}

static int
parse_scaled(const char *text, const struct unit *units, size_t count,
             double *out)
{
    double number;
    const char *rest = parse_decimal(text, &number);

    if (rest == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(rest, units[i].name) != 0)
            continue;
        number *= units[i].factor;
        if (number >= EXACT_MAX)
            return -1;
        *out = number;
        return 0;
    }
    return -1;
}

static int
store_whole(double number, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t whole = (uint64_t)number;

    if (number - (double)whole >= 0.5)
        whole++;
    if (whole < min || whole > max)
        return -1;
    *out = whole;
    return 0;
}

int
value_count(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    unsigned long long number;
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number < min || number > max)
        return -1;
    *out = number;
    return 0;
}

int
value_size(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    double number;

    if (parse_scaled(text, sizes, SIZE_COUNT, &number) != 0)
        return -1;
    return store_whole(number, min, max, out);
}

int
value_rate(const char *text, uint64_t *out)
{
    static const struct unit bits[] = { { "bit", 0.125 },
                                        { "kbit", 1e3 / 8 },
                                        { "mbit", 1e6 / 8 },
                                        { "gbit", 1e9 / 8 } };
    char plain[64];
    size_t length = strlen(text);
    double number;

    if (length >= sizeof plain)
        return -1;
    memcpy(plain, text, length + 1);
    if (length > 2 && strcasecmp(plain + length - 2, "/s") == 0)
        plain[length - 2] = '\0';
    if (parse_scaled(plain, bits, sizeof bits / sizeof *bits, &number) != 0 &&
        parse_scaled(plain, sizes, SIZE_COUNT, &number) != 0)
        return -1;
    /* What is above 0 must not become 0, which means "without limit". */
    return store_whole(number, number > 0 ? 1 : 0, UINT64_MAX, out);
}

int
value_duration(const char *text, uint64_t max_ms, uint64_t *out)
{
    static const struct unit units[] = {
        { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 6e4 }, { "h", 3.6e6 }
    };
    double number;

    if (parse_scaled(text, units, sizeof units / sizeof *units, &number) != 0)
        return -1;
    return store_whole(number, 0, max_ms, out);
}

/* Return the digit that ${text} is at ${at}, or 10 if it is none. */
static unsigned
digit(const char *text, size_t at)
{
    return isdigit((unsigned char)text[at]) ? (unsigned)(text[at] - '0') : 10;
}

int
value_dscp(const char *text, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned value;
    } names[] = { { "le", 1 }, { "va", 44 }, { "ef", 46 } };
    bool class = strncasecmp(text, "cs", 2) == 0 && strlen(text) == 3;
    bool assured = strncasecmp(text, "af", 2) == 0 && strlen(text) == 4;
    uint64_t number;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(text, names[i].name) == 0) {
            *out = names[i].value;
            return 0;
        }
    if (class && digit(text, 2) <= 7) {
        *out = digit(text, 2) * 8;
        return 0;
    }
    if (assured && digit(text, 2) >= 1 && digit(text, 2) <= 4 &&
        digit(text, 3) >= 1 && digit(text, 3) <= 3) {
        *out = digit(text, 2) * 8 + digit(text, 3) * 2;
        return 0;
    }
    if (value_count(text, 0, 63, &number) != 0)
        return -1;
    *out = (unsigned)number;
    return 0;
}

static bool
one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcasecmp(text, *words) == 0)
            return true;
    return false;
}

int
value_switch(const char *text, bool *out)
{
    static const char *const on[] = { "on", "yes", "true", "1", NULL };
    static const char *const off[] = { "off", "no", "false", "0", NULL };

    if (one_of(text, on))
        *out = true;
    else if (one_of(text, off))
        *out = false;
    else
        return -1;
    return 0;
}
