// SPDX-License-Identifier: LGPL-2.1-only
/*
 * shim.c: LD_PRELOAD stand-in for the few Xen interfaces that xenstored (C)
 * and oxenstored (OCaml) need, so that both run on a machine without Xen.
 *
 * Everything lives in one directory, $XS_SHIM_DIR:
 *   dom/N        exists <=> "hypervisor" knows domain N (0 always exists).
 *                Content: "" = running, "shutdown", "crashed" or "dying".
 *   ring.N       4096 byte file = the xenstore ring page of domain N
 *   evt.in       FIFO: u32 local port numbers delivered to the daemon.
 *                port 1 = VIRQ_DOM_EXC, 100+N = domain N kicked its ring
 *   evt.N        FIFO: one byte per notification daemon -> domain N
 *   socket       (oxenstored only: /var/run/xenstored/... is redirected here)
 *
 * $XS_SHIM_ROOT is the folder that stands for / (oxenstored loads a plug-in by its full path since Xen 4.20).
 * XEN, the release that the headers are of, is given to the compiler: 417 for 4.17.
 *
 * Built by fetch.ts. The process dies with the one that started it, so that no test leaves a daemon behind.
 */
#include "shim.h"

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define VIRQ_PORT 1u
#define DOM_PORT(d) (100u + (d))
#define MAXDOM 32768

__attribute__((constructor)) static void die_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* ---- libxenctrl --------------------------------------------------------- */

static long fake_xc[16] __attribute__((aligned(64)));
static xc_error no_error;

xc_interface *xc_interface_open(xentoollog_logger *l, xentoollog_logger *d, unsigned f)
{ return (xc_interface *)fake_xc; }
int xc_interface_close(xc_interface *x) { return 0; }
const xc_error *xc_get_last_error(xc_interface *x) { return &no_error; }

enum { D_NONE, D_RUN, D_SHUT, D_CRASH, D_DYING };

static int dom_state(uint32_t d)
{
    char p[4096], s[16] = "";
    REAL(int, open, (const char *, int, ...));
    int fd, n;
    if (d >= MAXDOM - 16) return D_NONE;
    fd = real_open(in_dir(p, sizeof p, "dom/%u", d), O_RDONLY);
    if (fd < 0) return d == 0 ? D_RUN : D_NONE;
    n = read(fd, s, sizeof s - 1);
    if (n < 0) n = 0;
    s[n] = 0;
    close(fd);
    if (!strncmp(s, "shutdown", 8)) return D_SHUT;
    if (!strncmp(s, "crashed", 7)) return D_CRASH;
    if (!strncmp(s, "dying", 5)) return D_DYING;
    return D_RUN;
}

#if XEN < 418
int xc_domain_getinfo(xc_interface *x, uint32_t first, unsigned int max, xc_dominfo_t *i)
{
    int s = dom_state(first);           /* callers only ask for one */
    if (s == D_NONE || !max) return 0;
    memset(i, 0, sizeof *i);
    i->domid = first;
    i->running = s == D_RUN;
    i->shutdown = s >= D_SHUT;
    i->crashed = s == D_CRASH;
    i->dying = s == D_DYING;
    return 1;
}
#endif

int xc_domain_getinfolist(xc_interface *x, uint32_t first, unsigned int max, xc_domaininfo_t *i)
{
    int s = dom_state(first);
    if (s == D_NONE || !max) { errno = ESRCH; return 0; }
    memset(i, 0, sizeof *i);
    i->domain = first;
    i->flags = s == D_RUN ? XEN_DOMINF_running :
               s == D_DYING ? XEN_DOMINF_dying | XEN_DOMINF_shutdown : XEN_DOMINF_shutdown;
    return 1;
}

#if XEN >= 418
int xc_domain_getinfo_single(xc_interface *x, uint32_t domid, xc_domaininfo_t *i)
{ return xc_domain_getinfolist(x, domid, 1, i) == 1 ? 0 : -1; }
#endif

static void *map_ring(uint32_t dom)
{
    char p[4096];
    REAL(int, open, (const char *, int, ...));
    void *a;
    int fd;
    if (dom_state(dom) == D_NONE) { errno = EINVAL; return NULL; }
    make_page(in_dir(p, sizeof p, "ring.%u", dom));
    fd = real_open(p, O_RDWR);
    if (fd < 0) return NULL;
    a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return a == MAP_FAILED ? NULL : a;
}

void *xc_map_foreign_range(xc_interface *x, uint32_t dom, int size, int prot, unsigned long mfn)
{ return map_ring(dom); }

/* ---- libxengnttab ------------------------------------------------------- */

xengnttab_handle *xengnttab_open(xentoollog_logger *l, unsigned f) { return (void *)fake_xc; }
int xengnttab_close(xengnttab_handle *g) { return 0; }
int xengnttab_set_max_grants(xengnttab_handle *g, uint32_t n) { return 0; }
void *xengnttab_map_grant_ref(xengnttab_handle *g, uint32_t dom, uint32_t ref, int prot)
{ return map_ring(dom); }
int xengnttab_unmap(xengnttab_handle *g, void *a, uint32_t n) { return munmap(a, 4096ul * n); }

/* ---- libxenevtchn ------------------------------------------------------- */

static int evt_fd = -1;
static int out_fd[MAXDOM];              /* fd + 1 */

xenevtchn_handle *xenevtchn_open(xentoollog_logger *l, unsigned f)
{
    char p[4096];
    REAL(int, open, (const char *, int, ...));
    in_dir(p, sizeof p, "evt.in", 0);
    mkfifo(p, 0600);
    evt_fd = real_open(p, O_RDWR | O_NONBLOCK);
    return evt_fd < 0 ? NULL : (void *)fake_xc;
}
xenevtchn_handle *xenevtchn_fdopen(xentoollog_logger *l, int fd, unsigned f)
{ evt_fd = fd; return (void *)fake_xc; }
int xenevtchn_close(xenevtchn_handle *x) { return close(evt_fd); }
int xenevtchn_fd(xenevtchn_handle *x) { return evt_fd; }
int xenevtchn_unmask(xenevtchn_handle *x, evtchn_port_t p) { return 0; }

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *x)
{
    uint32_t p;
    return read(evt_fd, &p, 4) == 4 ? (int)p : -1;
}

static int out_for(uint32_t d)
{
    char p[4096];
    REAL(int, open, (const char *, int, ...));
    if (!out_fd[d]) {
        mkfifo(in_dir(p, sizeof p, "evt.%u", d), 0600);
        out_fd[d] = real_open(p, O_RDWR | O_NONBLOCK | O_CLOEXEC) + 1;
    }
    return out_fd[d] - 1;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *x, uint32_t dom, evtchn_port_t r)
{
    if (dom >= MAXDOM || dom_state(dom) == D_NONE) { errno = ESRCH; return -1; }
    if (dom) out_for(dom);
    return DOM_PORT(dom);
}
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *x, unsigned v) { return VIRQ_PORT; }
int xenevtchn_unbind(xenevtchn_handle *x, evtchn_port_t p)
{
    uint32_t d = p - 100;
    if (p > 100 && d < MAXDOM && out_fd[d]) { close(out_fd[d] - 1); out_fd[d] = 0; }
    return 0;
}
int xenevtchn_notify(xenevtchn_handle *x, evtchn_port_t p)
{
    uint32_t d = p - 100;
    if (p > 100 && d < MAXDOM) {
        int fd = out_for(d);
        if (fd >= 0 && write(fd, "!", 1) != 1) {}   /* full FIFO: peer is behind, fine */
    }
    return 0;
}
