#!/bin/sh
# deploy/deb/build.sh BUILD VERSION ARCH - BUILD/tutti_VERSION_ARCH.deb from BUILD/deb/tutti (make deb, make debs).  Needs dpkg-deb; no root.
# What the program is linked with becomes Depends, by the table below; what experts load at run time is suggested.
# The same sources and the same SOURCE_DATE_EPOCH (by git: the last commit's time) give the same package.
set -e
build=$1 version=$2 arch=$3
cd "$(dirname "$0")/../.."
case $arch in amd64) cross= ;; arm64) cross=aarch64-linux-gnu- ;; *) echo "deploy/deb/build.sh: BUILD, VERSION and amd64 or arm64 are wanted" >&2; exit 2 ;; esac
[ "$arch" = "$(dpkg --print-architecture)" ] && cross=
root=$build/deb/$arch
maintainer=${DEB_MAINTAINER:-tutti <tutti@localhost>}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH="$epoch"
rm -rf "$root"
umask 022
mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/share/tutti/models" "$root/usr/share/tutti/cards" "$root/usr/lib/systemd/system" "$root/etc/tutti" \
    "$root/usr/share/doc/tutti/examples" "$root/usr/share/man/man1"

"${cross}strip" --remove-section=.comment --remove-section=.note -o "$root/usr/bin/tutti" "$build/deb/tutti"
chmod 755 "$root/usr/bin/tutti"
cp models/*.gguf "$root/usr/share/tutti/models/"
cp examples/cards/*.yaml "$root/usr/share/tutti/cards/"
cp deploy/systemd/*.service "$root/usr/lib/systemd/system/"
cp deploy/deb/tutti.yaml "$root/etc/tutti/tutti.yaml"
cp deploy/quadlet/tutti.container examples/tutti.yaml "$root/usr/share/doc/tutti/examples/"
cp deploy/deb/postinst deploy/deb/prerm deploy/deb/postrm "$root/DEBIAN/"
echo /etc/tutti/tutti.yaml >"$root/DEBIAN/conffiles"
{
    echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
    echo 'Upstream-Name: tutti'
    echo
    echo 'Files: *'
    echo 'Copyright: the authors of tutti'
    echo 'License: Apache-2.0'
    echo ' On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.'
} >"$root/usr/share/doc/tutti/copyright"
date=$(date -u -R -d "@$epoch")
printf 'tutti (%s) unstable; urgency=medium\n\n  * Version %s, built by deploy/deb/build.sh.\n\n -- %s  %s\n' "$version" "$version" "$maintainer" "$date" |
    gzip -9n >"$root/usr/share/doc/tutti/changelog.gz"
gzip -9n >"$root/usr/share/man/man1/tutti.1.gz" <deploy/deb/tutti.1

depends= seen=
for so in $("${cross}objdump" -p "$build/deb/tutti" | awk '$1 == "NEEDED" { print $2 }'); do
    case $so in
    libuv.so.1) p=libuv1 ;; libnghttp2.so.14) p=libnghttp2-14 ;; libssl.so.3 | libcrypto.so.3) p=libssl3 ;;
    libprotobuf-c.so.1) p=libprotobuf-c1 ;; libjansson.so.4) p=libjansson4 ;; libfyaml.so.0) p=libfyaml0 ;; libutf8proc.so.2) p=libutf8proc2 ;;
    libsqlite3.so.0) p=libsqlite3-0 ;; libseccomp.so.2) p=libseccomp2 ;; libc.so.6 | libm.so.6 | ld-linux*) p='libc6 (>= 2.34)' ;;
    *) echo "deploy/deb/build.sh: $so: no package is known for it: add it to the table" >&2; exit 1 ;;
    esac
    case $seen in *"|$p|"*) ;; *) seen="$seen|$p|" depends="$depends, $p" ;; esac
done
size=$(du -k -s --exclude=DEBIAN "$root" | cut -f 1)
cat >"$root/DEBIAN/control" <<EOF
Package: tutti
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $size
Depends: ${depends#, }
Suggests: libturbojpeg0, libspng0, libwebp7, libsndfile1, libsoxr0, tesseract-ocr, libpocketsphinx3, pocketsphinx-en-us, espeak-ng, libflite1
Section: net
Priority: optional
Description: all machines of a house as one AI service of tiny models
 A model server that knows its hardware (GGUF on CPUs, ONNX, OCR, speech),
 a router that chooses the model and the silicon for every request, advice
 on what a machine can run, and what Kubernetes lacks for accelerators.
 .
 The service is not started by itself: systemctl enable --now tutti.
EOF
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
find "$root" -newermt "@$epoch" -exec touch -h -d "@$epoch" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$build/tutti_${version}_$arch.deb" >/dev/null
echo "$build/tutti_${version}_$arch.deb: $(stat -c %s "$build/tutti_${version}_$arch.deb") bytes"
