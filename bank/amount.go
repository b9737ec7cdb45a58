package bank

import (
	"strings"

	"depositd/platform/deposit"
)

// yuan reads an amount in yuan as banks print it: zeros behind the second decimal say nothing ("100.500" is 100.50).
// A third decimal that is not zero is an error: fen do not break. Otherwise the rules of deposit.ParseYuan hold.
func yuan(s string) (deposit.Fen, error) {
	if point := strings.IndexByte(s, '.'); point >= 0 {
		for len(s) > point+3 && s[len(s)-1] == '0' {
			s = s[:len(s)-1]
		}
	}
	return deposit.ParseYuan(s)
}
