#!/usr/bin/env bash
# Xen 4.20, C xenstored: a change of the permissions of @releaseDomain looks like the end of a domain.
#
# A watch on @releaseDomain is how a program learns that a domain went away. In Xen 4.20 (4.20.4) setting that name's
# permissions (which says what guests are told, and which Xen 4.17 did silently) fires the watch too, although no domain
# went away: whoever acts on the event must look which domains there are.
#
# Seen: "xenstore-watch @releaseDomain" prints its first line when it is set, as always, and a second line after
# "xenstore-chmod @releaseDomain n0 r5":
#   @releaseDomain
#   @releaseDomain
#
# Takes xen-utils-4.20 and xenstore-utils of Debian 13 (trixie) and what they depend on into a temporary folder and runs
# them from there. The daemon asks a hypervisor for domain 0, its page and its event channels: a few lines of C, built
# with gcc, answer for one that has nothing else. Ends with 0 if the daemon still does this, with 1 if it does something
# else, with 2 if it cannot be tried.
set -euo pipefail
version=4.20.4+63-g7abfd2bce2-0+deb13u1

command -v gcc > /dev/null || { echo 'cannot be tried: there is no gcc' >&2; exit 2; }
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null || true; rm -rf "$folder"' EXIT
cannot() { echo "cannot be tried: $1" >&2; exit 2; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keys" ] || cannot "there is no $keys"
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | sed -n 1p)}
[ -n "$mirror" ] || cannot "apt's lists name no mirror of Debian: run apt-get update, or name one in DEBIAN_MIRROR"
mkdir -p "$folder"/{lists,cache/archives}/partial "$folder"/{debs,root/usr/{bin,sbin,lib,lib64}}
for name in bin sbin lib lib64; do ln -s "usr/$name" "$folder/root/$name"; done
for suite in trixie trixie-updates; do
  echo "deb [signed-by=$keys] $mirror $suite main"
done > "$folder/sources.list"
echo "deb [signed-by=$keys] ${mirror%/}-security trixie-security main" >> "$folder/sources.list"
apt=(-qq -o "APT::Sandbox::User=root" -o "APT::Install-Recommends=false" -o "Dir::State::status=/dev/null"
  -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o "Dir::Etc::SourceParts=-"
  -o "Dir::Etc::SourceList=$folder/sources.list")
apt-get "${apt[@]}" update || cannot 'the archive is not in reach'
planned=$(apt-get "${apt[@]}" --simulate install "xen-utils-4.20=$version" "xenstore-utils=$version") ||
  cannot "there is no xen-utils-4.20 $version"
mapfile -t packages < <(sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' <<< "$planned")
(cd "$folder/debs" && apt-get "${apt[@]}" download "${packages[@]}")
for deb in "$folder"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$folder/root"
done

libraries=$(echo "$folder"/root/usr/lib/*-linux-gnu)
loader=$(find "$folder"/root/usr/lib64 "$folder"/root/usr/lib "$libraries" -maxdepth 1 -name 'ld-linux*.so.*' | head -n 1)
cat > "$folder/hypervisor.c" << 'END'
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
static char handle[64], page[4096] __attribute__((aligned(4096)));
static int events = -1;
void *xc_interface_open(void *l, void *d, unsigned f) { return handle; }
int xc_interface_close(void *x) { return 0; }
int xc_domain_getinfo_single(void *x, unsigned domid, void *info)
{ if (domid) { errno = ESRCH; return -1; } memset(info, 0, 8); return 0; }
void *xengnttab_open(void *l, unsigned f) { return handle; }
int xengnttab_close(void *g) { return 0; }
int xengnttab_set_max_grants(void *g, unsigned n) { return 0; }
void *xengnttab_map_grant_ref(void *g, unsigned d, unsigned r, int p) { return page; }
int xengnttab_unmap(void *g, void *a, unsigned n) { return 0; }
void *xenevtchn_open(void *l, unsigned f) { events = eventfd(0, EFD_NONBLOCK); return handle; }
void *xenevtchn_fdopen(void *l, int fd, unsigned f) { events = fd; return handle; }
int xenevtchn_fd(void *x) { return events; }
int xenevtchn_bind_interdomain(void *x, unsigned d, unsigned p) { return 2; }
int xenevtchn_bind_virq(void *x, unsigned v) { return 1; }
int xenevtchn_unbind(void *x, unsigned p) { return 0; }
int xenevtchn_notify(void *x, unsigned p) { return 0; }
int xenevtchn_unmask(void *x, unsigned p) { return 0; }
int xenevtchn_pending(void *x) { return -1; }
static int opened(const char *path, int flags, int mode)
{
    if (!strcmp(path, "/proc/xen/xsd_port")) path = getenv("XSD_PORT");
    if (!strcmp(path, "/proc/xen/xsd_kva")) path = getenv("XSD_KVA");
    return openat(AT_FDCWD, path, flags, mode);
}
#define OPEN(name) int name(const char *path, int flags, ...) \
{ va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); return opened(path, flags, mode); }
OPEN(open)
OPEN(open64)
END
gcc -O2 -w -fno-builtin -fno-stack-protector -shared -fPIC -nostdlib -o "$folder/hypervisor.so" "$folder/hypervisor.c"
mkdir "$folder/run"
printf 2 > "$folder/port"
truncate -s 4096 "$folder/page"
export XENSTORED_RUNDIR=$folder/run XSD_PORT=$folder/port XSD_KVA=$folder/page
program() { timeout 60 "$loader" --library-path "$libraries" --argv0 "$@"; }
tool() { program "$1" "$folder/root/usr/bin/$1" "${@:2}"; }
LD_PRELOAD=$folder/hypervisor.so program xenstored "$folder/root/usr/lib/xen-4.20/bin/xenstored" -N > "$folder/log" 2>&1 &
for _ in $(seq 50); do tool xenstore-exists / 2> /dev/null && break; sleep 0.2; done
tool xenstore-exists / || { cat "$folder/log" >&2; cannot 'xenstored does not start'; }

tool xenstore-watch @releaseDomain > "$folder/events" &
for _ in $(seq 50); do [ -s "$folder/events" ] && break; sleep 0.2; done
[ "$(cat "$folder/events")" = @releaseDomain ] || cannot 'the watch is not set'
tool xenstore-chmod @releaseDomain n0 r5
sleep 2
cat "$folder/events"
[ "$(cat "$folder/events")" = $'@releaseDomain\n@releaseDomain' ] || { echo 'xenstored does something else now.' >&2; exit 1; }
