/*
 * What xl's own reader of configuration files (libxlutil, as in Debian) makes of texts.
 *
 * Standard input: any number of texts, each after its length (four bytes, the lowest first). Standard output, for each a
 * line: "refused", "crashed", or "read" with the values of the names that are the arguments: name=HEX for a string,
 * name=[HEX,HEX,] for a list; an item that is a list itself is "~".
 */
#include <libxlutil.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The only thing that libxlutil needs from libxl, for a call that is not made here. */
void libxl_defbool_set(libxl_defbool *db, bool b) { (void)db; (void)b; }

static void hex(const char *text) {
    for (; *text; text++) printf("%02x", (unsigned char)*text);
}

static void print_value(const XLU_Config *config, const char *name) {
    XLU_ConfigList *list;
    const char *text;
    int count;
    if (!xlu_cfg_get_list(config, name, &list, &count, 1)) {
        printf(" %s=[", name);
        for (int i = 0; i < count; i++) {
            const char *item = xlu_cfg_get_listitem(list, i);
            if (item) hex(item); else putchar('~');
            putchar(',');
        }
        putchar(']');
    } else if (!xlu_cfg_get_string(config, name, &text, 1)) {
        printf(" %s=", name);
        hex(text);
    }
}

static int read_text(const char *text, int length, int count, char **names) {
    FILE *quiet = fopen("/dev/null", "w");
    XLU_Config *config = xlu_cfg_init(quiet, "text");
    if (xlu_cfg_readdata(config, text, length)) return 1;
    printf("read");
    for (int i = 0; i < count; i++) print_value(config, names[i]);
    putchar('\n');
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    unsigned char head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        uint32_t length = head[0] | head[1] << 8 | head[2] << 16 | (uint32_t)head[3] << 24;
        char *text = malloc(length + 1);
        if (fread(text, 1, length, stdin) != length) return 2;
        fflush(stdout);
        pid_t child = fork();
        /* An assertion of libxlutil ends the process. */
        if (child == 0) { freopen("/dev/null", "w", stderr); _exit(read_text(text, (int)length, argc - 1, argv + 1)); }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child) return 2;
        if (!WIFEXITED(status)) puts("crashed");
        else if (WEXITSTATUS(status)) puts("refused");
        free(text);
    }
    return 0;
}
