package refund

import "depositd/bank"

// Seed plants a bug for a test to find – a bank's word that is taken for another one – and gives the cure.
func Seed(word bank.PayStatus, act string) (cure func()) {
	before := acts[word]
	acts[word] = act
	return func() { acts[word] = before }
}
