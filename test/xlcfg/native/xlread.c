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
#include <sys/mman.h>
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

/* Reads a text and prints its line; nothing of it before all of it is known. */
static void read_text(const char *text, int length, int count, char **names, FILE *quiet) {
    XLU_Config *config = xlu_cfg_init(quiet, "text");
    if (xlu_cfg_readdata(config, text, length)) {
        puts("refused");
    } else {
        printf("read");
        for (int i = 0; i < count; i++) print_value(config, names[i]);
        putchar('\n');
        xlu_cfg_destroy(config);
    }
    fflush(stdout);
}

struct text { char *bytes; uint32_t length; };

int main(int argc, char **argv) {
    unsigned char head[4];
    struct text *texts = NULL;
    size_t count = 0;
    while (fread(head, 1, 4, stdin) == 4) {
        uint32_t length = head[0] | head[1] << 8 | head[2] << 16 | (uint32_t)head[3] << 24;
        char *bytes = malloc(length + 1);
        if (fread(bytes, 1, length, stdin) != length) return 2;
        texts = realloc(texts, (count + 1) * sizeof *texts);
        texts[count++] = (struct text){ bytes, length };
    }
    /* An assertion of libxlutil ends the process: then the next one continues with the next text. */
    volatile size_t *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (done == MAP_FAILED) return 2;
    while (*done < count) {
        pid_t child = fork();
        if (child == 0) {
            FILE *quiet = freopen("/dev/null", "w", stderr);
            for (; *done < count; ++*done)
                read_text(texts[*done].bytes, (int)texts[*done].length, argc - 1, argv + 1, quiet);
            _exit(0);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child) return 2;
        if (WIFEXITED(status)) break;
        puts("crashed");
        fflush(stdout);
        ++*done;
    }
    return *done == count ? 0 : 2;
}
