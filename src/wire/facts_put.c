#include "wire/facts_put.h"

#include "wire/facts.h"
#include "wire/qmp_message.h"

void
facts_put_text(json_t *object, const char *key, const char *text)
{
    char cut[FACTS_TEXT_MAX + 1];

    if (text == NULL)
        return;
    json_text_copy(cut, sizeof cut, text);
    json_object_set_new(object, key, json_string(cut));
}

void
facts_put_number(json_t *object, const char *key, const json_t *value)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        json_object_set_new(object, key,
                            json_integer(json_integer_value(value)));
}

void
facts_append(json_t *facts, json_t *list, json_t *entry)
{
    if (json_array_size(list) < FACTS_LIST_MAX) {
        json_array_append_new(list, entry);
        return;
    }
    json_decref(entry);
    json_object_set_new(facts, "cut", json_true());
}

json_t *
facts_list(json_t *facts, const char *key)
{
    json_t *list = json_array();

    json_object_set_new(facts, key, list);
    return list;
}
