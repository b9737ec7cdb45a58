#!/usr/bin/env bash
# Runs a command with TEST_MYSQL_URL naming a private MariaDB: its own data folder (TEST_MYSQL_DATA), a free port, gone
# afterwards.
#     testdata/with-mariadb.sh go test ./...
# It holds an empty database named bench.
# With TEST_MYSQL_URL set already, that server is used and none is started. With IN_MEMORY=1 the data folder is in memory, if
# there is room: what a disk does is not asked of it then. POOL and REDO are the sizes of its buffer pool and its log, for
# measuring: those for tests are small, since tests make hundreds of small databases.
set -euo pipefail

(($# > 0)) || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }

say() { echo "with-mariadb: $*" >&2; }

# Debian keeps mariadbd in /usr/sbin, which an ordinary user's PATH lacks.
PATH=$PATH:/usr/sbin:/usr/local/sbin

install() {
    local root=()
    ((EUID == 0)) || root=(sudo -n)
    command -v apt-get >/dev/null || { say "$1 is missing and this is no Debian: install it"; return 1; }
    ((EUID == 0)) || sudo -n true 2>/dev/null ||
        { say "$1 is missing. As root, run: apt-get install --no-install-recommends $1"; return 1; }
    say "installing $1"
    "${root[@]}" apt-get update -q >&2
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$1" >&2
}

# The tests of failing disks watch and disturb the program with strace; without it they say so and are skipped.
command -v strace >/dev/null || install strace || true

# The tests of pages walk through them in a browser; without it they say so and are skipped.
command -v chromium >/dev/null || { install chromium && install fonts-noto-cjk; } || true

if [[ -n ${TEST_MYSQL_URL:-} ]]; then exec "$@"; fi

command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null || install mariadb-server

room() { [[ -d $1 && -w $1 && $(df -Pk "$1" | awk 'NR == 2 { print $4 }') -gt 2000000 ]]; }
where=${TMPDIR:-/tmp}
if [[ -n ${IN_MEMORY:-} ]] && room /dev/shm; then where=/dev/shm; fi
home=$(mktemp -d "$where/with-mariadb.XXXXXX")
server=
command_pid=

stop() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP # make passes a signal on that the whole group has had already
    if [[ -n $command_pid ]]; then kill -- "-$command_pid" 2>/dev/null || true; fi
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    for _ in $(seq 50); do # what was interrupted while it made the folder may still be writing into it
        rm -rf "$home" 2>/dev/null && break
        sleep 0.2
    done
    exit "$code"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

user=$(id -un)
mariadb-install-db --no-defaults --auth-root-authentication-method=normal --user="$user" --datadir="$home/data" --skip-test-db \
    >"$home/install.log" 2>&1 || { cat "$home/install.log" >&2; say "cannot make a data folder"; exit 1; }

echo 'CREATE DATABASE IF NOT EXISTS bench;' >"$home/init.sql"

# A port is free when nobody answers on it; another program may take it first, so there are some attempts.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
    local port=$1
    mariadbd --no-defaults --user="$user" --datadir="$home/data" --socket="$home/s" --port="$port" --bind-address=127.0.0.1 \
        --pid-file="$home/pid" --init-file="$home/init.sql" --innodb-buffer-pool-size="${POOL:-256M}" --innodb-log-file-size="${REDO:-96M}" \
        --performance-schema=off >"$home/server.log" 2>&1 &
    server=$!
    for _ in $(seq 300); do
        kill -0 "$server" 2>/dev/null || { wait "$server" || true; server=; return 1; }
        if grep -qs 'ready for connections' "$home/server.log" && answers "$port"; then return 0; fi
        sleep 0.2
    done
    return 1
}

port=
for _ in 1 2 3 4 5; do
    candidate=$((20000 + RANDOM % 20000))
    answers "$candidate" && continue
    if start "$candidate"; then port=$candidate; break; fi
done
[[ -n $port ]] || { cat "$home/server.log" >&2; say "the private server does not start"; exit 1; }

say "private MariaDB on port $port"
export TEST_MYSQL_URL="mysql://root:@127.0.0.1:$port/" TEST_MYSQL_DATA=$home/data
set -m # the command gets a process group of its own, so that what it started is stopped with it
"$@" &
command_pid=$!
set +m
code=0
wait "$command_pid" || code=$?
command_pid=
exit "$code"
