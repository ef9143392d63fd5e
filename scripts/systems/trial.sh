# Run as root in a fresh system, by test-systems.js: installs the packages in /pkg, uses what is installed, and removes
# it again. trial.sh VERSION ARCHITECTURE
set -eu
version=$1
deb=/pkg/pvusb_${version}_$2.deb
archive=pvusb-${version}-linux-$2
export LC_ALL=C

fail() {
  echo "FAILED: $1"
  exit 1
}

# Every file of the system that a package may change.
files() { find /bin /boot /etc /home /lib* /opt /root /sbin /srv /usr /var -path '/var/lib/dpkg' -prune -o -path '/var/log' -prune -o -print | sort; }

# The program does its work: on a simulated host, since there is no Xen here.
works() {
  [ "$("$1" --version)" = "$version" ] || fail "$1 --version"
  timeout 300 "$1" demo --tour > /tmp/demo || fail "$1 demo --tour: $(tail -n 3 /tmp/demo)"
  grep -q 'That was the demo' /tmp/demo || fail "$1 demo --tour says: $(tail -n 1 /tmp/demo)"
  status=0
  "$1" devices 2> /tmp/devices || status=$?
  grep -q 'xenstore-unreachable' /tmp/devices && [ "$status" = 3 ] || fail "$1 devices, without Xen: status $status"
}

. /etc/os-release
echo "SYSTEM: $PRETTY_NAME, glibc $(ldd --version | sed -n '1s/.* //p')"
files > /tmp/before

dpkg -i "$deb" > /tmp/dpkg 2>&1 || fail "dpkg: $(tail -n 8 /tmp/dpkg)"
works /usr/bin/pvusb
[ -z "$(dpkg --verify pvusb)" ] || fail 'dpkg --verify'
[ "$(dpkg-query -W -f '${Status}' pvusb)" = 'install ok installed' ] || fail 'dpkg-query'
dpkg --purge pvusb > /dev/null
files > /tmp/after
cmp -s /tmp/before /tmp/after || fail "the package leaves behind: $(diff /tmp/before /tmp/after | head -n 3)"

cd /tmp
tar -xzf "/pkg/$archive.tar.gz"
"$archive/install.sh" > /dev/null
# Again, as with a newer version.
"$archive/install.sh" > /dev/null
works /usr/local/bin/pvusb
"$archive/install.sh" --uninstall > /dev/null
files | grep -v '^/etc/pvusb$' > /tmp/after
cmp -s /tmp/before /tmp/after || fail "the archive leaves behind: $(diff /tmp/before /tmp/after | head -n 3)"
echo 'TRIED'
