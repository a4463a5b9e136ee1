# shellcheck shell=bash
# The guest's file system: what was fetched, the guest's own scripts, and the project's programs at the same path as on
# the host, so that a test finds its helper program where cargo said it would be. Sourced by `run`.

# The programs that the checks use. Whatever else a guest should have goes here.
tools=(ip rdma ibv_devinfo ibv_devices ibv_rc_pingpong ibv_srq_pingpong ib_send_lat ib_send_bw ib_write_lat ib_read_lat)

loader=/lib64/ld-linux-x86-64.so.2
libraries=/usr/lib/x86_64-linux-gnu

# image OUT TESTS EXECUTABLE…: writes the initramfs OUT, with the table TESTS and the given programs of the host.
image() {
    local out=$1 tests=$2 parts=$cache/parts root tool program
    shift 2
    root=$(dirname "$out")/image
    mkdir -p "$root"/{bin,dev,etc,proc,root,run,sys,tmp,rig/modules,lib64,usr/bin} "$root$libraries"
    cp "$parts/root/bin/busybox" "$root/bin/"
    cp "$parts"/modules/* "$root/rig/modules/"
    cp "$here"/guest/* "$root/rig/"
    cp "$tests" "$root/rig/tests"
    chmod 755 "$root/rig/init"
    ln -s rig/init "$root/init"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"

    # A name in /etc/libibverbs.d makes libibverbs load the provider of that name from its own folder.
    mkdir -p "$root/etc/libibverbs.d" "$root$libraries/libibverbs"
    cp "$parts/root/etc/libibverbs.d/rxe.driver" "$root/etc/libibverbs.d/"
    program=$(find "$parts/root$libraries/libibverbs/" -name 'librxe-*.so')
    cp "$program" "$root$libraries/libibverbs/"
    add_libraries "$root" "$program"
    # Loaded at run time by the project's programs, so no list of needed libraries names it.
    cp -L "$parts/root$libraries/libibverbs.so.1" "$root$libraries/"

    for tool in "${tools[@]}"; do
        program=$(find "$parts/root" -path "*bin/$tool" -type f -print -quit)
        [ -n "$program" ] || die "no package holds the program $tool"
        cp "$program" "$root/usr/bin/$tool"
        add_libraries "$root" "$program"
    done
    for program in "$@"; do
        mkdir -p "$root$(dirname "$program")"
        # Debugging symbols are most of a program, and the guest's file system is its memory.
        strip --strip-debug -o "$root$program" "$program" 2>/dev/null || cp "$program" "$root$program"
        add_libraries "$root" "$program"
    done
    (cd "$root" && find . | ./bin/busybox cpio -o -H newc -R 0:0 2>/dev/null) >"$out"
    rm -rf "$root"
}

# add_libraries ROOT PROGRAM: every library that PROGRAM needs, as the dynamic loader finds it: in the packages, or else on the host.
add_libraries() {
    local root=$1 program=$2 found search=$cache/parts/root$libraries:$cache/parts/root/lib/x86_64-linux-gnu
    [ -e "$root$loader" ] || cp -L "$loader" "$root$loader"
    if ! found=$("$loader" --library-path "$search" --list "$program" 2>&1); then
        [[ $found == *"statically linked"* || $found == *"not a dynamic executable"* ]] && return
        die "the libraries of $program: $found"
    fi
    [[ $found != *"not found"* ]] || die "a library that $program needs is neither in the packages nor on this host: $found"
    local name arrow path _
    while read -r name arrow path _; do
        if [ "$arrow" = '=>' ] && [ ! -e "$root$libraries/$name" ]; then
            cp -L "$path" "$root$libraries/$name"
        fi
    done <<<"$found"
}
