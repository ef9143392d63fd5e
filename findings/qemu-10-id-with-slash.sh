#!/usr/bin/env bash
# QEMU 10.0: a device whose id has a slash can be added over QMP, is listed, and can never be removed.
#
# device_add says yes to the id "usb/1" (QEMU 7.2 refused it, "Parameter 'id' expects an identifier"; 11.1 refuses it
# again, "Invalid qdev ID"). qom-list shows the device. device_del answers "Device 'usb/1' not found", because it looks
# the id up as a path.
#
# Seen with QEMU 10.0.13 (1:10.0.13+ds-0+deb13u1), the answers to device_add, qom-list, device_del and qom-list:
#   {"return": {}}
#   {"return": [{"name": "type", "type": "string"}, {"name": "usb/1", "type": "child<usb-tablet>"}, ...]}
#   {"error": {"class": "DeviceNotFound", "desc": "Device 'usb/1' not found"}}
#   {"return": [{"name": "type", "type": "string"}, {"name": "usb/1", "type": "child<usb-tablet>"}, ...]}
#
# Takes qemu-system-x86 of Debian 13 (trixie) and what it depends on into a temporary folder and runs it from there.
# Ends with 0 if QEMU still does this, with 1 if it does something else, with 2 if it cannot be tried.
set -euo pipefail
version=1:10.0.13+ds-0+deb13u1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
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
planned=$(apt-get "${apt[@]}" --simulate install "qemu-system-x86=$version") || cannot "there is no qemu-system-x86 $version"
mapfile -t packages < <(sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' <<< "$planned")
(cd "$folder/debs" && apt-get "${apt[@]}" download "${packages[@]}")
for deb in "$folder"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$folder/root"
done

libraries=$(echo "$folder"/root/usr/lib/*-linux-gnu)
loader=$(find "$folder"/root/usr/lib64 "$folder"/root/usr/lib "$libraries" -maxdepth 1 -name 'ld-linux*.so.*' | head -n 1)
said=$(printf '%s\n' \
  '{"execute": "qmp_capabilities"}' \
  '{"execute": "device_add", "arguments": {"driver": "usb-ehci", "id": "controller"}}' \
  '{"execute": "device_add", "arguments": {"driver": "usb-tablet", "id": "usb/1", "bus": "controller.0"}}' \
  '{"execute": "qom-list", "arguments": {"path": "/machine/peripheral"}}' \
  '{"execute": "device_del", "arguments": {"id": "usb/1"}}' \
  '{"execute": "qom-list", "arguments": {"path": "/machine/peripheral"}}' \
  '{"execute": "quit"}' |
  timeout 60 "$loader" --library-path "$libraries" "$folder/root/usr/bin/qemu-system-x86_64" \
    -L "$folder/root/usr/share/qemu" -L "$folder/root/usr/share/seabios" -no-user-config -nodefaults -display none -S \
    -M pc -accel tcg -qmp stdio | tr -d '\r' | grep -v '"event"')
echo "$said"

# The third answer is to device_add, the fourth and sixth are lists (in no order), the fifth is to device_del.
answer() { sed -n "$(($1 + 1))p" <<< "$said"; }
[ "$(answer 3)" = '{"return": {}}' ] && answer 4 | grep -q '"name": "usb/1", "type": "child<usb-tablet>"' &&
  answer 5 | grep -q "Device 'usb/1' not found" && [ "$(answer 4)" = "$(answer 6)" ] ||
  { echo 'QEMU does something else now.' >&2; exit 1; }
