#!/bin/sh
# Runs the script $1 in a root that is this machine's and is gone afterwards; it finds the files $3 and on as /0, /1 and
# so on. $2 is an empty folder. Exit status 77: not possible here.
set -e
if [ -z "$THROWAWAY_INSIDE" ]; then
  # A root that is no mount, as in a chroot, is nobody's own.
  unshare -m true 2>/dev/null || exit 77
  THROWAWAY_INSIDE=1 exec unshare -m sh "$0" "$@"
fi
script=$1
folder=$2
shift 2
mount -t tmpfs tmpfs "$folder" 2>/dev/null || exit 77
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root" 2>/dev/null || exit 77
mount -t proc proc "$folder/root/proc"
mount --bind /dev "$folder/root/dev"
number=0
for file; do
  cp "$file" "$folder/root/$number"
  number=$((number + 1))
done
cp "$script" "$folder/root/script"
exec chroot "$folder/root" sh -e /script
