#!/bin/sh
# USBGuard 1.1.2 (Debian 12): a rule with the condition rule-evaluated(10) is printed with rule-applied(10).
#
# usbguard-rules.conf(5) has two conditions: rule-applied (a device was matched by this rule before) and rule-evaluated
# (this rule was looked at before). usbguard-rule-parser reads both, and prints the second as the first: so
# what is printed and read again is a rule with another meaning.
#
# Seen: INPUT: allow if rule-evaluated(10)
#       OUTPUT: allow if rule-applied(10)
#
# Exits with 1 if that is no longer so, with 2 if it cannot be tried.
# The package, in a folder of its own that is removed at the end.
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
version=1.1.2+ds-3+b1
(
  cd "$folder" || exit 2
  apt-get download -qq -o APT::Sandbox::User=root "usbguard=$version" "libusbguard1=$version" \
    libqb100 libprotobuf32 libumockdev0 libpcap0.8 libdbus-1-3 libsodium23 libglib2.0-0 libffi8 libpcre2-8-0 || exit 2
  for deb in *.deb; do dpkg -x "$deb" root || exit 2; done
) || { echo "USBGuard $version cannot be downloaded."; exit 2; }
libraries=$(echo "$folder"/root/usr/lib/*-linux-gnu*):$(echo "$folder"/root/lib/*-linux-gnu*)
echo "USBGuard $version"

parse() {
  TZ=UTC LC_ALL=C LD_LIBRARY_PATH="$libraries" "$folder/root/usr/bin/usbguard-rule-parser" "$1"
}

seen=$(parse 'allow if rule-evaluated(10)')
echo "$seen"
[ "$seen" = 'INPUT: allow if rule-evaluated(10)
OUTPUT: allow if rule-applied(10)' ] || { echo 'USBGuard does something else now.'; exit 1; }
