#!/bin/bash
# The same counting with the flock utility, using libxl's protocol: hammer.sh ROOT ROUNDS DOMID.UUID
set -eu
lock="$1/userdata-l.$3.domain-userdata-lock"
data="$1/userdata-d.$3.libxl-json"
new="$1/userdata-n.$3.libxl-json"
added=0
echo ready
read -r
while [ "$added" -lt "$2" ]; do
  exec 9<>"$lock"
  flock 9
  ours=$(stat -L -c %d:%i /proc/self/fd/9)
  if [ "$ours" = "$(stat -c %d:%i "$lock" 2>/dev/null)" ]; then
    text=$(tr -d '\0' <"$data")
    count=${text##*\"ports\": }
    count=${count%%[!0-9]*}
    printf '%s\n\0' "${text/\"ports\": $count/\"ports\": $((count + 1))}" >"$new"
    mv "$new" "$data"
    rm "$lock"
    added=$((added + 1))
  fi
  exec 9>&-
done
