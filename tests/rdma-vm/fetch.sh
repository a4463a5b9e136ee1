# shellcheck shell=bash
# What the guest is made of, fetched once: a kernel, its modules and the verbs programs, as Debian packages that are
# unpacked into the cache and never installed. Sourced by `run`.

# The programs, and every library of theirs that a host need not have. The C library comes from the host, because the
# project's own programs were linked against that one.
packages=(
    busybox-static kmod iproute2 ibverbs-utils perftest
    libibverbs1 ibverbs-providers librdmacm1 libibumad3 libnl-3-200 libnl-route-3-200
    libmnl0 libbpf1 libelf1 libcap2 libbsd0 libmd0 libpci3 libudev1 zlib1g
)

# In the order of their dependencies where no module names one: `rdma link add` needs crc32_generic, and virtio_pci
# is what finds the network device of the guests that have one.
modules=(crc32_generic dummy virtio_pci virtio_net ib_uverbs rdma_rxe)

# qemu is the one thing that is installed, since it is the host that runs it.
need_qemu() {
    command -v qemu-system-x86_64 >/dev/null && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        die "qemu-system-x86_64 is missing: install the Debian package qemu-system-x86"
    fi
    say "installing qemu-system-x86"
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends qemu-system-x86 >/dev/null
}

# Fills $cache/parts with root/ (the programs), vmlinuz and modules/ (in the order in which they are to be loaded).
fetch() {
    # The recipe is part of the name, so a changed list of packages is fetched anew.
    local parts
    parts=$cache/parts-$(cksum <"$here/fetch.sh" | cut -d' ' -f1)
    exec 9>"$cache/lock"
    flock -w 300 9 || die "another run has held $cache/lock for five minutes"
    if [ ! -d "$parts" ]; then
        rm -rf "$cache"/parts-* "$cache/fetching"
        mkdir -p "$cache/fetching/packages" "$cache/fetching/root" "$cache/fetching/modules"
        (cd "$cache/fetching" && download && unpack)
        mv "$cache/fetching" "$parts"
    fi
    exec 9>&-
    ln -sfn "${parts##*/}" "$cache/parts"
}

download() {
    command -v apt-get >/dev/null || die "apt-get is missing: the rig takes its guest from Debian packages"
    say "fetching ${#packages[@]} packages and a kernel"
    if ! download_once 2>download.log; then
        # A package list that is missing or out of date names files that are no longer there.
        [ "$(id -u)" = 0 ] && apt-get update -qq
        download_once || die "packages could not be fetched (was apt-get update run?)"
    fi
}

download_once() {
    local kernel
    kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$kernel" ] || return 1
    (cd packages && apt-get -o APT::Sandbox::User="$(id -un)" download -qq "$kernel" "${packages[@]}")
}

unpack() {
    local package release module needed steps=()
    for package in packages/*.deb; do
        dpkg-deb -x "$package" root
    done
    mv root/boot/vmlinuz-* vmlinuz
    release=$(basename root/lib/modules/*)
    # kmod is one program that goes by the name it was called by.
    (exec -a depmod root/bin/kmod -b "$PWD/root" "$release")
    for module in "${modules[@]}"; do
        needed=$(exec -a modprobe root/bin/kmod -d "$PWD/root" -S "$release" --show-depends "$module") ||
            die "the kernel $release has no module $module"
        # What is built in has a line that begins with another word.
        mapfile -t -O "${#steps[@]}" steps < <(sed -n 's/^insmod \([^ ]*\).*/\1/p' <<<"$needed")
    done
    # The number in front keeps the order. A module that two others need is loaded once.
    local number=100 file
    while read -r file; do
        number=$((number + 1))
        case $file in
        *.ko) cp "$file" "modules/$number-${file##*/}" ;;
        *.xz) xz -dc "$file" >"modules/$number-$(basename "$file" .xz)" ;;
        *) die "no way to unpack the module $file" ;;
        esac
    done < <(printf '%s\n' "${steps[@]}" | awk '!seen[$0]++')
    # What is left of the kernel package is 400 MB that no guest looks at.
    rm -rf packages root/lib/modules root/boot root/usr/share download.log
}
