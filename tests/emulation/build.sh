#!/bin/sh
# build.sh FOLDER: an aarch64 root tree with Python 3.11 and ONNX Runtime, and QEMU to run it.
# Needs root, Debian's mmdebstrap, dpkg and apt-get, and pip; nothing of the tree runs meanwhile.
# About a minute, 500 MB. What is there already stays, so that it can be run again.
set -eu
mkdir -p "$1"
cd "$1"
# The imitation of TensorRT reads graphs with onnx.
packages="onnxruntime==1.32.0 onnx==1.23.2 ml_dtypes typing_extensions numpy protobuf flatbuffers packaging"
[ -e ready ] && [ "$(cat ready)" = "$packages" ] && exit 0
rm -rf ready wheels root/usr/local/lib/python3.11

if [ ! -x qemu-aarch64-static ]; then
    # One file of a package that would install 380 MB.
    apt-get download -q qemu-user-static
    dpkg --fsys-tarfile qemu-user-static_*.deb | tar -x --strip-components=3 ./usr/bin/qemu-aarch64-static
    rm qemu-user-static_*.deb
fi

if [ ! -e root/usr/bin/python3 ]; then
    rm -rf root
    programs=dash,bash,coreutils,sed,grep,python3-minimal,libpython3.11-stdlib,libstdc++6,zlib1g
    # "extract" unpacks and configures nothing, so that no emulated program is needed.
    mmdebstrap -q --variant=extract --arch=arm64 --include="$programs" bookworm root
    ln -sf python3.11 root/usr/bin/python3
fi

# Each platform has to be named: pip matches every one exactly. The list is one of words.
# shellcheck disable=SC2086
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 \
    --implementation cp --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 -d wheels $packages

site=root/usr/local/lib/python3.11/dist-packages
mkdir -p "$site"
for wheel in wheels/*.whl; do
    python3 -m zipfile -e "$wheel" "$site"
done
# Emulated, the first import would take half a minute; byte code is the same on every machine.
if command -v python3.11 > /dev/null; then
    python3.11 -m compileall -q "$site" root/usr/lib/python3.11 > compile.log 2>&1 || true
fi
echo "$packages" > ready
