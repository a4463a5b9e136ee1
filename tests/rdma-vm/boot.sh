# shellcheck shell=bash
# Starts guests. Each one is bounded from outside, whatever happens in it. Sourced by `run`.

# boot GUEST DIR: one guest in the background, whose process id is left in $pid. Its kernel and tests write to
# DIR/console.GUEST, its results to DIR/results.GUEST. setpriv has it die with this script, however that ends.
boot() {
    local guest=$1 dir=$2
    : >"$dir/results.$guest"
    machine "$guest" "$dir"
    setpriv --pdeathsig KILL \
        qemu-system-x86_64 "${words[@]}" -serial "file:$dir/console.$guest" -serial "file:$dir/results.$guest" \
        </dev/null >"$dir/qemu.$guest" 2>&1 &
    pid=$!
}

# stop_after SECONDS PID…: returns when all these processes have ended, and ends them itself when the time is over.
stop_after() {
    local end=$((SECONDS + $1)) pid
    shift
    for pid in "$@"; do
        while kill -0 "$pid" 2>/dev/null; do
            if [ "$SECONDS" -ge "$end" ]; then
                say "a guest was still running at the time limit"
                kill -KILL "$@" 2>/dev/null || true
                wait "$@" 2>/dev/null || true
                return
            fi
            sleep 0.2
        done
    done
}

# A guest with a shell on this terminal instead of tests, for an hour at most.
boot_shell() {
    machine one "$1"
    words[append_at]+=" rig.shell"
    timeout --foreground --kill-after=5 3600 setpriv --pdeathsig KILL qemu-system-x86_64 "${words[@]}" -serial mon:stdio
}

# Sets `words`, the arguments of qemu, and `append_at`, where among them the kernel's own arguments are.
machine() {
    local guest=$1 dir=$2 cores=2 accel=tcg,thread=multi
    # An instruction counter needs one virtual CPU in one thread.
    [ "$guest" != icount ] || { cores=1 accel=tcg,thread=single; }
    words=(
        -accel "$accel" -cpu max -smp "$cores" -m 1024
        -kernel "$cache/parts/vmlinuz" -initrd "$dir/initramfs"
        -no-reboot -nodefaults -no-user-config -display none -monitor none
    )
    # panic, oops: a broken guest ends at once (with -no-reboot) and does not sit out its time.
    # nowatchdog, rcu stalls: a virtual CPU that the host leaves waiting for seconds is no fault of the guest.
    # tsc: for the same reason the kernel would give up its only quick clock.
    local kernel="console=ttyS0 panic=-1 oops=panic loglevel=5 nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
    words+=(-append "$kernel tsc=reliable mitigations=off rig.guest=$guest")
    append_at=$((${#words[@]} - 1))
    case $guest in
    a) wire "$dir" on 01 ;;
    b) wire "$dir" off 02 ;;
    # One instruction is one nanosecond of the guest's clock.
    icount) words+=(-icount shift=0) ;;
    esac
}

# The network device of a guest that has one. The wire is a socket file of this run: no port to collide with or to be
# reached at. The longest message that RDMA sends in one packet is 4096 bytes, and headers come on top.
wire() {
    words+=(
        -netdev "stream,id=wire,server=$2,addr.type=unix,addr.path=$1/wire"
        -device "virtio-net-pci,netdev=wire,mac=52:54:00:00:01:$3,host_mtu=4200,romfile="
    )
}
