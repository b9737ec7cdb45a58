package platform

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"depositd/migrations/sqldb"
)

// Ask is what a credit says of itself: the number it went to and the key of its payer (deposit.NameKey). What is empty
// is not looked for.
type Ask struct{ Bank, SubAccount, PayerKey string }

// Claim is a bid that a credit may be for, with its lot and one of its leases. Lease is zero for a bid that has none. Bid is
// zero where a lot's bids share the number and nobody can tell whose money it is but by its payer: the payer's bid of the
// lot is then a claim of its own, with the same lease.
type Claim struct {
	Lot   Lot
	Bid   Bid
	Lease Lease
}

// Claims finds for each ask every lease of its number, of whatever time, and every bid of its payer with each of its
// leases; never the same one twice; in the order of lot, bidder, number and time. Bids that were withdrawn or revoked
// keep their claims: the money is theirs still. Hundreds of asks take two statements, and a third where lots' bids share
// their numbers.
func Claims(ctx context.Context, r sqldb.Reader, asks []Ask) ([][]Claim, error) {
	answers := make([][]Claim, 0, len(asks))
	for part := range slices.Chunk(asks, keysAtOnce) {
		byNumber, err := claimsByNumber(ctx, r, part)
		if err != nil {
			return nil, err
		}
		byPayer, err := claimsByPayer(ctx, r, part)
		if err != nil {
			return nil, err
		}
		if err := addShared(ctx, r, byPayer); err != nil {
			return nil, err
		}
		for _, a := range part {
			answers = append(answers, slices.CompactFunc(slices.SortedFunc(
				slices.Values(slices.Concat(byNumber[number{a.Bank, a.SubAccount}], byPayer[a.PayerKey])), compareClaims), sameClaim))
		}
	}
	return answers, nil
}

// compareClaims orders by what is unique: a lot has one bid of each key, a number one lease of each beginning.
func compareClaims(a, b Claim) int {
	return cmp.Or(
		strings.Compare(a.Lot.Number, b.Lot.Number),
		strings.Compare(a.Bid.BidderKey, b.Bid.BidderKey),
		strings.Compare(a.Lease.Bank, b.Lease.Bank),
		strings.Compare(a.Lease.SubAccount, b.Lease.SubAccount),
		a.Lease.From.Compare(b.Lease.From),
	)
}

func sameClaim(a, b Claim) bool { return a.Bid.ID == b.Bid.ID && a.Lease.ID == b.Lease.ID }

func claimRow(c *Claim) []any {
	return slices.Concat(lotRow(&c.Lot), bidRow(&c.Bid), leaseRow(&c.Lease))
}

// columnsOf puts the table's letter before each of its columns.
func columnsOf(letter, columns string) string {
	return letter + "." + strings.ReplaceAll(columns, ", ", ", "+letter+".")
}

// Every lease and every bid has its lot; that it is joined as if not keeps MariaDB from beginning with the lots, which it does as
// long as its statistics are older than a great many new leases: it then reads all of them for each few hundred numbers.
var (
	claimsOfNumbers = "SELECT " + columnsOf("t", lotColumns) + ", COALESCE(b.id, 0), COALESCE(b.lot_id, 0), COALESCE(b.bidder_tag, ''), b.sealed, " +
		"COALESCE(b.state, ''), COALESCE(b.version, 0), " + columnsOf("l", leaseColumns) +
		" FROM leases l LEFT JOIN lots t ON t.id = l.lot_id LEFT JOIN bids b ON b.id = l.bid_id WHERE l.sub_account "

	claimsOfPayers = "SELECT " + columnsOf("t", lotColumns) + ", " + columnsOf("b", bidColumns) + ", COALESCE(l.id, 0), COALESCE(l.bank, ''), " +
		"COALESCE(l.sub_account, ''), COALESCE(l.lot_id, 0), COALESCE(l.bid_id, 0), COALESCE(l.leased_from, ?), COALESCE(l.leased_to, ?), " +
		"COALESCE(l.version, 0) FROM bids b LEFT JOIN lots t ON t.id = b.lot_id LEFT JOIN leases l ON l.bid_id = b.id WHERE b.bidder_tag "
)

func claimsByNumber(ctx context.Context, r sqldb.Reader, asks []Ask) (map[number][]Claim, error) {
	subAccounts := asked(asks, func(a Ask) string { return a.SubAccount })
	claims := map[number][]Claim{}
	err := inLists(subAccounts, func(in string, args []any) error {
		rows, err := sqldb.Select(ctx, r, claimRow, claimsOfNumbers+in+" ORDER BY l.id", args...)
		for _, c := range rows {
			claims[c.Lease.number()] = append(claims[c.Lease.number()], c)
		}
		return err
	})
	return claims, err
}

func claimsByPayer(ctx context.Context, r sqldb.Reader, asks []Ask) (map[string][]Claim, error) {
	payers := asked(asks, func(a Ask) string { return a.PayerKey })
	claims := map[string][]Claim{}
	never := sqldb.At(Lease{}.From)
	err := inLists(sqldb.Tags(bidderTag, payers), func(in string, args []any) error {
		args = append([]any{never, never}, args...)
		rows, err := sqldb.Select(ctx, r, claimRow, claimsOfPayers+in+" ORDER BY b.id, l.id", args...)
		for _, c := range rows {
			claims[c.Bid.BidderKey] = append(claims[c.Bid.BidderKey], c)
		}
		return err
	})
	return claims, err
}

// addShared gives the payers' bids on lots whose bids share a number the lot's leases, beside those of their own.
func addShared(ctx context.Context, r sqldb.Reader, byPayer map[string][]Claim) error {
	var sharing []sqldb.ID
	for _, claims := range byPayer {
		for _, c := range claims {
			if c.Lot.Numbering == PerLot {
				sharing = append(sharing, c.Lot.ID)
			}
		}
	}
	slices.Sort(sharing)
	shared, err := allIn(ctx, r, leases, "bid_id = 0 AND lot_id", slices.Compact(sharing), "lot_id, id")
	ofLot := map[sqldb.ID][]Lease{}
	for _, l := range shared {
		ofLot[l.LotID] = append(ofLot[l.LotID], l)
	}
	for payer, claims := range byPayer {
		seen := map[sqldb.ID]bool{}
		var added []Claim
		for _, c := range claims {
			if !seen[c.Bid.ID] {
				seen[c.Bid.ID] = true
				for _, l := range ofLot[c.Lot.ID] {
					added = append(added, Claim{c.Lot, c.Bid, l})
				}
			}
		}
		if len(added) > 0 {
			byPayer[payer] = append(slices.DeleteFunc(claims, func(c Claim) bool { return c.Lease.ID == 0 && len(ofLot[c.Lot.ID]) > 0 }), added...)
		}
	}
	return err
}

// asked gives each key that is asked for once.
func asked(asks []Ask, key func(Ask) string) []string {
	return slices.DeleteFunc(distinct(asks, key), func(k string) bool { return k == "" })
}
