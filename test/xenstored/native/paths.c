// SPDX-License-Identifier: LGPL-2.1-only
/* paths.c: where the daemons really find and put their files (shim.c says why). */
#include "shim.h"

static const char *redir(const char *p, char *buf, size_t n)
{
    static const char *const pre[] = { "/var/run/xenstored", "/run/xenstored" };
    if (!p) return p;
    for (int i = 0; i < 2; i++) {
        size_t l = strlen(pre[i]);
        if (!strncmp(p, pre[i], l) && (p[l] == '/' || !p[l])) {
            snprintf(buf, n, "%s%s", dir(), p + l);
            return buf;
        }
    }
    if (!strcmp(p, "/proc/xen/xsd_kva") || !strcmp(p, "/proc/xen/xsd_port")) {
        snprintf(buf, n, "%s/%s", dir(), !strcmp(p + 10, "xsd_kva") ? "ring.0" : "xsd_port");
        return buf;
    }
    return p;
}

static void prepare(const char *orig, const char *p)
{
    if (orig == p) return;
    if (strstr(orig, "xsd_kva")) make_page(p);
    if (strstr(orig, "xsd_port")) {
        REAL(int, open, (const char *, int, ...));
        int fd = real_open(p, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (fd >= 0) { if (write(fd, "2", 1) != 1) {} close(fd); }
    }
}

#define OPEN_BODY(NAME) \
    char b[4096]; va_list ap; int mode; \
    va_start(ap, fl); mode = va_arg(ap, int); va_end(ap); \
    REAL(int, NAME, (const char *, int, ...)); \
    const char *q = redir(p, b, sizeof b); \
    prepare(p, q); \
    return real_##NAME(q, fl, mode)

int open(const char *p, int fl, ...)   { OPEN_BODY(open); }
int open64(const char *p, int fl, ...) { OPEN_BODY(open64); }

int unlink(const char *p)
{ char b[4096]; REAL(int, unlink, (const char *)); return real_unlink(redir(p, b, sizeof b)); }
int mkdir(const char *p, mode_t m)
{ char b[4096]; REAL(int, mkdir, (const char *, mode_t)); return real_mkdir(redir(p, b, sizeof b), m); }
int chmod(const char *p, mode_t m)
{ char b[4096]; REAL(int, chmod, (const char *, mode_t)); return real_chmod(redir(p, b, sizeof b), m); }
int rename(const char *o, const char *n)
{ char b[4096], c[4096]; REAL(int, rename, (const char *, const char *));
  return real_rename(redir(o, b, sizeof b), redir(n, c, sizeof c)); }

int bind(int fd, const struct sockaddr *a, socklen_t l)
{
    REAL(int, bind, (int, const struct sockaddr *, socklen_t));
    if (a->sa_family == AF_UNIX) {
        char b[4096];
        const char *p = ((const struct sockaddr_un *)a)->sun_path;
        const char *q = redir(p, b, sizeof b);
        if (q != p) {
            struct sockaddr_un n = { .sun_family = AF_UNIX };
            if (strlen(q) >= sizeof n.sun_path) { errno = ENAMETOOLONG; return -1; }
            strcpy(n.sun_path, q);
            return real_bind(fd, (struct sockaddr *)&n, sizeof n);
        }
    }
    return real_bind(fd, a, l);
}

/* oxenstored's plug-in: it looks what its folder contains, and loads that */
static const char *in_root(const char *p, char *b, size_t n)
{
    const char *root = getenv("XS_SHIM_ROOT");
    if (!root || !p || !strstr(p, "/xenctrl_plugin/")) return p;
    snprintf(b, n, "%s%s", root, p);
    return b;
}

DIR *opendir(const char *p)
{ char b[4096]; REAL(DIR *, opendir, (const char *)); return real_opendir(in_root(p, b, sizeof b)); }
int stat64(const char *p, struct stat64 *s)
{ char b[4096]; REAL(int, stat64, (const char *, struct stat64 *)); return real_stat64(in_root(p, b, sizeof b), s); }
void *dlopen(const char *p, int flags)
{ char b[4096]; REAL(void *, dlopen, (const char *, int)); return real_dlopen(in_root(p, b, sizeof b), flags); }

/* oxenstored insists on raising RLIMIT_NOFILE to fs.nr_open: clamp, never fail */
int setrlimit(__rlimit_resource_t r, const struct rlimit *rl)
{
    REAL(int, setrlimit, (__rlimit_resource_t, const struct rlimit *));
    struct rlimit cur, want = *rl;
    getrlimit(r, &cur);
    if (want.rlim_max > cur.rlim_max) want.rlim_max = cur.rlim_max;
    if (want.rlim_cur > want.rlim_max) want.rlim_cur = want.rlim_max;
    real_setrlimit(r, &want);
    return 0;
}
