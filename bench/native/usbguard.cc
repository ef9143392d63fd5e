/* Matches devices against rules as usbguard-daemon does: the first rule that applies wins. A peer of the benchmark. */
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>
#include <usbguard/Rule.hpp>

static std::vector<usbguard::Rule> read(const char *path) {
  std::vector<usbguard::Rule> rules;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) rules.push_back(usbguard::Rule::fromString(line));
  return rules;
}

/* Arguments: a file of rules, a file of devices. For each line of input: microseconds, and how many rules applied. */
int main(int, char **argv) {
  const auto rules = read(argv[1]);
  const auto devices = read(argv[2]);
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    long applied = 0;
    for (const auto &device : devices)
      for (const auto &rule : rules) applied += rule.appliesTo(device);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    std::cout << static_cast<long>(took.count()) << ' ' << applied << std::endl;
  }
}
