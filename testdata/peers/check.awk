# The steps of check.sh. Records between them are separated by tabs, amounts are fen.

BEGIN { FS = step ~ /^(serials|bids|payers)$/ ? "," : "\t"; OFS = "\t"; HELD_FOREVER = "9999-12-31 00:00:00"
	ORGANISED = "公司|厂|店|院|所|局|处|部|社|会|中心|集团|学校|银行|企业|行|站|队|场|馆|室" }

function fen(yuan) { sub(/\./, "", yuan); return yuan + 0 }
function key(name) { gsub(/[() ]|（|）/, "", name); return toupper(name) }
function person(name) { return name !~ ORGANISED && name !~ /[ -~]/ && length(name) >= 6 && length(name) <= 12 }

# serials: each credit by account and serial, and each reversal by the serial it names.
step == "serials" && FNR > 1 {
	if ($6 == "C") print $4 "|" $1, FNR, "C", $1, $2, $3, $5, fen($7), $8, $9, $10, $11, $12
	else if ($12 != "") print $4 "|" $12, FNR, "R", $1, $2
}

# repeats: of the lines of one serial.
step == "repeats" {
	if ($1 != serial) { tellSerial(); serial = $1 }
	if ($3 == "R") { if (!(($5 "|" $4) in backs)) { backs[$5 "|" $4]; back++ }; next }
	rest = $6 FS $7 FS $8 FS $9 FS $10 FS $11 FS $12 FS $13
	if ($5 in first) { if (rest != content[first[$5]]) aside[first[$5]] = 1; next }
	first[$5] = ++n; content[n] = rest; at[n] = $6
	came = $13 != "" || index($12, "退汇") || index($12, "退票")
	head[n] = $7 OFS 1 OFS $6 OFS $4 OFS $2; tail[n] = (came ? 1 : 0) OFS $8 OFS $9 OFS $10
}
function tellSerial(   i, last) {
	for (; back > 0 && n > 0; back--) {
		last = 0
		for (i = 1; i <= n; i++) if (!(i in taken) && (!last || at[i] >= at[last])) last = i
		if (last) taken[last] = 1
	}
	for (i = 1; i <= n; i++) print head[i], (i in taken) + 0, (i in aside) + 0, tail[i]
	delete first; delete content; delete at; delete head; delete tail; delete taken; delete aside; delete backs
	n = back = 0
}

# bids: by number.
step == "bids" && FNR > 1 { print $5, 0, $8, FNR, $1, $3, fen($4), $6, $7, ($9 == "" ? HELD_FOREVER : $9), $10, $11 }

# numbers: the leases of a number, then its credits by time.
step == "numbers" {
	if ($1 != number || FNR == 1) { tellNumber(); number = $1 }
	if ($2 == 0) {
		b++; from[b] = $3; brow[b] = $4; lot[b] = $5; opens[b] = $6; whole[b] = $7; bidder[b] = $8; baccount[b] = $9; to[b] = $10; single[b] = $11; basic[b] = $12
		next
	}
	c++; when[c] = $3; cserial[c] = $4; crow[c] = $5; why[c] = ""; ctaken[c] = $6; caside[c] = $7; came[c] = $8; amount[c] = $9; name[c] = $10; account[c] = $11
	holder[c] = 0
	for (i = 1; i <= b; i++) if ($3 >= from[i] && $3 < to[i]) holder[c] = i
	h = holder[c]
	own[c] = h && (name[c] == bidder[h] || key(name[c]) == key(bidder[h]))
	if (ctaken[c]) why[c] = ";REVERSED"
	if (came[c]) why[c] = why[c] ";RETURNED_REFUND"
	if (caside[c]) why[c] = why[c] ";ADVICE_CONFLICT"
	if (own[c]) {
		if ($3 >= opens[h]) why[c] = why[c] ";LATE_CREDIT"
		if (basic[h] && account[c] != baccount[h]) why[c] = why[c] ";NOT_BASIC_ACCOUNT"
	}
	if (own[c] && why[c] == "") { total[h] += amount[c]; paid[h]++; if (amount[c] >= whole[h]) reached[h] = 1 }
}
function tellNumber(   i, h, r) {
	for (i = 1; i <= c; i++) {
		h = holder[i]
		if (!own[i]) {
			late = h && when[i] >= opens[h] ? ";LATE_CREDIT" : ""
			personal = h && person(name[i]) && !person(bidder[h]) ? ";PERSONAL_PAYER" : ""
			print crow[i], cserial[i], number, (h ? lot[h] : ""), (h ? bidder[h] : ""), amount[i], why[i], late personal, (b > 0), (h > 0), when[i], key(name[i]) > asks
			continue
		}
		r = why[i] == "" ? weigh(i, h) : why[i]
		before[h] += why[i] == "" ? amount[i] : 0
		if (why[i] == "" && amount[i] >= whole[h]) upto[h] = 1
		verdict = r == "" || r == ";SPLIT_PAYMENT" ? "MATCHED" : substr(r, 2)
		sub(/;.*/, "", verdict)
		if (name[i] != bidder[h]) r = r ";NAME_VARIANT"
		if (r != "") print 0, crow[i], "credit", cserial[i], number, lot[h], bidder[h], amount[i], verdict, substr(r, 2), "", ""
	}
	for (i = 1; i <= b; i++) if (single[i] ? !reached[i] : total[i] < whole[i]) {
		verdict = paid[i] ? "UNDERPAID" : "UNPAID"
		print 1, brow[i], "bid", "", number, lot[i], bidder[i], whole[i], verdict, verdict, "", ""
		print brow[i] > unpaid
	}
	if (b > 0) { delete total; delete paid; delete reached; delete before; delete upto }
	b = c = 0
}
function weigh(i, h) {
	if (single[h]) {
		if (!reached[h]) return ";UNDERPAID;SINGLE_PAYMENT_REQUIRED"
		if (amount[i] < whole[h]) return ";OVERPAID;SINGLE_PAYMENT_REQUIRED"
		if (upto[h]) return ";DUPLICATE_PAYMENT"
		return amount[i] > whole[h] ? ";OVERPAID" : ""
	}
	if (total[h] < whole[h]) return ";UNDERPAID"
	if (before[h] >= whole[h]) return amount[i] >= whole[h] ? ";DUPLICATE_PAYMENT" : ";OVERPAID"
	if (before[h] + amount[i] > whole[h]) return before[h] > 0 ? ";OVERPAID;SPLIT_PAYMENT" : ";OVERPAID"
	return amount[i] < whole[h] ? ";SPLIT_PAYMENT" : ""
}

# payers: the bids of those who were asked for.
step == "payers" && FNR == 1 {
	while ((getline line < unpaid) > 0) open[line]
	while ((getline line < asks) > 0) {
		n++; ask[n] = line; split(line, f, "\t"); waits[f[12]] = waits[f[12]] " " n; parent[n] = f[3] == ""; held[n] = f[10]; booked[n] = f[11]; sum[n] = f[6]
	}
	next
}
step == "payers" {
	if (!((payer = key($6)) in waits)) next
	m = split(waits[payer], list, " ")
	end = $9 == "" ? HELD_FOREVER : $9
	for (i = 1; i <= m; i++) {
		a = list[i]; force = booked[a] >= $8 && booked[a] < end
		if (force) inForce[a] = 1
		if (held[a] && !force) continue
		rank = sprintf("%02d %s %s", (force ? 0 : 8) + (FNR in open ? 0 : 2) + (fen($4) == sum[a] ? 0 : 1), $1, $8)
		if (!(a in best) || rank < best[a]) { best[a] = rank; meantLot[a] = $1; meantBidder[a] = $6 }
	}
}

# findings: the rows in order, and how many of each verdict.
step == "findings" {
	if (NR == 1) print "kind,bank_serial,sub_account,lot,bidder,amount,verdict,reasons,suggested_lot,suggested_bidder" > out
	told[$9]++
	print $3 "," $4 "," $5 "," $6 "," $7 "," int($8 / 100) "." sprintf("%02d", $8 % 100) "," $9 "," $10 "," $11 "," $12 > out
}

END {
	if (step == "repeats") tellSerial()
	if (step == "numbers") tellNumber()
	if (step == "payers") for (a = 1; a <= n; a++) {
		split(ask[a], f, "\t")
		r = f[7]
		if (parent[a]) r = r ";PAID_TO_PARENT"
		else if (!held[a]) r = r ";UNKNOWN_SUB_ACCOUNT" (f[9] ? ";NOT_LEASED" : "")
		else r = r (a in inForce ? ";WRONG_SUB_ACCOUNT" : ";THIRD_PARTY_PAYER") f[8]
		verdict = substr(r, 2); sub(/;.*/, "", verdict)
		says = verdict ~ /^(WRONG_SUB_ACCOUNT|UNKNOWN_SUB_ACCOUNT|PAID_TO_PARENT)$/
		print 0, f[1], "credit", f[2], f[3], f[4], f[5], f[6], verdict, substr(r, 2), (says ? meantLot[a] : ""), (says ? meantBidder[a] : "")
	}
	if (step == "findings") {
		printf "{\"version\":\"sort+awk\",\"written\":{"
		for (v in told) { printf "%s\"%s\":%d", comma, v, told[v]; comma = "," }
		print "}}"
	}
}
