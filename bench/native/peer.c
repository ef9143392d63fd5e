// SPDX-License-Identifier: LGPL-2.1-only
/*
 * peer.c: what a program using libxenstore does, one request at a time, for comparison.
 *
 * It reads one command per line and answers with one line, `MICROSECONDS REQUESTS`:
 *   reads COUNT PATH     reads a node COUNT times
 *   libxl [DOMID]        the requests of libxl's usb-list (Xen 4.17), for one domain or for all
 *   lean [DOMID]         the same list, asking for nothing twice
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xenstore.h>

#define PATH_MAX_BYTES 512

static struct xs_handle *store;
static unsigned long requests;

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

/* A value, to be freed; NULL when the node does not exist. */
static char *read_key(const char *folder, const char *key)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof(path), "%s/%s", folder, key);
    requests++;
    return xs_read(store, XBT_NULL, path, NULL);
}

static void skip_key(const char *folder, const char *key)
{
    free(read_key(folder, key));
}

static char **list_keys(const char *path, unsigned int *count)
{
    *count = 0;
    requests++;
    return xs_directory(store, XBT_NULL, path, count);
}

static void read_port(const char *backend, int port)
{
    char key[32];
    snprintf(key, sizeof(key), "port/%d", port);
    skip_key(backend, key);
}

/* libxl_device_usbctrl_list's part, libxl_device_usbctrl_getinfo, and libxl_ctrlport_to_device_usbdev for each port. */
static void controller_as_libxl(int domid, const char *record, const char *devid)
{
    char frontend[PATH_MAX_BYTES];
    char *backend, *text, *home;
    int port, ports;

    skip_key(record, "type");
    backend = read_key(record, "backend");
    if (!backend)
        return;
    skip_key(backend, "usb-ver");
    skip_key(backend, "num-ports");

    skip_key(record, "type");
    requests++;
    home = xs_get_domain_path(store, domid);
    snprintf(frontend, sizeof(frontend), "%s/device/vusb/%s", home, devid);
    free(home);
    skip_key(record, "backend");
    skip_key(frontend, "state");
    skip_key(frontend, "event-channel");
    skip_key(frontend, "urb-ring-ref");
    skip_key(frontend, "urb-ring-ref");
    text = read_key(backend, "num-ports");
    ports = text ? atoi(text) : 0;
    free(text);
    skip_key(backend, "usb-ver");

    for (port = 1; port <= ports; port++) {
        skip_key(record, "type");
        skip_key(record, "backend");
        read_port(backend, port);
    }
    free(backend);
}

static void controller_lean(int domid, const char *record, const char *devid)
{
    char frontend[PATH_MAX_BYTES];
    char *backend, *text;
    int port, ports;

    skip_key(record, "type");
    backend = read_key(record, "backend");
    if (!backend)
        return;
    skip_key(backend, "usb-ver");
    text = read_key(backend, "num-ports");
    ports = text ? atoi(text) : 0;
    free(text);
    snprintf(frontend, sizeof(frontend), "/local/domain/%d/device/vusb/%s", domid, devid);
    skip_key(frontend, "state");
    skip_key(frontend, "event-channel");
    skip_key(frontend, "urb-ring-ref");
    skip_key(frontend, "conn-ring-ref");
    for (port = 1; port <= ports; port++)
        read_port(backend, port);
    free(backend);
}

static void list_domain(int domid, int lean)
{
    char folder[64], record[PATH_MAX_BYTES];
    unsigned int i, count;
    char **devids;

    snprintf(folder, sizeof(folder), "/libxl/%d/device/vusb", domid);
    devids = list_keys(folder, &count);
    for (i = 0; i < count; i++) {
        snprintf(record, sizeof(record), "%s/%s", folder, devids[i]);
        if (lean)
            controller_lean(domid, record, devids[i]);
        else
            controller_as_libxl(domid, record, devids[i]);
    }
    free(devids);
}

static void list_all(int lean)
{
    unsigned int i, count;
    char **domids = list_keys("/local/domain", &count);

    for (i = 0; i < count; i++)
        list_domain(atoi(domids[i]), lean);
    free(domids);
}

static void read_often(int count, const char *path)
{
    while (count-- > 0) {
        requests++;
        free(xs_read(store, XBT_NULL, path, NULL));
    }
}

int main(void)
{
    char line[PATH_MAX_BYTES], path[PATH_MAX_BYTES], command[16];
    int number;

    store = xs_open(0);
    if (!store) {
        perror("xs_open");
        return 1;
    }
    while (fgets(line, sizeof(line), stdin)) {
        double start = now_us();
        int lean;

        requests = 0;
        if (sscanf(line, "reads %d %511s", &number, path) == 2) {
            read_often(number, path);
        } else if (sscanf(line, "%15s", command) == 1) {
            lean = strcmp(command, "lean") == 0;
            if (sscanf(line, "%*s %d", &number) == 1)
                list_domain(number, lean);
            else
                list_all(lean);
        }
        printf("%.1f %lu\n", now_us() - start, requests);
        fflush(stdout);
    }
    xs_close(store);
    return 0;
}
