#!/bin/sh
# start.sh CACHE BOARD ROOT SSHD ARGUMENTS...: run sshd so that who logs in is on the "board".
# CACHE is what build.sh made; BOARD holds the board's sys and proc/cpuinfo, and what it has besides
# in etc and usr; ROOT is a new folder whose parents belong to root, where sshd's ChrootDirectory
# points to.
# Meant for `unshare --mount`: every mount vanishes with the last process.
set -eu
cache=$1 board=$2 root=$3
shift 3
mount --make-rprivate /
mkdir -p "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/.."
mkdir -p "$root" "$root/../upper" "$root/../work"
mount -t overlay overlay \
    -o "lowerdir=$cache/root,upperdir=$root/../upper,workdir=$root/../work" "$root"
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/root"
mount -t proc proc "$root/proc"
# ONNX Runtime's cpuinfo library reads it, and would stumble over that of an x86 processor.
mount --bind "$board/proc/cpuinfo" "$root/proc/cpuinfo"
mount --bind -o ro "$board/sys" "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for folder in etc usr; do
    if [ -d "$board/$folder" ]; then cp -r "$board/$folder" "$root/"; fi
done
chmod 755 "$root"
exec "$@"
