// Asks USBGuard's own library about rules. Reads lines of words in hexadecimal: a rule, or a rule and a device (a rule
// that says all about it). Answers each with "-" when a rule is refused, with the rule as USBGuard prints it, in
// hexadecimal, or with 1 or 0: whether the rule is about the device.
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

namespace usbguard {
// What is used of the library, which Debian has no headers for here. The real class is smaller.
class Rule {
public:
  Rule(const Rule&);
  ~Rule();
  static Rule fromString(const std::string&);
  std::string toString(bool, bool) const;
  bool appliesTo(const Rule&) const;

private:
  void* unknown[64];
};
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static std::string bytesOf(const std::string& hex) {
  std::string bytes;
  for (size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes.push_back(static_cast<char>(digit(hex[at]) * 16 + digit(hex[at + 1])));
  return bytes;
}

static std::string hexOf(const std::string& bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned char byte : bytes) {
    hex.push_back(digits[byte / 16]);
    hex.push_back(digits[byte % 16]);
  }
  return hex;
}

static std::string answer(const std::string& line) {
  std::istringstream words(line);
  std::string rule, device;
  words >> rule >> device;
  try {
    const usbguard::Rule read = usbguard::Rule::fromString(bytesOf(rule));
    if (device.empty()) return "=" + hexOf(read.toString(false, false));
    return read.appliesTo(usbguard::Rule::fromString(bytesOf(device))) ? "1" : "0";
  } catch (const std::exception&) {
    return "-";
  }
}

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << '\n';
}
