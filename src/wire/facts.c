#include "wire/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/facts_put.h"
#include "wire/network_info.h"
#include "wire/ram_blocks.h"

static const char *
text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ${text} without ${end}, if that is how it ends. */
static void
put_without(json_t *facts, const char *key, const char *text, const char *end)
{
    char cut[FACTS_TEXT_MAX + 1];
    size_t len = text != NULL ? strlen(text) : 0, tail = strlen(end);

    if (len == 0 || len >= sizeof cut)
        return;
    if (len > tail && strcmp(text + len - tail, end) == 0)
        len -= tail;
    memcpy(cut, text, len);
    cut[len] = '\0';
    facts_put_text(facts, key, cut);
}

void
facts_version(json_t *facts, const json_t *reply)
{
    const json_t *qemu = json_object_get(reply, "qemu");
    const json_t *major = json_object_get(qemu, "major");
    const json_t *minor = json_object_get(qemu, "minor");
    const json_t *micro = json_object_get(qemu, "micro");
    char text[80];

    if (!json_is_integer(major) || !json_is_integer(minor) ||
        !json_is_integer(micro))
        return;
    snprintf(text, sizeof text, "%lld.%lld.%lld",
             (long long)json_integer_value(major),
             (long long)json_integer_value(minor),
             (long long)json_integer_value(micro));
    facts_put_text(facts, "version", text);
}

/* A number of at most four digits and the character after it. */
static const char *
take_number(const char *text, char after, int *number)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 4 || text[digits] != after)
        return NULL;
    *number = 0;
    for (size_t i = 0; i < digits; i++)
        *number = *number * 10 + (text[i] - '0');
    return text + digits + 1;
}

int
facts_major_minor(const json_t *facts, int *major, int *minor)
{
    const char *version = text_of(facts, "version");

    if (version != NULL)
        version = take_number(version, '.', major);
    if (version != NULL)
        version = take_number(version, '.', minor);
    return version != NULL ? 0 : -1;
}

/* The QOM type of a machine is its name with "-machine". */
void
facts_machine(json_t *facts, const json_t *reply)
{
    put_without(facts, "machine", json_string_value(reply), "-machine");
}

/* From QEMU 10.2 on. */
void
facts_accelerators(json_t *facts, const json_t *reply)
{
    facts_put_text(facts, "accelerator", text_of(reply, "enabled"));
}

/* Without KVM it is TCG, as a rule; on Linux there is nothing else but Xen. */
void
facts_kvm(json_t *facts, const json_t *reply)
{
    const json_t *enabled = json_object_get(reply, "enabled");

    if (json_is_boolean(enabled) && text_of(facts, "accelerator") == NULL)
        facts_put_text(facts, "accelerator",
                       json_is_true(enabled) ? "kvm" : "tcg");
}

void
facts_cpus(json_t *facts, const json_t *reply)
{
    if (json_is_array(reply) && json_array_size(reply) > 0)
        json_object_set_new(facts, "cpus",
                            json_integer((json_int_t)json_array_size(reply)));
}

/* "qemu64-x86_64-cpu" is the model qemu64; the target has no dash. */
void
facts_cpu_model(json_t *facts, const json_t *reply)
{
    char model[FACTS_TEXT_MAX + 1];
    const char *type = json_string_value(reply);
    size_t len = type != NULL ? strlen(type) : 0;
    char *dash;

    if (len == 0 || len >= sizeof model)
        return;
    memcpy(model, type, len + 1);
    if (len > 4 && strcmp(model + len - 4, "-cpu") == 0) {
        model[len - 4] = '\0';
        dash = strrchr(model, '-');
        if (dash != NULL && dash > model)
            *dash = '\0';
    }
    facts_put_text(facts, "cpu", model);
}

void
facts_cpu_features(json_t *facts, const json_t *reply)
{
    json_t *features, *word;
    size_t i;

    if (!json_is_array(reply) || json_array_size(reply) == 0)
        return;
    features = json_object();
    json_array_foreach(reply, i, word)
    {
        const json_t *leaf = json_object_get(word, "cpuid-input-eax");
        const json_t *subleaf = json_object_get(word, "cpuid-input-ecx");
        const char *name = text_of(word, "cpuid-register");
        char key[80];

        if (!json_is_integer(leaf) || name == NULL || i >= FACTS_LIST_MAX)
            continue;
        int used = snprintf(key, sizeof key, "%llX",
                            (unsigned long long)json_integer_value(leaf));
        if (json_is_integer(subleaf))
            used += snprintf(key + used, sizeof key - (size_t)used, ".%llX",
                             (unsigned long long)json_integer_value(subleaf));
        snprintf(key + used, sizeof key - (size_t)used, ".%.8s", name);
        facts_put_number(features, key, json_object_get(word, "features"));
    }
    json_object_set_new(facts, "cpu_features", features);
}

/* From QEMU 7.0 on, with more levels in later ones: only those with more than
 * one of a kind count, so that a level that one QEMU does not know is no
 * difference. */
void
facts_topology(json_t *facts, const json_t *reply)
{
    static const char *const levels[] = { "drawers", "books",    "sockets",
                                          "dies",    "clusters", "modules",
                                          "cores",   "threads" };
    char text[FACTS_TEXT_MAX + 1] = "";
    size_t used = 0;

    if (!json_is_object(reply))
        return;
    facts_put_number(facts, "max_cpus", json_object_get(reply, "maxcpus"));
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        json_int_t count =
            json_integer_value(json_object_get(reply, levels[i]));
        if (count > 1 && count < 100000)
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     "%s%s=%lld", used > 0 ? "," : "",
                                     levels[i], (long long)count);
    }
    facts_put_text(facts, "topology", text);
}

void
facts_memory(json_t *facts, const json_t *reply)
{
    facts_put_number(facts, "memory", json_object_get(reply, "base-memory"));
    facts_put_number(facts, "plugged_memory",
                     json_object_get(reply, "plugged-memory"));
}

/* What is not there is none: QEMU 7.2 tells slots only if there are any. */
void
facts_memory_slots(json_t *facts, const json_t *reply)
{
    const json_t *most = json_object_get(reply, "max-size");

    if (!json_is_object(reply))
        return;
    facts_put_number(facts, "max_memory",
                     most != NULL ? most : json_object_get(reply, "size"));
    json_object_set_new(facts, "memory_slots", json_integer(0));
    facts_put_number(facts, "memory_slots", json_object_get(reply, "slots"));
}

/* Numbers from a text can be above what JSON carries. */
static json_t *
bytes_json(uint64_t bytes)
{
    return json_integer(bytes > INT64_MAX ? INT64_MAX : (json_int_t)bytes);
}

void
facts_ram_blocks(json_t *facts, const json_t *reply)
{
    const char *text = json_string_value(reply);
    struct ram_block block;
    json_t *list;

    if (text == NULL || !ram_blocks_next(&text, &block))
        return;
    list = facts_list(facts, "ram_blocks");
    do {
        json_t *entry =
            json_pack("{s:o, s:o}", "used", bytes_json(block.used_bytes),
                      "total", bytes_json(block.total_bytes));
        facts_put_text(entry, "name", block.name);
        facts_append(facts, list, entry);
    } while (ram_blocks_next(&text, &block));
}

static json_t *
nic_json(const struct network_nic *nic)
{
    json_t *entry = json_object();

    facts_put_text(entry, "name", nic->name);
    facts_put_text(entry, "model", nic->model);
    facts_put_text(entry, "mac", nic->mac);
    facts_put_text(entry, "backend", nic->backend);
    facts_put_text(entry, "backend_name", nic->backend_name);
    facts_put_text(entry, "info", nic->info);
    /* What listens or calls over TCP says so only once it is connected. */
    if (nic->info[0] == '\0' && (strcmp(nic->backend, "stream") == 0 ||
                                 strcmp(nic->backend, "socket") == 0))
        json_object_set_new(entry, "connected", json_false());
    return entry;
}

void
facts_network(json_t *facts, const json_t *reply)
{
    struct network_info info;
    json_t *list;

    if (!json_is_string(reply))
        return;
    network_info_parse(&info, json_string_value(reply));
    list = facts_list(facts, "nics");
    for (size_t i = 0; i < info.count; i++)
        facts_append(facts, list, nic_json(&info.nics[i]));
    if (info.cut)
        json_object_set_new(facts, "cut", json_true());
}

static const json_t *
find_chardev(const json_t *reply, const char *label)
{
    json_t *entry;
    size_t i;

    json_array_foreach(reply, i, entry)
    {
        const char *this = text_of(entry, "label");
        if (this != NULL && strcmp(this, label) == 0)
            return entry;
    }
    return NULL;
}

/* Of a vhost-user backend QEMU says "vhost-user0 to LABEL"; whether anybody is
 * there stands with the character device of that label. */
void
facts_chardevs(json_t *facts, const json_t *reply)
{
    json_t *nic;
    size_t i;

    json_array_foreach(json_object_get(facts, "nics"), i, nic)
    {
        const char *info = text_of(nic, "info");
        const char *backend = text_of(nic, "backend");
        const char *to = info != NULL ? strstr(info, " to ") : NULL;
        const char *filename;

        if (backend == NULL || strcmp(backend, "vhost-user") != 0 || to == NULL)
            continue;
        filename = text_of(find_chardev(reply, to + 4), "filename");
        if (filename != NULL)
            json_object_set_new(
                nic, "connected",
                json_boolean(strncmp(filename, "disconnected:", 13) != 0));
    }
}

/* Without -uuid, QEMU says that it is all zeros. */
void
facts_uuid(json_t *facts, const json_t *reply)
{
    const char *uuid = text_of(reply, "UUID");

    if (uuid != NULL && strspn(uuid, "0-") == strlen(uuid))
        uuid = "none";
    facts_put_text(facts, "uuid", uuid);
}

void
facts_status(json_t *facts, const json_t *reply)
{
    facts_put_text(facts, "status", text_of(reply, "status"));
}

void
facts_migration(json_t *facts, const json_t *reply)
{
    json_t *list, *text;
    size_t i;

    if (!json_is_object(reply))
        return;
    list = facts_list(facts, "blocked");
    json_array_foreach(json_object_get(reply, "blocked-reasons"), i, text)
    {
        json_t *holder = json_object();

        facts_put_text(holder, "text", json_string_value(text));
        if (json_is_string(text))
            facts_append(facts, list,
                         json_incref(json_object_get(holder, "text")));
        json_decref(holder);
    }
}

void
facts_capabilities(json_t *facts, const json_t *reply)
{
    json_t *all, *entry;
    size_t i;

    if (!json_is_array(reply))
        return;
    all = json_object();
    json_array_foreach(reply, i, entry)
    {
        const char *name = text_of(entry, "capability");
        if (name != NULL && strlen(name) <= FACTS_TEXT_MAX &&
            json_object_size(all) < FACTS_LIST_MAX)
            json_object_set_new(
                all, name,
                json_boolean(json_is_true(json_object_get(entry, "state"))));
    }
    json_object_set_new(facts, "capabilities", all);
}

void
facts_parameters(json_t *facts, const json_t *reply)
{
    const char *name;
    json_t *all, *value;

    if (!json_is_object(reply))
        return;
    all = json_object();
    json_object_foreach((json_t *)reply, name, value)
    {
        if (strlen(name) > FACTS_TEXT_MAX ||
            json_object_size(all) == FACTS_LIST_MAX)
            continue;
        if (json_is_string(value))
            facts_put_text(all, name, json_string_value(value));
        else if (json_is_boolean(value))
            json_object_set(all, name, value);
        else
            facts_put_number(all, name, value);
    }
    json_object_set_new(facts, "parameters", all);
}
