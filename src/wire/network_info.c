#include "wire/network_info.h"

#include <stdio.h>
#include <string.h>

/* Words of the text; not terminated by NUL. */
struct piece {
    const char *at;
    size_t len;
};

/* A client of QEMU's network: a NIC or a backend. */
struct client {
    struct piece name;
    struct piece kind; /* "nic", "tap", ... */
    struct piece rest; /* after the kind and its comma */
};

/* The hub whose ports are being read. */
struct hub {
    bool open;
    size_t first_nic;
    struct client backend;
};

static void
copy(char *to, size_t size, struct piece from)
{
    snprintf(to, size, "%.*s", (int)(from.len < size ? from.len : size - 1),
             from.at != NULL ? from.at : "");
}

static bool
equals(struct piece piece, const char *text)
{
    return piece.len == strlen(text) && memcmp(piece.at, text, piece.len) == 0;
}

static bool
begins(struct piece piece, const char *text)
{
    return piece.len >= strlen(text) &&
           memcmp(piece.at, text, strlen(text)) == 0;
}

static struct piece
skip(struct piece piece, size_t len)
{
    return (struct piece){ piece.at + len, piece.len - len };
}

/* Where ${text} is in ${piece}, or its length. */
static size_t
find(struct piece piece, const char *text)
{
    size_t at = 0;

    while (at < piece.len && !begins(skip(piece, at), text))
        at++;
    return at;
}

/* Everything up to the next comma. */
static struct piece
field(struct piece piece)
{
    piece.len = find(piece, ",");
    return piece;
}

/* The value of "key=" in a list that commas part; empty if it is not there. */
static struct piece
value(struct piece list, const char *key)
{
    while (list.len > 0) {
        struct piece this = field(list);
        if (begins(this, key))
            return skip(this, strlen(key));
        list = skip(list, this.len < list.len ? this.len + 1 : this.len);
    }
    return list;
}

/* "name: index=0,type=kind,rest".  In a hub the name has its port before it. */
static bool
parse_client(struct piece line, struct client *client)
{
    static const char mark[] = ": index=";
    size_t at = find(line, mark);

    if (at == line.len)
        return false;
    client->name = (struct piece){ line.at, at };
    for (size_t i = 0; i + 2 < at; i++)
        if (memcmp(line.at + i, ": ", 2) == 0)
            client->name = (struct piece){ line.at + i + 2, at - i - 2 };
    line = skip(line, at + sizeof mark - 1);
    client->kind = value(line, "type=");
    if (client->kind.len == 0)
        return false;
    size_t used = (size_t)(client->kind.at - line.at) + client->kind.len;
    client->rest = skip(line, used < line.len ? used + 1 : used);
    return true;
}

static void
add_nic(struct network_info *info, const struct client *client)
{
    struct network_nic *nic = &info->nics[info->count];

    /* The other queues of the one before. */
    if (info->count > 0 && equals(client->name, nic[-1].name))
        return;
    if (info->count == NETWORK_NICS_MAX) {
        info->cut = true;
        return;
    }
    memset(nic, 0, sizeof *nic);
    copy(nic->name, sizeof nic->name, client->name);
    copy(nic->model, sizeof nic->model, value(client->rest, "model="));
    copy(nic->mac, sizeof nic->mac, value(client->rest, "macaddr="));
    info->count++;
}

static void
set_backend(struct network_nic *nic, const struct client *client)
{
    if (nic->backend[0] != '\0')
        return;
    copy(nic->backend, sizeof nic->backend, client->kind);
    copy(nic->backend_name, sizeof nic->backend_name, client->name);
    copy(nic->info, sizeof nic->info, client->rest);
}

static bool
is_cable(const struct client *client)
{
    struct network_nic nic = { .name = "" };

    set_backend(&nic, client);
    return network_is_cable(nic.backend, nic.info);
}

/* All of a hub are joined: of several backends, the one counts that needs care
 * most. */
static void
close_hub(struct network_info *info, struct hub *hub)
{
    if (hub->open && hub->backend.kind.len > 0)
        for (size_t i = hub->first_nic; i < info->count; i++)
            set_backend(&info->nics[i], &hub->backend);
    memset(hub, 0, sizeof *hub);
}

static void
take_port(struct network_info *info, struct hub *hub,
          const struct client *client)
{
    if (equals(client->kind, "nic"))
        add_nic(info, client);
    else if (hub->open) {
        if (hub->backend.kind.len == 0 || is_cable(client))
            hub->backend = *client;
    } else if (info->count > 0 && !info->cut)
        set_backend(&info->nics[info->count - 1], client);
}

static void
take_line(struct network_info *info, struct hub *hub, struct piece line)
{
    static const char port[] = " \\ ";
    struct client client;

    if (begins(line, port)) {
        if (parse_client(skip(line, sizeof port - 1), &client))
            take_port(info, hub, &client);
        return;
    }
    close_hub(info, hub);
    if (begins(line, "hub ")) {
        hub->open = true;
        hub->first_nic = info->count;
    } else if (parse_client(line, &client) && equals(client.kind, "nic"))
        add_nic(info, &client);
}

void
network_info_parse(struct network_info *info, const char *text)
{
    struct hub hub = { .open = false };

    memset(info, 0, sizeof *info);
    while (*text != '\0') {
        struct piece line = { text, strcspn(text, "\r\n") };
        if (line.len > 0)
            take_line(info, &hub, line);
        text += line.len + strspn(text + line.len, "\r\n");
    }
    close_hub(info, &hub);
}

bool
network_is_cable(const char *backend, const char *info)
{
    if (strcmp(backend, "l2tpv3") == 0)
        return true;
    if (strcmp(backend, "dgram") == 0)
        return strncmp(info, "mcast=", 6) != 0;
    return strcmp(backend, "socket") == 0 && strstr(info, "udp=") != NULL;
}

const char *
network_far_end(const char *info)
{
    const char *udp = strstr(info, "udp=");
    const char *slash;

    if (udp == NULL)
        return NULL;
    /* dgram tells its own address first, socket only the far one */
    slash = strchr(udp, '/');
    return slash != NULL ? slash + 1 : udp + 4;
}
