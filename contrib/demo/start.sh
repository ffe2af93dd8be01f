#!/bin/sh
# Three servers on this machine that talk to one another over TLS: localhost:8080, localhost:8081 and localhost:8082.
#
#   contrib/demo/start.sh            start them; data goes to contrib/demo/data and is used again next time
#   contrib/demo/stop.sh             end them
#
# DEMO_PORT is the first of the three ports, DEMO_DIR the folder for data, PYTHON the interpreter that has Trellis. Accounts can
# be made by anybody who reaches a server, rate limits are off, and private addresses are reached: this is for trying things out.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
dir=${DEMO_DIR:-$here/data}
port=${DEMO_PORT:-8080}
python=${PYTHON:-python3}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
umask 077

# A certificate authority of the demo's own, and one certificate for all of localhost signed by it.
if [ ! -f "$dir/localhost.crt" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=Trellis demo CA" \
        -addext "basicConstraints=critical,CA:TRUE" -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
        -keyout "$dir/localhost.key" -out "$dir/localhost.csr" 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > "$dir/localhost.ext"
    openssl x509 -req -in "$dir/localhost.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 3650 \
        -extfile "$dir/localhost.ext" -out "$dir/localhost.crt" 2>/dev/null
fi

# One folder, configuration and process for each.
for number in 0 1 2; do
    this=$((port + number))
    home="$dir/$this"
    if [ -f "$home/pid" ] && kill -0 "$(cat "$home/pid")" 2>/dev/null; then
        echo "The server on port $this runs already."
        continue
    fi
    mkdir -p "$home"
    cat > "$home/homeserver.yaml" <<EOF
server_name: "localhost:$this"
data_dir: "$home"
public_baseurl: "https://localhost:$this/"
listeners:
  - port: $this
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: true
    resources: [{names: [client, federation]}]
tls_certificate_path: "$dir/localhost.crt"
tls_private_key_path: "$dir/localhost.key"
federation_custom_ca_list: ["$dir/ca.crt"]
ip_range_blacklist: []
trusted_key_servers: []
allow_public_rooms_over_federation: true
enable_registration: true
enable_registration_without_verification: true
rc_message: {per_second: 1000, burst_count: 1000}
rc_registration: {per_second: 1000, burst_count: 1000}
rc_login:
  address: {per_second: 1000, burst_count: 1000}
  account: {per_second: 1000, burst_count: 1000}
rc_joins:
  local: {per_second: 1000, burst_count: 1000}
  remote: {per_second: 1000, burst_count: 1000}
EOF
    cd "$root"
    HS_CONFIG="$home/homeserver.yaml" nohup "$python" -m gunicorn -k gevent core.wsgi >> "$home/server.log" 2>&1 &
    echo $! > "$home/pid"
done

# Wait until each answers.
for number in 0 1 2; do
    this=$((port + number))
    tries=0
    until curl -sf --noproxy '*' --cacert "$dir/ca.crt" "https://localhost:$this/_matrix/client/versions" > /dev/null; do
        tries=$((tries + 1))
        if [ $tries -ge 300 ] || ! kill -0 "$(cat "$dir/$this/pid")" 2>/dev/null; then
            echo "The server on port $this did not start; its log is $dir/$this/server.log" >&2
            exit 1
        fi
        sleep 0.1
    done
    echo "https://localhost:$this  users @name:localhost:$this  log $dir/$this/server.log"
done
echo "Clients must trust $dir/ca.crt."
