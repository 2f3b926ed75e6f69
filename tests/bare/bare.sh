#!/bin/sh
# bare.sh - does weir come up on a machine that has nothing? Makes a bare Debian 12 in a temporary
# directory (debootstrap --variant=minbase), puts the committed tree there, and runs ./run --for 20 and
# ./test in it. Says how long each took. Needs root, debootstrap and a Debian archive.
#
#   tests/bare/bare.sh [--keep] [--base DIR] [-- arguments of ./test]
#
# --base DIR: a debootstrapped directory to copy (made there if absent), so that the next time is quick.
# The archive and apt's settings are those of this machine.
set -eu

keep= base=
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=1 ;;
    --base) base=$2 && shift ;;
    --)
        shift
        break
        ;;
    *)
        sed -n '2,10p' "$0"
        exit 2
        ;;
    esac
    shift
done
tree=$(cd "$(dirname "$0")/../.." && pwd)

skip() {
    echo "skipped: $1"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"

# Everything that is started ends with this script, and no mount outlives it.
if [ -z "${WEIR_BARE_INSIDE:-}" ] && unshare --mount --pid --fork true 2>/dev/null; then
    WEIR_BARE_INSIDE=1 exec unshare --mount --pid --fork --kill-child "$0" ${keep:+--keep} ${base:+--base "$base"} -- "$@"
fi

mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
[ -n "$mirror" ] || skip "apt knows no archive"

work=$(mktemp -d "${TMPDIR:-/tmp}/weir-bare-XXXXXX")
root=$work/root
cleanup() {
    umount "$root/proc" 2>/dev/null || true
    if [ -n "$keep" ]; then
        echo "kept: $root"
    else
        rm -rf --one-file-system "$work"
    fi
}
trap cleanup EXIT
trap 'exit 143' TERM INT

seconds() { # seconds NAME COMMAND...: runs it, says how long it took
    name=$1
    shift
    begin=$(date +%s)
    code=0
    "$@" || code=$?
    echo "== $name: $(($(date +%s) - begin)) s, exit code $code"
    return $code
}

make_base() {
    debootstrap --variant=minbase bookworm "$1" "$mirror" >"$work/debootstrap.log" 2>&1 || {
        tail -n 5 "$work/debootstrap.log"
        return 1
    }
}
if [ -n "$base" ] && [ ! -d "$base/etc" ]; then
    seconds debootstrap make_base "$base"
fi
if [ -n "$base" ]; then
    cp -a --reflink=auto "$base" "$root"
else
    seconds debootstrap make_base "$root"
fi

# apt as this machine has it, but for what pins its packages.
rm -f "$root"/etc/apt/sources.list
for part in sources.list sources.list.d apt.conf.d trusted.gpg.d keyrings auth.conf.d; do
    [ -e "/etc/apt/$part" ] && cp -a "/etc/apt/$part" "$root/etc/apt/"
done
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
mkdir -p "$root/usr/local/share/ca-certificates"
cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
mount -t proc proc "$root/proc" 2>/dev/null || mount --bind /proc "$root/proc" 2>/dev/null || echo "(no /proc in the root)"

mkdir -p "$root/weir/main"
git -C "$tree" archive HEAD | tar -x -C "$root/weir/main"
if [ -d "$tree/../shared/data" ]; then
    mkdir -p "$root/weir/shared"
    cp -a "$tree/../shared/data" "$root/weir/shared/"
fi

inside() { # inside COMMAND...: in the bare system, with little environment
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        chroot "$root" sh -c 'cd /weir/main && exec "$@"' sh "$@"
}

failed=0
# Free ports: the network is that of the machine around it.
seconds "./run --for 20" inside ./run --for 20 --pg-port 0 --http-port 0 || failed=1
seconds "./run --for 20, again" inside ./run --for 20 --pg-port 0 --http-port 0 || failed=1
seconds "./test $*" inside ./test "$@" || failed=1
exit $failed
