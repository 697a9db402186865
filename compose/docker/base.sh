#!/bin/sh
# Makes the Debian base that every image stands on, where none can be pulled: base.sh [IMAGE [MIRROR]]
# It takes along the authorities that this machine trusts and its sources of Debian's packages, nothing else.
set -eu
image=${1:-breakwater-base}
mirror=${2:-}
release=bookworm
authorities=/etc/ssl/certs/ca-certificates.crt

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# shellcheck disable=SC2086 # no mirror is no argument: then it is Debian's own
debootstrap --variant=minbase "$release" "$folder/root" $mirror >&2
# updates of security are no part of what debootstrap writes
if [ -z "$mirror" ] && grep -qs "VERSION_CODENAME=$release" /etc/os-release; then
    for sources in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
        [ ! -f "$sources" ] || cp -- "$sources" "$folder/root$sources"
    done
    if [ -f /etc/apt/sources.list.d/debian.sources ] && [ ! -f /etc/apt/sources.list ]; then
        rm -f -- "$folder/root/etc/apt/sources.list"
    fi
fi
if [ -f "$authorities" ]; then
    cp -L -- "$authorities" "$folder/root/etc/machine-authorities.pem"
    printf '[global]\ncert = /etc/machine-authorities.pem\n' >"$folder/root/etc/pip.conf"
    printf 'cafile=/etc/machine-authorities.pem\n' >"$folder/root/root/.npmrc"
fi
# as Debian's official image has it: an image that is not whole is built again, so nothing need be on the disk at once;
# nobody reads documentation in it; lists have no descriptions in other languages; and apt keeps nothing for a next time
echo force-unsafe-io >"$folder/root/etc/dpkg/dpkg.cfg.d/unsafe-io"
printf 'path-exclude /usr/share/%s/*\n' doc man info locale >"$folder/root/etc/dpkg/dpkg.cfg.d/without-documentation"
echo "path-include /usr/share/doc/*/copyright" >>"$folder/root/etc/dpkg/dpkg.cfg.d/without-documentation"
echo 'Acquire::Languages "none";' >"$folder/root/etc/apt/apt.conf.d/no-languages"
echo 'APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";' \
    >"$folder/root/etc/apt/apt.conf.d/no-cache"
rm -rf -- "$folder/root/var/cache/apt" "$folder/root/var/lib/apt/lists" "$folder/root/debootstrap"
# what debootstrap has laid before it was told
for name in doc man info locale; do
    find "$folder/root/usr/share/$name" -mindepth 1 ! -type d ! -name copyright -delete
done
tar -C "$folder/root" -c . | docker import --change 'CMD ["/bin/bash"]' - "$image"
