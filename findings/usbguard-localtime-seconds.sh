#!/bin/sh
# USBGuard 1.1.2 (Debian 12): a time of day with seconds is read as its seconds alone.
#
# usbguard-rules.conf(5) says that localtime takes HH:MM[:SS]-HH:MM[:SS]. It reads the seconds with %s of strptime, which
# are seconds since 1970 and overwrite hours and minutes: from 09:00:30 until 17:00:10 is for it from 00:00:30 until
# 00:00:10 (UTC), "begin > end", and the rule is refused. USBGuard does not start with such a file. From 17:00:10 until
# 09:00:30, over midnight, is accepted, and from 17:00 until 09:00 is not.
#
# Seen: refused  localtime(09:00:30-17:00:10)
#       accepted localtime(17:00:10-09:00:30)
#       refused  localtime(17:00-09:00)
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

try() {
  if parse "allow if localtime($1)" > /dev/null 2>&1; then echo "accepted localtime($1)"; else echo "refused  localtime($1)"; fi
}
seen=$(try 09:00:30-17:00:10; try 17:00:10-09:00:30; try 17:00-09:00)
echo "$seen"
[ "$seen" = 'refused  localtime(09:00:30-17:00:10)
accepted localtime(17:00:10-09:00:30)
refused  localtime(17:00-09:00)' ] || { echo 'USBGuard does something else now.'; exit 1; }
