#!/bin/bash
# Tries an archive of scripts/pack.ts, or the folder that it was made of: unpacks it, and in a network namespace without
# any device, with an empty environment and an empty home, where neither the user's caches nor the system's drivers can be
# seen, `doctor` must find that all is well, and a small search, a training and the prediction of a PNG file must run.
# Not a part of CI.
#
#   deno task pack && bash scripts/try_pack.sh .cache/pack/idarts-*.tar.xz
#
# Needs unshare (util-linux) and user namespaces, and images: .cache/mnist, or the folder that IMAGES names.
set -euo pipefail
archive="$(realpath "$1")"
images="$(realpath "${IMAGES:-.cache/mnist}")"
top="$(mktemp -d "${TMPDIR:-/tmp}/try-pack-XXXXXX")"
trap 'rm -rf "$top"' EXIT

# A PNG file of one pixel.
PIXEL=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==

if [ -d "$archive" ]; then cp -r "$archive" "$top"; else tar -xJf "$archive" -C "$top"; fi
pack="$(echo "$top"/idarts-*)"
mkdir "$top/home" "$top/runs"
cp -r "$images" "$top/images"

# The system's drivers, and the libraries that they need, are not to be had there.
cat > "$top/inside" <<EOF
set -euo pipefail
mount -t tmpfs none /usr/share/vulkan 2>/dev/null || true
mount -t tmpfs none /root 2>/dev/null || true
for library in /usr/lib/*-linux-gnu/lib{LLVM,z3,vulkan,xml2,icu,xcb,edit}*.so*; do
  [ -L "\$library" ] || [ ! -e "\$library" ] || mount --bind /dev/null "\$library"
done
cd "$top"
run() { env -i PATH=/usr/bin:/bin HOME="$top/home" "$pack/idarts" "\$@"; }
if [ "\$(tail -n +3 /proc/self/net/dev | grep -vc ' lo:')" != 0 ]; then echo "there is a network"; exit 1; fi
run doctor
run --read images --write runs search --preset demo --data images --epochs 1 --steps-per-epoch 2 --cells 3 \
  --init-channels 2 --batch-size 16 --images 200 --eval-images 32 --statistics-images 16 --probe-images 16 --out runs/search
run --read images --write runs train runs/search --data images --preset demo --epochs 1 --images 200 --out runs/train
base64 -d > pixel.png <<< "$PIXEL"
run --read runs --read pixel.png predict runs/train pixel.png
test -s runs/search/genotype.json && test -s runs/search/report.html && test -s runs/train/last.safetensors
if run doctor --full 2> refused; then echo "doctor --full wrote without --write"; exit 1; fi
grep -q "allow-write" refused
EOF
unshare --user --map-root-user --net --mount bash "$top/inside"
echo "The pack runs without a network: $(du -sm "$archive" | cut -f1) MiB, $(du -sm "$pack" | cut -f1) MiB unpacked."
