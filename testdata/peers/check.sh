#!/bin/sh
# The check of depositd by sort and awk: check.sh --bids FILE --statement FILE --out FILE
# It reads what the benchmark writes: UTF-8, the columns in their order, no quotes.
set -eu
while [ $# -gt 0 ]; do
	case $1 in
	--bids) bids=$2 ;;
	--statement) statement=$2 ;;
	--out) out=$2 ;;
	*) echo "check.sh: $1?" >&2; exit 2 ;;
	esac
	shift 2
done
export LC_ALL=C
here=$(dirname "$0")
room=$(mktemp -d "$(dirname "$out")/.check-XXXXXX")
trap 'rm -rf "$room"' EXIT
tab=$(printf '\t')
by() { sort -t "$tab" --parallel=2 -S 64M -T "$room" "$@"; }

# Credits by account and serial, each reversal beside the one it takes back: repeated, contradicted, taken back?
awk -v step=serials -f "$here/check.awk" "$statement" | by -k1,1 -k2,2n | awk -v step=repeats -f "$here/check.awk" | by -k1,1 -k3,3 -k4,4 -k5,5n >"$room/credits"
# Bids and credits by number, bids first.
awk -v step=bids -f "$here/check.awk" "$bids" | by -k1,1 -k3,3 >"$room/bids"
by -m -k1,1 -k2,2 "$room/bids" "$room/credits" | awk -v step=numbers -v asks="$room/asks" -v unpaid="$room/unpaid" -f "$here/check.awk" >"$room/rows"
touch "$room/asks" "$room/unpaid"
# The other bids of those who paid on a number that is not theirs.
awk -v step=payers -v asks="$room/asks" -v unpaid="$room/unpaid" -f "$here/check.awk" "$bids" >>"$room/rows"
by -k1,1n -k2,2n "$room/rows" | awk -v step=findings -v out="$out" -f "$here/check.awk"
