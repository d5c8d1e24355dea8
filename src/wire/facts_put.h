/* Puts bounded values into facts (wire/facts.h). */
#ifndef WIRE_FACTS_PUT_H
#define WIRE_FACTS_PUT_H

#include <jansson.h>

/**
 * facts_put_text(object, key, text):
 * Set ${key} to ${text}, cut to FACTS_TEXT_MAX bytes; nothing if it is NULL.
 */
void facts_put_text(json_t *object, const char *key, const char *text);

/**
 * facts_put_number(object, key, value):
 * Set ${key} to ${value} if that is an integer that is not negative.
 */
void facts_put_number(json_t *object, const char *key, const json_t *value);

/**
 * facts_append(facts, list, entry):
 * Append ${entry}, of which it takes the reference, to the array ${list} of
 * ${facts}; if that is full already, drop it and mark the facts as cut.
 */
void facts_append(json_t *facts, json_t *list, json_t *entry);

/**
 * facts_list(facts, key):
 * Make ${key} of ${facts} an empty array and return it; it belongs to
 * ${facts}.
 */
json_t *facts_list(json_t *facts, const char *key);

#endif
