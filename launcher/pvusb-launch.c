/*
 * Starts pvusb, or has the daemon do the work: a process that hands over its command line and passes the output on is
 * up in a millisecond. Whatever prevents that, the full program is started instead. Licence: LGPL-2.1-only.
 *
 * The protocol (both directions): frames of a type (1 byte), a length (4 bytes, big-endian) and that many bytes.
 * To the daemon: 'r' the request, 'i' interrupted. From it: 'o' and 'e' bytes for standard output and standard error,
 * 'n' declined, 'x' the exit status as decimal digits. src/daemon/command-line.ts is the other side.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef PVUSB_VERSION
#error "PVUSB_VERSION is the version of the program that this is built with"
#endif
#ifndef PVUSB_PROGRAM_PATH
#define PVUSB_PROGRAM_PATH "/usr/lib/pvusb/pvusb"
#endif
/* Where the full program is from the launcher, wherever both are unpacked. */
#define BESIDE "../lib/pvusb/pvusb"
#define PROTOCOL "1"
#define SOCKET_PATH "/run/pvusb/command.sock"

enum { INTERRUPTED = 130, HOST_PROBLEM = 3, UNFINISHED = 5, UNWRITTEN = 6 };
enum { REQUEST_MAX = 128 * 1024, USUAL_WIDTH = 80, CONNECT_WITHIN_S = 2, TELL_AFTER_MS = 1000 };

/* What the daemon serves; those that only read can be run again when it has gone away. */
static const char *const READING[] = {"list", "devices", "usb-list", NULL};
static const char *const WRITING[] = {"attach",         "detach",        "usbctrl-attach",
                                      "usbctrl-detach", "usbdev-attach", "usbdev-detach", NULL};
/* The beginnings of the variables that it gets. */
static const char *const PASSED_ON[] = {"PVUSB_", "XENSTORED_", "LANG=",    "LC_ALL=",
                                        "TERM=",  "NO_COLOR=",  "COLUMNS=", NULL};

static int is_one_of(const char *word, const char *const *words) {
    while (*words != NULL && strcmp(word, *words) != 0) words++;
    return *words != NULL;
}

/* ---- The full program ---- */

static struct sigaction old_pipe;

static const char *program_path(void) {
    static char path[4096];
    const char *asked = getenv("PVUSB_PROGRAM");
    if (asked != NULL && *asked != '\0') return asked;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof BESIDE);
    char *slash = length > 0 ? strrchr(path, '/') : NULL;
    if (slash == NULL) return PVUSB_PROGRAM_PATH;
    strcpy(slash + 1, BESIDE);
    return access(path, X_OK) == 0 ? path : PVUSB_PROGRAM_PATH;
}

static int start_full_program(char **argv) {
    argv[0] = (char *)program_path();
    unsetenv("PVUSB_PROGRAM"); /* Should that name the launcher itself, once is enough. */
    sigaction(SIGPIPE, &old_pipe, NULL);
    execv(argv[0], argv);
    fprintf(stderr, "pvusb: %s cannot be started: %s.\n", argv[0], strerror(errno));
    return HOST_PROBLEM;
}

/* ---- Output: what is printed arrives whole, or the failure is told (as src/cli/output.ts does) ---- */

struct output {
    int fd;
    int failed; /* Nothing more is written: a gap in the output would not be noticed. */
    int why;    /* The errno that is worth telling; 0: none. */
    int told;
};

static struct output out = {.fd = STDOUT_FILENO};
static struct output err = {.fd = STDERR_FILENO};

static void put(struct output *to, const char *bytes, size_t length) {
    while (length > 0 && !to->failed) {
        ssize_t written = write(to->fd, bytes, length);
        if (written >= 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = to->fd, .events = POLLOUT};
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            /* Nobody reads any further, or the terminal was closed: no failure that is worth telling. */
            int why = errno;
            if (why != EPIPE && !(why == EIO && isatty(to->fd))) to->why = why;
            to->failed = 1;
        }
    }
}

/* `no space left on device (ENOSPC)`, in the full program's words. */
static const char *describe(int why) {
    switch (why) {
    case ENOSPC: return "no space left on device (ENOSPC)";
    case EFBIG: return "file too large (EFBIG)";
    case EIO: return "i/o error (EIO)";
    case EBADF: return "bad file descriptor (EBADF)";
    default: return strerror(why);
    }
}

static void say(const char *what, const char *why, const char *end) {
    put(&err, what, strlen(what));
    put(&err, why, strlen(why));
    put(&err, end, strlen(end));
}

static int finish(int status) {
    const char *what = status == 0 ? "pvusb: The command did its work, but its output could not be written: "
                                   : "pvusb: The command's output could not be written: ";
    if (out.why != 0) say(what, describe(out.why), ".\n");
    return status == 0 && (out.why != 0 || err.why != 0) ? UNWRITTEN : status;
}

/* ---- The daemon ---- */

static int daemon_fd = -1;
static volatile sig_atomic_t interrupts;

static void on_interrupt(int number) {
    int before = errno;
    (void)number;
    /* The first one asks, and what was begun is undone; the third one ends the process at once. */
    if (++interrupts == 3) _exit(INTERRUPTED);
    send(daemon_fd, "i\0\0\0\0", 5, MSG_NOSIGNAL | MSG_DONTWAIT);
    errno = before;
}

/* A socket whose other end is root or ourselves; -1 if there is none. */
static int reach_daemon(void) {
    const char *path = getenv("PVUSB_COMMAND_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval within = {.tv_sec = CONNECT_WITHIN_S}, for_ever = {.tv_sec = 0};
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (path == NULL || *path == '\0') path = SOCKET_PATH;
    if (strlen(path) >= sizeof address.sun_path) return -1;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &within, sizeof within);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid())) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &for_ever, sizeof for_ever);
        return fd;
    }
    close(fd);
    return -1;
}

static char request[5 + REQUEST_MAX];
static size_t used = 5;
static int is_too_long;

/* Fields are separated, not ended, by NUL. */
static void add(const char *field) {
    size_t length = strlen(field);
    is_too_long |= length + 1 > sizeof request - used;
    if (is_too_long) return;
    if (used > 5) request[used++] = '\0';
    memcpy(request + used, field, length);
    used += length;
}

static void add_number(unsigned number) {
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    add(text);
}

/* How wide lines may be: COLUMNS, or what the terminal has; nothing if it is none. */
static void add_columns(int fd) {
    const char *asked = getenv("COLUMNS");
    struct winsize size;
    if (asked != NULL && asked[strspn(asked, "0123456789")] == '\0') {
        const char *digits = asked + strspn(asked, "0");
        if (*digits != '\0' && strlen(digits) <= 5) return add(digits);
    }
    if (!isatty(fd)) return add("");
    add_number(ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : USUAL_WIDTH);
}

static int is_passed_on(const char *variable) {
    const char *const *start = PASSED_ON;
    while (*start != NULL && strncmp(variable, *start, strlen(*start)) != 0) start++;
    return *start != NULL;
}

/* False if it does not fit. */
static int make_request(char **words) {
    const char *term = getenv("TERM"), *plain = getenv("NO_COLOR");
    unsigned count = 0;
    add(PROTOCOL);
    add(PVUSB_VERSION);
    add_columns(STDOUT_FILENO);
    add_columns(STDERR_FILENO);
    int is_dumb = (term != NULL && strcmp(term, "dumb") == 0) || (plain != NULL && *plain != '\0');
    add(isatty(STDERR_FILENO) && !is_dumb ? "1" : "0");
    add(isatty(STDOUT_FILENO) ? "1" : "0");
    for (char **variable = environ; *variable != NULL; variable++) count += (unsigned)is_passed_on(*variable);
    add_number(count);
    for (char **variable = environ; *variable != NULL; variable++)
        if (is_passed_on(*variable)) add(*variable);
    while (*words != NULL) add(*words++);
    request[0] = 'r';
    for (int i = 0; i < 4; i++) request[1 + i] = (char)((used - 5) >> (24 - 8 * i));
    return !is_too_long;
}

static int send_request(void) {
    for (size_t sent = 0; sent < used;) {
        ssize_t now = send(daemon_fd, request + sent, used - sent, MSG_NOSIGNAL);
        if (now < 0 && errno != EINTR) return 0;
        if (now > 0) sent += (size_t)now;
    }
    return 1;
}

/* Reads some bytes of an answer, at least one; 0 when the daemon is gone. */
static size_t receive(char *bytes, size_t length) {
    for (;;) {
        struct pollfd answer = {.fd = daemon_fd, .events = POLLIN};
        int ready = poll(&answer, 1, out.why != 0 && !out.told ? TELL_AFTER_MS : -1);
        if (ready == 0) {
            out.told = 1;
            say("pvusb: Standard output cannot be written any more: ", describe(out.why), ".\n");
        }
        if (ready <= 0) continue;
        ssize_t got = recv(daemon_fd, bytes, length, 0);
        if (got >= 0) return (size_t)got;
        if (errno != EINTR && errno != EAGAIN) return 0;
    }
}

static int receive_all(char *bytes, size_t length) {
    size_t now = 1;
    for (; length > 0 && now > 0; bytes += now, length -= now) now = receive(bytes, length);
    return now > 0;
}

/* Passes the answers on until the end: gives the exit status, -1 if the full program is to do it. */
static int pass_on(int only_reads) {
    char bytes[65536];
    unsigned char head[5];
    int has_begun = 0;
    while (receive_all((char *)head, sizeof head)) {
        size_t length = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        if (head[0] == 'n' && length == 0 && !has_begun) return interrupts > 0 ? INTERRUPTED : -1;
        if (head[0] == 'x' && length >= 1 && length <= 3 && receive_all(bytes, length)) {
            bytes[length] = '\0';
            if (bytes[strspn(bytes, "0123456789")] == '\0') return finish(atoi(bytes) & 255);
        }
        if (head[0] != 'o' && head[0] != 'e') break;
        has_begun = 1;
        for (size_t now; length > 0; length -= now) {
            if ((now = receive(bytes, length < sizeof bytes ? length : sizeof bytes)) == 0) break;
            put(head[0] == 'o' ? &out : &err, bytes, now);
        }
        if (length > 0) break;
    }
    if (only_reads && !has_begun && interrupts == 0) return -1;
    say("pvusb: The daemon has gone away in the middle of the command.\n", "Run \"pvusb doctor\"", ".\n");
    return finish(UNFINISHED);
}

int main(int argc, char **argv) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    /* One that was closed would become the socket, or a file of the full program's. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return HOST_PROBLEM;
    sigaction(SIGPIPE, NULL, &old_pipe);
    int only_reads = argc > 1 && is_one_of(argv[1], READING);
    int is_served = only_reads || (argc > 1 && is_one_of(argv[1], WRITING));
    if (is_served && make_request(argv + 1) && (daemon_fd = reach_daemon()) >= 0) {
        const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        sigset_t all, before;
        /* An interruption in the middle of the request would be a part of it. */
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, &before);
        sigaction(SIGPIPE, &ignore, NULL);
        for (int i = 0; i < 3; i++) sigaction(numbers[i], &interrupt, NULL);
        int is_sent = send_request();
        sigprocmask(SIG_SETMASK, &before, NULL);
        int status = is_sent ? pass_on(only_reads) : -1;
        if (status >= 0) return status;
    }
    return start_full_program(argv);
}
