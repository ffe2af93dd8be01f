#!/bin/sh
# End the servers that start.sh has started, and nothing else. With --clean their data goes, too.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${DEMO_DIR:-$here/data}

# A number may have come to another process since: only one that runs the server is ended.
runs() {
    ps -o args= -p "$1" 2>/dev/null | grep -q 'core.wsgi'
}

for file in "$dir"/*/pid; do
    if [ -f "$file" ] && runs "$(cat "$file")"; then kill "$(cat "$file")"; fi
done
for file in "$dir"/*/pid; do
    [ -f "$file" ] || continue
    tries=0
    while runs "$(cat "$file")"; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || kill -9 "$(cat "$file")" 2>/dev/null || true
        sleep 0.1
    done
    rm -f "$file"
    echo "Ended $(basename "$(dirname "$file")")."
done

if [ "${1:-}" = "--clean" ]; then
    rm -rf "$dir"
fi
