/* The same requests, copies and answers as bench/backend.ts, in a loop in C: what the memory alone costs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLOTS = 16, ENTRY = 148, PAGE = 4096 };

static double cpu(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  int segments = atoi(argv[1]), length = atoi(argv[2]);
  long rounds = atol(argv[3]);
  uint8_t *ring = aligned_alloc(PAGE, PAGE), *block = aligned_alloc(PAGE, SLOTS * PAGE), request[ENTRY];
  uint8_t *pages[SLOTS];
  volatile uint32_t *index = (volatile uint32_t *)ring;
  (void)argc;
  memset(ring, 0, PAGE);
  memset(block, 1, SLOTS * PAGE);
  for (int page = 0; page < SLOTS; page++) {
    pages[page] = aligned_alloc(PAGE, PAGE);
    memset(pages[page], 0, PAGE);
  }
  double start = cpu();
  for (long round = 0; round < rounds; round++) {
    index[0] += SLOTS;
    __sync_synchronize();
    for (int slot = 0; slot < SLOTS; slot++) {
      uint8_t *at = ring + 64 + slot * ENTRY;
      memcpy(request, at, ENTRY);
      for (int piece = 0; piece < segments; piece++) memcpy(pages[piece], block + piece * PAGE, length);
      memcpy(at, request, 16);
    }
    __sync_synchronize();
    index[2] += SLOTS;
  }
  printf("%f\n", (double)SLOTS * rounds / (cpu() - start));
  return 0;
}
